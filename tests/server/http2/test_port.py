"""A port of connections: it is left in peace, and makes room for who has work."""

import asyncio
import contextlib

from server.http2.pair import TRAILERS, Echo, block, told

from ferryman_server.http2 import frames
from ferryman_server.http2.frames import Code, Kind


async def test_a_port_of_connections_is_left_in_peace_or_in_time() -> None:
    import socket

    from ferryman_server.http2.server import Server

    echo = Echo()
    server = Server(echo)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.listen(listener)
    address = listener.getsockname()
    _, idle = await asyncio.open_connection(*address)
    idle.write(frames.PREFACE + frames.settings({}))
    reader, _ = await asyncio.open_connection(*address)  # says nothing, not even its preface
    await asyncio.wait_for(reader.readexactly(9), 10)

    await asyncio.wait_for(server.stop(0.2), 10)

    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 10)
    assert reader.at_eof() or isinstance(reader.exception(), ConnectionResetError)
    assert not server._connections


async def test_connections_that_rest_make_room_for_others() -> None:
    import socket

    from ferryman_server.http2.server import Server

    server = Server(Echo(), 2)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.listen(listener)
    request = frames.frame(Kind.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block())
    waits = request.replace(b"/echo", b"/wait")
    clients = []
    async with asyncio.timeout(20):
        for asked in (waits, request, request):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(frames.PREFACE + frames.settings({}) + asked)
            clients.append((reader, writer))
            if asked is request:
                await reader.readuntil(TRAILERS)
            else:
                await reader.readuntil(frames.frame(Kind.SETTINGS, frames.ACK, 0))
        left = await clients[1][0].read()
    still = [reader.at_eof() for reader, _ in clients]
    for _, writer in clients:
        writer.close()
    await server.stop(None)

    assert told(left)[-1] == (Kind.GOAWAY, Code.NO_ERROR)
    assert still == [False, True, False]
