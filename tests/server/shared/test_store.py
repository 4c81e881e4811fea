"""A real Redis in every kind of trouble: nobody waits, nothing fails, no answer is another's, and it comes back."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import real_redis
from server.shared.worlds import SOON, answer, eventually, key, name, nothing, until, world

from ferryman_server.shared import store, value


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[real_redis.Redis]:
    with real_redis.running(tmp_path) as one:
        yield one


async def test_two_replicas_share_an_answer_for_its_time(redis):
    async with world(redis.url) as one, world(redis.url) as other:
        await one.remember(7)

        assert await eventually(other, 7) == 7
        found = await other.store.get(key(7))
        assert found is None or 50 < found[1] <= 60
        assert 50 < redis.hands().ttl(name(7)) <= 60


async def test_an_answer_whose_time_is_over_by_our_clock_is_none(redis):
    async with world(redis.url) as it:
        redis.hands().set(name(7), value.pack(key(7), answer(7), time.time() - 1))

        await nothing(it, 7)


async def test_a_frozen_redis_holds_nobody_up_and_is_soon_not_asked_at_all(redis):
    async with world(redis.url) as it:
        await it.remember(7)

        redis.freeze()
        await it.until_down()
        asked = it.ledger.reads
        began = time.perf_counter()
        assert [await it.get(at) for at in range(1000)] == [None] * 1000
        assert time.perf_counter() - began < SOON
        assert it.ledger.reads == asked
        it.store.put(key(8), answer(8))
        assert not it.store._writing

        redis.thaw()
        assert await eventually(it, 7) == 7
        assert it.ledger.up


async def test_many_who_meet_a_frozen_redis_at_once_wait_no_longer_than_one(redis):
    async with world(redis.url) as it:
        redis.freeze()

        began = time.perf_counter()
        assert await asyncio.gather(*(it.get(at) for at in range(200))) == [None] * 200

        assert time.perf_counter() - began < SOON
        redis.thaw()
        redis.hands().set(name(7), value.pack(key(7), answer(7), time.time() + 60))
        assert await eventually(it, 7) == 7


async def test_an_answer_that_comes_late_is_nobody_elses(redis):
    async with world(redis.url) as it:
        for at in range(20):
            await it.remember(at)

        for turn in range(3):
            redis.freeze()
            assert set(await asyncio.gather(*(it.get(at) for at in range(10)))) == {None}
            redis.thaw()
            found = await asyncio.gather(*(it.get(at) for at in range(10, 20)))
            assert all(one in (None, at) for at, one in enumerate(found, 10)), turn
            for at in range(20):
                assert await eventually(it, at) == at


async def test_a_redis_that_died_costs_nothing_and_is_used_again_when_it_is_back(redis):
    async with world(redis.url) as it:
        await it.remember(7)

        redis.kill()
        await it.until_down()
        assert await it.get(7) is None
        redis.start()
        await it.until_up()

        await nothing(it, 7)  # it forgot
        await it.remember(7)
        assert await eventually(it, 7) == 7


async def test_a_redis_that_never_was_there_is_never_asked_and_named_once(redis, capsys):
    redis.kill()
    async with world(redis.url, up=False) as it:
        await until(lambda: it.store._breaker._wait > 0.3, "two attempts were made")

        assert await it.get(7) is None
        it.store.put(key(7), answer(7))
        assert (it.ledger.reads, it.ledger.up, it.store._writing) == (0, False, set())
        said = capsys.readouterr().err
        assert said.count(f"Redis at 127.0.0.1:{redis.port} is not asked for now: ") == 1


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda hands: hands.rpush(name(7), "a", "b"), id="another type"),
        pytest.param(lambda hands: hands.set(name(7), b"\x00junk"), id="no answer of ours"),
        pytest.param(lambda hands: hands.set(name(7), b"x" * (8 << 20)), id="a huge value"),
        pytest.param(lambda hands: hands.set(name(7), value.pack(key(8), answer(8), 1e12)), id="another's answer"),
    ],
)
async def test_what_is_not_our_answer_is_none_and_is_overwritten(redis, spoil):
    async with world(redis.url) as it:
        spoil(redis.hands())
        before, reads = redis.hands().info()["total_net_output_bytes"], it.ledger.reads

        await nothing(it, 7)
        came = redis.hands().info()["total_net_output_bytes"] - before
        assert came < 2 * value.MOST * (it.ledger.reads - reads), "nobody's memory is filled"
        await it.remember(7)
        assert await eventually(it, 7) == 7


async def test_a_full_redis_is_still_read(redis, capsys):
    async with world(redis.url) as it:
        await it.remember(7)
        redis.hands().config_set("maxmemory", 1)  # less than it takes already

        for at in range(8, 12):
            await it.remember(at)

        assert it.ledger.lost == 4
        assert await eventually(it, 7) == 7
        assert capsys.readouterr().err.count("refuses a write: ") == 1


async def test_no_more_is_written_at_once_than_redis_can_take(redis):
    async with world(redis.url) as it:
        redis.freeze()

        for at in range(100):
            it.store.put(key(at), answer(at))

        assert len(it.store._writing) == store._MOST_WRITES
        assert it.ledger.lost == 100 - store._MOST_WRITES
        redis.thaw()


@pytest.mark.parametrize("secret", ["s3cr3t-pass", "p%40ss%2Fword"])
async def test_a_password_opens_it_and_is_never_said(tmp_path, capsys, secret):
    plain = secret.replace("%40", "@").replace("%2F", "/")
    with real_redis.running(tmp_path, "--requirepass", plain) as redis:
        async with world(redis.url.replace("//", f"//:{secret}@")) as it:
            await it.remember(7)
            assert await eventually(it, 7) == 7
        async with world(redis.url.replace("//", f"//user:not-{secret}@"), up=False) as it:
            await until(lambda: it.store._breaker._wait > 0.3, "two attempts were made")
            assert await it.get(7) is None

    said = capsys.readouterr().err
    assert "shares answers" in said
    assert "invalid username-password" in said
    assert plain not in said
    assert secret not in said


async def test_a_server_that_repeats_what_it_was_told_gets_no_password_into_the_log(capsys):
    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = await reader.read(1000)
        writer.write(b"-ERR unknown command: " + told.replace(b"\r\n", b" ") + b"\r\n")
        await writer.drain()
        writer.close()

    echo = await asyncio.start_server(repeat, "127.0.0.1", 0)
    port = echo.sockets[0].getsockname()[1]
    async with echo, world(f"redis://:s3cr3t-pass@127.0.0.1:{port}", up=False) as it:
        await until(lambda: it.store._breaker._wait > 0.2, "an attempt was made")

    said = capsys.readouterr().err
    assert "unknown command" in said
    assert "s3cr3t-pass" not in said


async def test_an_option_that_the_client_does_not_know_is_said_and_fails_nothing(redis, capsys):
    async with world(redis.url + "?wheels=4", up=False) as it:
        await until(lambda: it.store._breaker._wait > 0.3, "two attempts were made")

        assert await it.get(7) is None
        assert "wheels" in capsys.readouterr().err
