"""A gRPC client in a hundred lines that sends any frame: grpcio's refuses to be rude, and costs ten times as much."""

import asyncio
import urllib.parse

from hpack import Decoder

from ferryman_server.http2 import fields, frames
from ferryman_server.http2.frames import Kind, Setting

_PATIENCE = 20.0


class Connection:
    """One to a gRPC port; one call at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._decoder = Decoder()
        self._number = -1
        said = frames.settings({Setting.INITIAL_WINDOW_SIZE: frames.MOST_WINDOW})
        room = frames.window_update(0, frames.MOST_WINDOW - frames.USUAL_WINDOW)
        writer.write(frames.PREFACE + said + room)

    async def ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """One call: its status of gRPC, its sentence, its framed answer; -1 where the server reset the stream."""
        self._number += 2
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        about = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"iris")]
        self._writer.write(
            frames.frame(Kind.HEADERS, frames.END_HEADERS, self._number, fields.write(*about, *named))
            + frames.frame(Kind.DATA, frames.END_STREAM, self._number, body)
        )
        async with asyncio.timeout(_PATIENCE):
            return await self._answer()

    async def _answer(self) -> tuple[int, str, bytes]:
        told: dict[bytes, bytes] = {}
        answer = b""
        while True:
            kind, flags, number, payload = await self._frame()
            if kind == Kind.GOAWAY:
                raise ConnectionError(payload[8:].decode())
            if kind == Kind.HEADERS:
                told |= dict(self._decoder.decode(payload, raw=True))
            elif number == self._number and kind == Kind.RST_STREAM:
                return -1, "", b""
            elif number == self._number and kind == Kind.DATA:
                answer += payload
            if number == self._number and flags & frames.END_STREAM and kind in {Kind.HEADERS, Kind.DATA}:
                status = int(told.get(b"grpc-status", b"-2"))
                return status, urllib.parse.unquote(told.get(b"grpc-message", b"").decode()), answer

    async def _frame(self) -> tuple[int, int, int, bytes]:
        head = await self._reader.readexactly(frames.HEAD)
        payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
        return head[3], head[4], int.from_bytes(head[5:], "big"), payload

    def close(self) -> None:
        self._writer.close()


async def connected(address: str) -> Connection:
    """A connection to a gRPC port, `host:port`."""
    host, _, port = address.rpartition(":")
    return Connection(*await asyncio.open_connection(host, int(port)))
