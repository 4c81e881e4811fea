"""A worker's connections: they come from the parent, and go back between two requests without their client seeing it.

The client is a plain socket, the parent is this test; between them is the worker's own code on its own event loop.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn
import uvloop
from server import plain

from ferryman_server import metrics
from ferryman_server.serving import Serving
from ferryman_server.workers.board import Board, Cell
from ferryman_server.workers.channel import Channel, Kind, Message
from ferryman_server.workers.handed import Guest, Handed

ASK = b"POST / HTTP/1.1\r\nhost: iris\r\ncontent-length: 3\r\n\r\nabc"
PATIENCE = 10.0


def on_uvloop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The server's own loop: what is tested is what it does with sockets."""

    @functools.wraps(story)
    def run(**given: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(story(**given))

    return run


@dataclass
class House:
    """A worker, with a door that opens when the test says so."""

    parent: Channel
    row: "memoryview[float]"
    answers: asyncio.Event

    async def hear(self, kind: Kind) -> Message:
        """The next message of this kind."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(BlockingIOError):
                    message = self.parent.receive()
                    assert message is not None
                    if message.kind is kind:
                        return message
                await asyncio.sleep(0.005)

    async def silent(self) -> None:
        """It has heard all that was said to it, and gave nothing back."""
        beat = self.row[Cell.BEAT]
        async with asyncio.timeout(PATIENCE):
            while self.row[Cell.BEAT] == beat:
                await asyncio.sleep(0.01)
        with contextlib.suppress(BlockingIOError):
            while message := self.parent.receive():
                assert message.kind is Kind.TAKEN

    async def counted(self, connections: int) -> None:
        """It tells that it has so many."""
        async with asyncio.timeout(PATIENCE):
            while self.row[Cell.REST_OPEN] != connections:
                await asyncio.sleep(0.01)

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One whose connection the worker was given."""
        listener = socket.create_server(("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        accepted, _ = listener.accept()
        listener.close()
        self.give(accepted)
        await self.hear(Kind.TAKEN)
        return reader, writer

    def give(self, connection: socket.socket, said: bytes = b"") -> None:
        with connection:
            assert self.parent.send(Message(Kind.REST, said, connection.fileno()))

    def ask_to_part(self, count: int) -> None:
        self.parent.send(Message(Kind.PART_REST, str(count).encode()))


@contextlib.asynccontextmanager
async def house() -> AsyncIterator[House]:
    answers = asyncio.Event()
    answers.set()

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event["body"], event["more_body"]
        await answers.wait()
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
        await send(head)
        await send({"type": "http.response.body", "body": body})

    parent, theirs = Channel.pair()
    board = Board.new(1)
    config = uvicorn.Config(app, http="httptools", loop="none", lifespan="off", ws="none", log_config=None)
    handed = Handed(Channel(theirs), board.rows[1])
    settings = replace(plain.SETTINGS, grpc_port=0)
    await handed.open(uvicorn.Server(config), Serving(settings), metrics.Metrics(metrics.Identity("iris", "", "")))
    yield House(parent, board.rows[1], answers)
    asyncio.get_running_loop().remove_reader(theirs)


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return (await reader.readuntil(b"\r\n\r\nabc"))[:12]


@on_uvloop
async def test_a_connection_between_two_requests_goes_back_and_is_answered_by_whoever_gets_it():
    async with house() as one, house() as other:
        reader, writer = await one.client()
        writer.write(ASK)
        first = await answer(reader)

        one.ask_to_part(1)
        back = await one.hear(Kind.REST)
        writer.write(ASK)  # it is nobody's now
        other.give(socket.socket(fileno=back.descriptor))
        second = await answer(reader)
        await one.counted(0)
        await other.counted(1)
        writer.close()

    assert first == second == b"HTTP/1.1 200"


@on_uvloop
async def test_a_connection_that_has_moved_may_rest_and_one_that_never_said_anything_may_not(monkeypatch):
    monkeypatch.setattr(Guest, "silence", 0.2)
    async with house() as one, house() as other:
        reader, writer = await one.client()
        writer.write(ASK)
        await answer(reader)
        one.ask_to_part(1)
        back = await one.hear(Kind.REST)
        other.give(socket.socket(fileno=back.descriptor), back.body)
        silent, _ = await other.client()

        said = await asyncio.wait_for(silent.read(), PATIENCE)
        writer.write(ASK)
        later = await answer(reader)
        writer.close()

    assert said == b""
    assert later == b"HTTP/1.1 200"


@on_uvloop
async def test_a_connection_that_has_said_nothing_yet_may_go():
    async with house() as one:
        _, writer = await one.client()

        one.ask_to_part(1)
        back = await one.hear(Kind.REST)

        socket.socket(fileno=back.descriptor).close()
        writer.close()


@pytest.mark.parametrize("part", [ASK[:9], ASK[:-3], ASK[:-1], ASK + ASK[:9]])
@on_uvloop
async def test_one_that_has_begun_a_request_stays_until_it_is_answered(part):
    async with house() as one:
        reader, writer = await one.client()
        writer.write(part)
        if len(part) > len(ASK):
            assert await answer(reader) == b"HTTP/1.1 200"
        await one.counted(1)

        one.ask_to_part(1)
        await one.silent()
        writer.write((ASK + ASK)[len(part) : 2 * len(ASK) if len(part) > len(ASK) else len(ASK)])

        assert await answer(reader) == b"HTTP/1.1 200"
        writer.close()


@on_uvloop
async def test_one_that_waits_for_its_answer_goes_as_soon_as_it_has_it():
    async with house() as one:
        one.answers.clear()
        reader, writer = await one.client()
        writer.write(ASK)
        one.ask_to_part(1)
        await one.silent()
        one.ask_to_part(1)

        one.answers.set()
        back = await one.hear(Kind.REST)

        assert await answer(reader) == b"HTTP/1.1 200"
        socket.socket(fileno=back.descriptor).close()
        assert await reader.read() == b""
        writer.close()


@on_uvloop
async def test_requests_sent_ahead_are_answered_in_their_order_before_the_connection_goes():
    async with house() as one:
        one.answers.clear()
        reader, writer = await one.client()
        writer.write(ASK * 3)
        await one.silent()
        one.ask_to_part(1)

        one.answers.set()
        back = await one.hear(Kind.REST)

        for _ in range(3):
            assert await answer(reader) == b"HTTP/1.1 200"
        socket.socket(fileno=back.descriptor).close()
        writer.close()


@on_uvloop
async def test_no_more_go_than_were_asked_to():
    async with house() as one:
        clients = [await one.client() for _ in range(3)]

        one.ask_to_part(2)
        back = [await one.hear(Kind.REST), await one.hear(Kind.REST)]
        await one.silent()
        await one.counted(1)

        for message in back:
            socket.socket(fileno=message.descriptor).close()
        for _, writer in clients:
            writer.close()
