"""Requests that are not quite HTTP/1.1, or two things at once: each is refused, and no two readers disagree on it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
from server import plain
from server.hostile import wire

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix
from ferryman_server.rest import app, fastpath

ROW = b'{"instances": [[1.0, 2.0]]}'
ANSWER = b'{"predictions":[1.0]}'
GOOD = wire.request(ROW)
LENGTH = b"Content-Length: %d" % len(ROW)
CHUNKED = b"Transfer-Encoding: chunked"
PROBE = b"GET /healthz HTTP/1.1\r\nHost: iris\r\n\r\n"
MODEL = Model("test", matrix(2), lambda rows: {"y": rows.arrays[0][:, 0]})
Served = Callable[..., AbstractAsyncContextManager[int]]


@pytest.fixture(params=[True, False], ids=["at once", "in its turn"])
def served(request: pytest.FixtureRequest) -> Served:
    """The server around a model that answers while a request is read, or one that has to be awaited."""

    @asynccontextmanager
    async def listening(protocol: type[fastpath.FastPath] = fastpath.FastPath, **settings: int) -> AsyncIterator[int]:
        application = app.App(*plain.serve(replace(MODEL, quick=request.param), **settings))
        async with wire.listening(application, protocol) as port, wire.connected(port) as first:
            await first.ask(GOOD)  # what a model costs is known by its first run
            yield port

    return listening


def headed(*fields: bytes, body: bytes = ROW) -> bytes:
    """A request with just these fields."""
    return wire.request(body, *fields, length=False)


BROKEN = {
    "length and chunks": headed(LENGTH, CHUNKED),
    "chunks and length": headed(CHUNKED, LENGTH, body=wire.chunked(ROW)),
    "two lengths, the same": headed(LENGTH, LENGTH),
    "two lengths": headed(LENGTH, b"Content-Length: 3"),
    "a list of lengths": headed(LENGTH + b", %d" % len(ROW)),
    "a length with a sign": headed(b"Content-Length: +%d" % len(ROW)),
    "a negative length": headed(b"Content-Length: -1"),
    "a length in hexadecimal": headed(b"Content-Length: 0x1b"),
    "a length with a space in it": headed(b"Content-Length: 2 7"),
    "a length beyond all machines": headed(b"Content-Length: 99999999999999999999999"),
    "no length at all": headed(b"Content-Length: "),
    "a coding that is unknown": headed(b"Transfer-Encoding: gzip"),
    "no coding": headed(b"Transfer-Encoding: identity"),
    "a coding that looks like chunks": headed(b"Transfer-Encoding: xchunked", body=wire.chunked(ROW)),
    "chunks behind a control character": headed(b"Transfer-Encoding: \x0bchunked", body=wire.chunked(ROW)),
    "chunks, twice": headed(CHUNKED, CHUNKED, body=wire.chunked(ROW)),
    "chunks that are not last": headed(CHUNKED + b", identity", body=wire.chunked(ROW)),
    "a space before the colon": headed(b"Transfer-Encoding : chunked", body=wire.chunked(ROW)),
    "a field on two lines": headed(b"X-Folded: one\r\n two", LENGTH),
    "a coding on the next line": headed(b"Transfer-Encoding:\r\n chunked", body=wire.chunked(ROW)),
    "lines that end without CR": GOOD.replace(b"\r\n", b"\n"),
    "a CR inside a value": headed(b"X-Cut: one\rContent-Length: 3", LENGTH),
    "a NUL inside a value": headed(b"X-Cut: one\0two", LENGTH),
    "a space in a name": headed(b"X Spaced: one", LENGTH),
    "a field without a name": headed(b": one", LENGTH),
    "a field without a colon": headed(b"Nothing", LENGTH),
    "a chunk larger than any": headed(CHUNKED, body=b"fffffffffffffffff\r\n" + ROW),
    "a chunk of negative size": headed(CHUNKED, body=b"-1\r\n" + ROW),
    "a chunk with a size as in C": headed(CHUNKED, body=b"0x1b\r\n" + ROW + b"\r\n0\r\n\r\n"),
    "a chunk longer than it says": headed(CHUNKED, body=b"3\r\n" + ROW + b"\r\n0\r\n\r\n"),
    "a chunk that ends without CR": headed(CHUNKED, body=wire.chunked(ROW).replace(b"\r\n", b"\n")),
    "a chunk's extension that ends without CR": headed(CHUNKED, body=b"1b;a\n" + ROW + b"\r\n0\r\n\r\n"),
    "a length after the chunks": headed(CHUNKED, body=wire.chunked(ROW, after=b"Content-Length: 5\r\n")),
    "a method nobody knows": GOOD.replace(b"POST", b"BREW"),
    "a method in small letters": GOOD.replace(b"POST", b"post"),
    "a proxy's method": b"CONNECT iris:443 HTTP/1.1\r\nHost: iris\r\n\r\n",
    "a proxy's method with a path": b"CONNECT /healthz HTTP/1.1\r\nHost: iris\r\n\r\n",
    "a version that there is not": PROBE.replace(b"1.1", b"1.2"),
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a path with bytes beyond ASCII": PROBE.replace(b"healthz", "gesünd".encode()),
    "a path with a NUL": PROBE.replace(b"healthz", b"heal\0thz"),
    "no path": PROBE.replace(b"/healthz", b"http://iris"),
    "a path of 100 KB": PROBE.replace(b"healthz", b"a" * 100_000),
    "no HTTP": b"\0\1\2\3\r\n\r\n",
}


@pytest.mark.parametrize("shape", BROKEN)
async def test_what_two_readers_could_read_in_two_ways_is_read_in_none(served, shape):
    async with served() as port, wire.connected(port) as neighbour, wire.connected(port) as hostile:
        before = await neighbour.ask(GOOD)
        answers = await hostile.answers(BROKEN[shape], PROBE)
        after = await neighbour.ask(GOOD)

    assert [answer.status for answer in answers] == [400], answers  # and the probe behind it is not read
    assert b"content-type: application/json" in answers[0].head
    assert json.loads(answers[0].body)["error"].startswith("The request is not valid HTTP/1.1: ")
    assert (before.body, after.body) == (ANSWER, ANSWER)


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket", b"TLS/1.0, x"])
async def test_the_body_of_a_request_that_wants_an_upgrade_is_no_request_of_its_own(served, wanted):
    smuggled = b"GET /v2 HTTP/1.1\r\nHost: iris\r\n\r\n"
    head = wire.request(smuggled, b"Connection: Upgrade", b"Upgrade: " + wanted).removesuffix(smuggled)

    async with served() as port, wire.connected(port) as client, wire.connected(port) as neighbour:
        await client.send(head)
        await neighbour.ask(PROBE)  # so that the body comes when the head has been read
        await neighbour.ask(PROBE)
        refused = await client.ask(smuggled)
        next_one = await client.ask(GOOD)

    assert refused.status == 400  # as a body of JSON
    assert "not valid JSON" in json.loads(refused.body)["error"]
    assert next_one.body == ANSWER


@pytest.mark.parametrize("more", [0, 3])
async def test_a_first_request_of_javas_client_which_offers_http2_is_answered(served, more):
    fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB".split(b"\r\n")
    offered = wire.request(ROW, *fields)

    async with served() as port, wire.connected(port) as client:
        whole = [await client.ask(offered + offered * more)] + [await client.answer() for _ in range(more)]
        cut = await client.ask(offered[:40], offered[40:-10], offered[-10:])
        in_chunks = await client.ask(headed(CHUNKED, *fields, body=wire.chunked(ROW[:5], ROW[5:])))
        last = await client.answers(wire.request(ROW, fields[0] + b", close", *fields[1:]), GOOD)

    assert {answer.body for answer in [*whole, cut, in_chunks]} == {ANSWER}
    assert [answer.body for answer in last] == [ANSWER]  # which asked to be the last


async def test_fields_after_the_body_are_none_of_the_requests_headers(served):
    after = b"Content-Type: text/xml\r\nX-Request-Id: fraud\r\nInference-Header-Content-Length: 3\r\n"

    async with served() as port, wire.connected(port) as client:
        answer = await client.ask(headed(CHUNKED, b"X-Request-Id: mine", body=wire.chunked(ROW, after=after)))

    assert answer.body == ANSWER
    assert b"x-request-id: mine\r\n" in answer.head


@pytest.mark.parametrize("where", ["one field", "many fields", "the path", "after the body"])
async def test_fields_without_end_are_not_kept(served, where):
    begun = {
        "one field": (b"POST / HTTP/1.1\r\nX-Long: ", b"a" * 8_192),
        "many fields": (b"POST / HTTP/1.1\r\n", b"X-Many: aaaaaaaaaaaaaaaaaaaa\r\n" * 300),
        "the path": (b"POST /", b"a" * 8_192),
        "after the body": (headed(CHUNKED, body=b"%x\r\n%s\r\n0\r\nX-Long: " % (len(ROW), ROW)), b"a" * 8_192),
    }[where]

    async with served() as port, wire.connected(port) as client:
        answers = await client.answers(begun[0], *[begun[1]] * 100)

    assert [answer.status for answer in answers] in ([431], [400])  # a path has a limit of its own
    assert "error" in json.loads(answers[0].body)


class Impatient(fastpath.FastPath):
    silence = 0.2


@pytest.mark.parametrize(
    "begun", [GOOD[:20], GOOD[:-3], headed(CHUNKED, body=b"5\r\nabc"), b"GET / HTTP/1.1\r\nHost: "]
)
async def test_who_stops_in_the_middle_is_told_so_after_a_while(served, begun):
    async with served(Impatient) as port, wire.connected(port) as client:
        first = await client.ask(GOOD)
        answers = await client.answers(begun)

    assert first.body == ANSWER
    assert [answer.status for answer in answers] == [408]
    assert json.loads(answers[0].body) == {"error": "Nothing came for 0.2 s, and the request is not whole."}


@pytest.mark.parametrize("many", [0, 1])
async def test_who_never_says_anything_is_not_waited_for_and_who_rests_after_an_answer_is(served, many):
    async with served(Impatient) as port, wire.connected(port) as silent, wire.connected(port) as client:
        first = [await client.ask(GOOD) for _ in range(many)]
        answers = await silent.answers()  # the connection is closed, without a word
        later = await client.ask(GOOD) if many else None

    assert answers == []
    assert [answer.body for answer in first] == [ANSWER] * many
    assert later is None or later.body == ANSWER


async def test_a_head_byte_by_byte_is_not_waited_for_beyond_its_time(served):
    async with served(Impatient) as port, wire.connected(port) as client:
        answer = None
        sending = asyncio.create_task(_dribble(client, GOOD + b"x" * 10_000))
        answer = await client.answer()
        sending.cancel()

    assert answer.status == 408
    assert json.loads(answer.body)["error"] == "The fields of a request must come within 0.2 s, and these did not."


async def _dribble(client: wire.Connection, head: bytes) -> None:
    """A byte every twentieth of a second, which is far less than the server's patience."""
    for at in range(len(head)):
        await client.send(head[at : at + 1])
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("idle", [b"", GOOD, GOOD[:20]], ids=["nothing", "a request before", "half a head"])
async def test_idle_connections_make_room_for_those_that_ask(served, idle):
    async with served(max_connections=2) as port, wire.connected(port) as first, wire.connected(port) as second:
        await first.send(idle)
        answers = [await first.answer()] if idle == GOOD else []
        answers += [await second.ask(GOOD)]
        async with wire.connected(port) as third:
            answers += [await one.ask(GOOD) for one in (third, second, third)]
            gone = await first.answer()

    assert [answer.body for answer in answers] == [ANSWER] * len(answers)
    assert gone is None


async def test_where_all_connections_are_at_work_another_is_told_to_come_back(served):
    async with served(max_connections=2) as port, wire.connected(port) as first, wire.connected(port) as second:
        for one in (first, second):
            assert (await one.ask(GOOD)).body == ANSWER
            await one.send(GOOD[:-3])  # and they go on
        async with wire.connected(port) as third:
            refused = await third.answers()
        answers = [await one.ask(GOOD[-3:]) for one in (first, second)]

    assert [answer.status for answer in refused] == [503]
    assert b"retry-after: 1\r\n" in refused[0].head
    assert json.loads(refused[0].body)["error"].startswith("This server has as many connections as it may;")
    assert [answer.body for answer in answers] == [ANSWER] * 2


async def test_a_body_byte_by_byte_is_a_body(served):
    async with served() as port, wire.connected(port) as client:
        answer = await client.ask(*[GOOD[at : at + 1] for at in range(len(GOOD))])

    assert answer.body == ANSWER


@pytest.mark.parametrize("whole", [1, 3])
async def test_what_came_whole_is_answered_before_what_cannot_be_read_ends_the_connection(served, whole):
    async with served() as port, wire.connected(port) as client:
        answers = await client.answers(GOOD * whole + b"\0\0\0 garbage\r\n\r\n")

    assert [answer.body for answer in answers[:whole]] == [ANSWER] * whole
    assert [answer.status for answer in answers[whole:]] in ([], [400])


async def test_a_bad_chunk_is_refused_in_its_turn(served):
    bad = headed(CHUNKED, body=b'5\r\n{"ins\r\nzz\r\n')
    async with served() as port, wire.connected(port) as client:
        answers = await client.answers(GOOD + bad)

    assert answers[0].body == ANSWER
    assert [answer.status for answer in answers] == [200, 400]
    assert json.loads(answers[1].body)["error"].startswith(
        "The request is not valid HTTP/1.1: Invalid character in chunk"
    )


async def test_requests_in_one_piece_are_answered_in_their_order(served):
    other = wire.request(ROW.replace(b"1.0", b"3.0"))
    async with served() as port, wire.connected(port) as client:
        await client.send((GOOD + other) * 200)
        answers = [await client.answer() for _ in range(400)]

    assert [answer.body for answer in answers] == [ANSWER, ANSWER.replace(b"1.0", b"3.0")] * 200


@pytest.mark.parametrize("how", ["declared", "in chunks"])
async def test_a_body_of_a_gigabyte_is_not_waited_for(served, how):
    chunk = b"x" * 65_536
    sent = {
        "declared": [headed(b"Content-Length: 1073741824", body=chunk)],
        "in chunks": [headed(CHUNKED, body=b""), *[b"10000\r\n" + chunk + b"\r\n"] * 32],
    }[how]

    async with served(max_body_bytes=1_000_000) as port, wire.connected(port) as client:
        answers = await client.answers(*sent)

    assert [answer.status for answer in answers] == [413]
    assert "The body may have 1000000 bytes" in json.loads(answers[0].body)["error"]


async def test_a_body_without_end_that_nobody_asked_for_ends_the_connection(served):
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    async with served() as port, wire.connected(port) as client:
        answer = await client.ask(wire.request(b"", CHUNKED, path=b"/nowhere", length=False))
        more = await client.answers(*[chunk] * 400)

    assert (answer.status, more) == (404, [])


async def test_curl_that_offers_http2_is_answered(served):
    async with served() as port:
        line = ["curl", "-s", "--http2", "-d", ROW.decode(), f"http://127.0.0.1:{port}/v1/models/iris:predict"]
        done = await asyncio.to_thread(subprocess.run, line, capture_output=True, check=True)

    assert done.stdout == ANSWER


async def test_the_server_itself_reads_http_so(servers):
    """All of the above was asked of the application under its protocol; this, of `python -m ferryman_server`."""
    port = int(servers["tensors"].address.rpartition(":")[2])
    smuggled = b"GET /v2 HTTP/1.1\r\nHost: iris\r\n\r\n"
    head = wire.request(smuggled, b"Connection: Upgrade", b"Upgrade: x").removesuffix(smuggled)
    async with wire.connected(port) as client, wire.connected(port) as other:
        refused = await client.answers(BROKEN["length and chunks"])
        upgraded, probe = await other.ask(head, smuggled), await other.ask(PROBE)

    assert json.loads(refused[0].body)["error"].startswith("The request is not valid HTTP/1.1: ")
    assert (upgraded.status, probe.body) == (400, b'{"live":true}')
