"""Bytes to a port and answers back: what no decent client would send, and all of what comes for it."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from ferryman_server.rest import fastpath

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    head: bytes
    body: bytes


class Connection:
    """One to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Each in a packet of its own, as far as the kernel lets us; a server that has left is no fault."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()

    async def answer(self) -> Answer | None:
        """The next response; None where the server closed the connection before a whole one."""
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await self._reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                body = await self._reader.readexactly(int(found[1]) if found else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Answer(int(head.split(b" ", 2)[1]), head, body)

    async def ask(self, *pieces: bytes) -> Answer | None:
        """Send, and read one answer."""
        await self.send(*pieces)
        return await self.answer()

    async def answers(self, *pieces: bytes) -> list[Answer]:
        """Send all that there is to send; every answer until the server closes the connection."""
        await self.send(*pieces)
        found = []
        while (one := await self.answer()) is not None:
            found.append(one)
        return found

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection to loopback."""
    connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def listening(app: Any, protocol: type[fastpath.FastPath] = fastpath.FastPath) -> AsyncIterator[int]:
    """An application on a port of loopback, as the server serves it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app, http=protocol, loop="none", lifespan="off", interface="asgi3", ws="none", access_log=False,
            log_config=None, server_header=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield int(listener.getsockname()[1])
        finally:  # without uvicorn's own end, which sleeps first
            for door in server.servers:
                door.close()


def request(body: bytes, *fields: bytes, path: bytes = b"/v1/models/iris:predict", length: bool = True) -> bytes:
    """A POST, whole; its length among the fields unless somebody else says it."""
    said = (b"Content-Length: %d" % len(body),) if length else ()
    return b"\r\n".join((b"POST %s HTTP/1.1" % path, b"Host: iris", *said, *fields, b"", body))


def chunked(*chunks: bytes, after: bytes = b"") -> bytes:
    """A body in chunks, with fields after it."""
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n" + after + b"\r\n"
