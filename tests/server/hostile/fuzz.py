"""`make fuzz-server`: requests that nobody would write, against every protocol and every kind of model.

    python -m server.hostile.fuzz [--bodies 100000] [--seed 6] [--replay pyfunc:1234]

Each is a good one with a few changes, made by a hand that is seeded by its number: what one run found, `--replay`
asks again. Nearly all go into the application as uvicorn would hand them over, some through a socket, and some of
these with their heads changed, too. What must hold: no exception, no 5xx, an answer within 50 ms of processor time,
an error in the protocol's own form, the next good request answered as ever, and no more memory at the end than after
a while.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server import iris
from server.hostile import nearly, wire, worlds
from server.hostile.mutations import cut
from server.hostile.nearly import Asked
from server.hostile.worlds import World

SOON = 0.05
"""Seconds of processor time for one answer."""
MOST_FAULTS = 25
MOST_GROWTH_MB = 16.0
MOST_OBJECTS = 3_000
_PAGE_MB = resource.getpagesize() / 2**20
_STATUS = {0: 200, 3: 400, 5: 404, 8: 413, 12: 415}


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int
    content_type: str
    body: bytes
    seconds: float = 0.0


@dataclass(slots=True)
class Row:
    """One line of the report."""

    classes: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0


@dataclass(slots=True)
class Report:
    """What a run found."""

    rows: dict[str, Row] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    memory_mb: tuple[float, float] = (0.0, 0.0)
    objects: tuple[int, int] = (0, 0)

    def count(self, protocol: str, got: Got) -> None:
        """One more answer."""
        row = self.rows.setdefault(protocol, Row())
        row.classes[got.status // 100] += 1
        row.slowest = max(row.slowest, got.seconds)

    def table(self) -> str:
        """For people."""
        head = f"{'protocol':<12} {'bodies':>8} {'2xx':>8} {'4xx':>8} {'5xx':>5} {'slowest':>10}"
        lines = [
            f"{name:<12} {row.classes.total():>8,} {row.classes[2]:>8,} {row.classes[4]:>8,} {row.classes[5]:>5,} "
            f"{1000 * row.slowest:>7.1f} ms"
            for name, row in sorted(self.rows.items())
        ]
        before, after = self.memory_mb
        told = (
            f"memory {before:.1f} MB after a fifth, {after:.1f} MB at the end; "
            f"objects {self.objects[0]:,} and {self.objects[1]:,}"
        )
        return "\n".join([head, *lines, told])


# --- asking ---------------------------------------------------------------------------------------


async def ask(world: World, asked: Asked) -> Got:
    """One request, into the application or through gRPC's port."""
    began = time.process_time()
    if asked.protocol == "gRPC":
        status, told, _ = await world.calls.ask(asked.path, asked.body, asked.headers)
        http = _STATUS.get(status, 400 if status == -1 else 415 if status == -2 else 500)
        return Got(http, "grpc", told.encode(), time.process_time() - began)
    got = await _in_process(world, asked)
    return Got(got.status, got.content_type, got.body, time.process_time() - began)


async def _in_process(world: World, asked: Asked) -> Got:
    sent: list[dict[str, Any]] = []
    pieces = [{"type": "http.request", "body": asked.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return pieces.pop() if pieces else await asyncio.Future()  # the client stays

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [(name.encode(), value.encode()) for name, value in asked.headers.items()]
    headers.append((b"content-length", str(len(asked.body)).encode()))
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": asked.path, "headers": headers}
    await world.app(scope, receive, send)
    start, body = sent
    kinds = dict(start["headers"])
    assert int(kinds[b"content-length"]) == len(body["body"])
    return Got(start["status"], kinds[b"content-type"].decode(), body["body"])


async def through_a_socket(world: World, asked: Asked, chance: random.Random | None) -> list[Got]:
    """The same through HTTP/1.1; with its head changed by chance, too, it may be answered in any number of ways."""
    fields = [f"{name}: {value}".encode() for name, value in asked.headers.items()]
    whole = wire.request(asked.body, *fields, path=asked.path.encode())
    if chance is not None:
        head, _, body = whole.partition(b"\r\n\r\n")
        whole = cut(chance, head + b"\r\n\r\n") + body
    async with wire.connected(world.port) as client:
        if chance is None:
            found = [await client.ask(whole)]
        else:
            found = await client.answers(whole + b"GET /healthz HTTP/1.1\r\nHost: iris\r\nConnection: close\r\n\r\n")
    return [Got(one.status, _kind(one.head), one.body) for one in found if one is not None]


def _kind(head: bytes) -> str:
    return head.partition(b"content-type: ")[2].partition(b"\r\n")[0].decode()


def wrong(asked: Asked, got: Got) -> str:
    """What no answer may be; empty for a good one."""
    if got.status >= 500 or got.status not in {200, 400, 404, 405, 408, 413, 415, 431}:
        return f"status {got.status}: {got.body[:200]!r}"
    if b"Traceback" in got.body:
        return "a stack trace"
    if got.content_type == "grpc":
        return "" if got.status in {200, 415} or got.body.strip() else "an error without a sentence"
    if got.content_type != "application/json":
        return "" if got.status == 200 else f"an error as {got.content_type}"
    said = json.loads(got.body)
    if got.status == 200:
        return ""
    wanted = (
        {"error_code", "message", "error"} if asked.path == nearly.MLFLOW and got.status in {400, 415} else {"error"}
    )
    well = isinstance(said, dict) and (set(said) == wanted or set(said) == {"error"}) and said["error"].strip()
    return "" if well else f"not its protocol's form of an error: {got.body[:200]!r}"


# --- a run ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """One run over all worlds."""

    seed: int
    bodies: int
    say: Callable[[str], None]
    report: Report = field(default_factory=Report)

    async def over(self, opened: list[World]) -> Report:
        """Ask; look at the memory after a fifth and at the end."""
        before = {world.name: await self._good(world) for world in opened}
        for name, answers in before.items():
            assert {status for status, _ in answers} == {200}, (name, answers)
        for number in range(self.bodies):
            world = opened[number % len(opened)]
            await self._one(world, number)
            if number % 7 == 0 and await self._good(world) != before[world.name]:
                self._fault(world, number, "a good request was answered in another way afterwards")
            if number == self.bodies // 5:
                self._weigh(0)
            if number % max(1, self.bodies // 20) == 0:
                self.say(f"{number:>8,} of {self.bodies:,}, {len(self.report.faults)} faults, {_memory():.0f} MB")
            if len(self.report.faults) >= MOST_FAULTS:
                break
        self._weigh(1)
        return self.report

    def asked(self, world: World, number: int) -> tuple[random.Random, Asked]:
        """The request of this number, always the same."""
        chance = random.Random(f"{self.seed}/{world.name}/{number}")
        return chance, nearly.bad(chance, world.good)

    async def _one(self, world: World, number: int) -> None:
        chance, asked = self.asked(world, number)
        how = chance.random() if asked.protocol != "gRPC" else 1.0
        try:
            if how < 0.05:
                for got in await through_a_socket(world, asked, chance if how < 0.01 else None):
                    self._judge(world, number, asked, got)
                return
            got = await ask(world, asked)
            if got.seconds > SOON:  # once more: a busy machine, or a collection of garbage
                got = min(got, await ask(world, asked), await ask(world, asked), key=lambda one: one.seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            self._fault(world, number, f"{type(error).__name__}: {error}")
            return
        self.report.count(asked.protocol, got)
        self._judge(world, number, asked, got)

    def _judge(self, world: World, number: int, asked: Asked, got: Got) -> None:
        fault = wrong(asked, got)
        if not fault and got.seconds > SOON:
            fault = f"{1000 * got.seconds:.0f} ms of processor time"
        if fault:
            self._fault(world, number, f"{asked.protocol}: {fault}")

    def _fault(self, world: World, number: int, what: str) -> None:
        self.report.faults.append(f"--seed {self.seed} --replay {world.name}:{number}  {what}")
        self.say(self.report.faults[-1])

    async def _good(self, world: World) -> list[tuple[int, bytes]]:
        found = [await ask(world, one) for one in world.good.requests()]
        return [(one.status, one.body) for one in found]

    def _weigh(self, at: int) -> None:
        gc.collect()
        memory, objects = list(self.report.memory_mb), list(self.report.objects)
        memory[at], objects[at] = _memory(), len(gc.get_objects())
        self.report.memory_mb, self.report.objects = (memory[0], memory[1]), (objects[0], objects[1])


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


async def run(
    shelf: iris.Shelf, scratch: Path, bodies: int, seed: int, say: Callable[[str], None], *, graph: bool = False
) -> Report:
    """Open every world, and ask."""
    makers = {**worlds.MODELS, **(worlds.GRAPH if graph else {})}
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(worlds.opened(name, make(shelf, scratch)))
            for name, make in makers.items()
        ]
        return await Run(seed, bodies, say).over(opened)


async def replay(shelf: iris.Shelf, scratch: Path, seed: int, which: str) -> None:
    """Ask one request again, and show it and its answer."""
    name, _, number = which.partition(":")
    make = {**worlds.MODELS, **worlds.GRAPH}[name]
    async with worlds.opened(name, make(shelf, scratch)) as world:
        _, asked = Run(seed, 0, print).asked(world, int(number))
        print(nearly.spelled(asked))
        print(await ask(world, asked))


def main(arguments: list[str]) -> int:
    """Run, tell, and say with the exit code whether all is well."""
    parser = argparse.ArgumentParser(prog="make fuzz-server", description="Random bodies for the model server.")
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--replay", default="", metavar="WORLD:NUMBER")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        shelf, scratch = iris.Shelf(Path(folder) / "shelf"), Path(folder)
        (scratch / "shelf").mkdir()
        if asked.replay:
            asyncio.run(replay(shelf, scratch, asked.seed, asked.replay))
            return 0
        began = time.monotonic()
        report = asyncio.run(run(shelf, scratch, asked.bodies, asked.seed, print, graph=True))
    print(f"\n{report.table()}\n{time.monotonic() - began:.0f} s, seed {asked.seed}, {len(report.faults)} faults")
    before, after = report.memory_mb
    grew = after - before > MOST_GROWTH_MB or report.objects[1] - report.objects[0] > MOST_OBJECTS
    if grew:
        print("The memory grew.")
    return int(bool(report.faults) or grew)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
