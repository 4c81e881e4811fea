"""Connections to an application without a socket: what is written to them, write by write."""

import asyncio
import json
from typing import Any

import uvicorn
from server import plain
from server.hostile import wire
from uvicorn.server import ServerState

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix
from ferryman_server.rest import app, fastpath, http1

ROW = b'{"instances": [[1.0, 2.0]]}'
GOOD = wire.request(ROW)


def first(rows):
    if 13 in rows.arrays[0]:
        raise ValueError("13 brings bad luck")
    if 14 in rows.arrays[0]:
        raise RuntimeError("14 is too much")
    return {"y": rows.arrays[0][:, 0]}


MODEL = Model("test", matrix(2), first, quick=True)


class Wire(asyncio.Transport):
    """What a connection has written, by its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Server:
    """An application, and connections to it without a socket."""

    def __init__(self, model: Model = MODEL, **settings: Any) -> None:
        self.serving, self.measures = plain.serve(model, **settings)
        self.config = uvicorn.Config(
            app.App(self.serving, self.measures), loop="none", lifespan="off", interface="asgi3", ws="none",
            access_log=False, log_config=None, server_header=False, date_header=False, proxy_headers=False,
            timeout_keep_alive=1,
        )  # fmt: skip
        self.config.load()

    def connection(self, kind: type[http1.Protocol] = fastpath.FastPath) -> tuple[http1.Protocol, Wire]:
        protocol, transport = kind(config=self.config, server_state=ServerState(), app_state={}), Wire()
        protocol.connection_made(transport)
        return protocol, transport

    def warm(self) -> None:
        """Let its model be known as quick, however busy the machine is."""
        plane = self.serving.plane
        assert plane is not None
        plane._batcher._costs.ran(1, 0.000_01)

    async def answer(self, data: bytes, kind: type[http1.Protocol]) -> bytes:
        protocol, transport = self.connection(kind)
        protocol.data_received(data)
        await settled(protocol)
        return b"".join(transport.written)


async def settled(protocol: http1.Protocol) -> None:
    async with asyncio.timeout(10):
        await asyncio.sleep(0)  # the end of this turn of the event loop
        while not protocol.cycle.response_complete or protocol.pipeline:
            await asyncio.sleep(0.001)


def headed(document: Any, *fields: bytes, path: bytes = b"/v1/models/iris:predict") -> bytes:
    return wire.request(json.dumps(document).encode(), *fields, path=path)
