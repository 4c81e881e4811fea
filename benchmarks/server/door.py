"""The way to ask one cell: opened only where the server answers rightly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.server import answers, load, places
from benchmarks.server.cases import Cell, Protocol
from benchmarks.server.outcome import Outcome
from benchmarks.server.plan import Plan, Screen
from benchmarks.server.process import Server
from benchmarks.server.questions import Question, Sheet

WARMING = 16


@dataclass(frozen=True, slots=True)
class Door:
    """A cell that answered rightly, and how to ask it."""

    server: Server
    cell: Cell
    requests: Path
    """The requests on disk, as the load generator takes them."""
    questions: list[Question] = field(default_factory=list)
    answer_bytes: int = 0

    @property
    def path(self) -> str:
        """Where HTTP asks."""
        return self.server.peer.paths[self.cell.protocol]

    @property
    def url(self) -> str:
        """The same, whole."""
        return f"http://127.0.0.1:{self.server.ports.http}{self.path}"

    def check(self, core: int) -> str:
        """Ask a few questions and return what is wrong; it also brings the server back after its sleep."""
        if self.cell.protocol is not Protocol.GRPC:
            return answers.wrong(self.server, self.path, self.questions[:WARMING])
        came = load.grpc_answer_bytes(self.server.ports.grpc, self.requests, core)
        return "" if came == self.answer_bytes else f"{came} bytes came, right are {self.answer_bytes}"

    def press(self, core: int, seconds: float) -> load.Measured:
        """Ask as hard as the case says."""
        many = self.cell.case.connections
        if self.cell.protocol is not Protocol.GRPC:
            return load.http(self.url, self.requests, core, connections=many, seconds=seconds)
        port, size = self.server.ports.grpc, self.answer_bytes
        return load.grpc(port, self.requests, core, connections=many, seconds=seconds, answer_bytes=size)

    def think(self, core: int, connections: int, seconds: float, pause_ms: int) -> load.Measured:
        """Ask as people do: each connection pauses before it asks again."""
        return load.http(self.url, self.requests, core, connections=connections, seconds=seconds, pause_ms=pause_ms)


def opened(plan: Plan, server: Server, outcome: Outcome, screen: Screen) -> Iterator[Door]:
    """Ask a server every case in every protocol it may know; those that answer rightly are measured."""
    sheet = Sheet.read(places.MODELS / server.model)
    wanted = [case for case in plan.cases if case.model is server.model]
    refused: dict[str, str] = {}
    with server.awake():
        for protocol in server.peer.paths:
            for case in wanted:
                screen.now(f"asking {server.peer.name}: {case}, {protocol}")
                try:
                    door = _door(plan, server, sheet, Cell(case, server.peer.name, protocol))
                except (answers.WrongError, load.LoadError) as fault:
                    refused.setdefault(f"{server.peer.name}, {server.model}, {protocol}", str(fault))
                    continue
                if door:
                    yield door
    for what, why in refused.items():
        outcome.left_out.append((what, why))
        screen.say(f"[yellow]{what} is left out: {why}[/]")


def _door(plan: Plan, server: Server, sheet: Sheet, cell: Cell) -> Door | None:
    """Return the way to ask a cell; None where the model has no such request."""
    if cell.protocol is Protocol.GRPC:
        request = places.MODELS / server.model / f"grpc-{cell.case.rows}.bin"
        if not request.exists():
            return None
        answers.must(answers.wrong_grpc(server, request, sheet.answers[: cell.case.rows]))
        return Door(server, cell, request, [], load.grpc_answer_bytes(server.ports.grpc, request, plan.cores.load))
    if sheet.columns and cell.protocol is not Protocol.INVOCATIONS:
        return None  # columns of several types: only /invocations asks for these alike everywhere
    questions = sheet.questions(cell.case, cell.protocol)
    answers.must(answers.wrong(server, server.peer.paths[cell.protocol], questions))
    name = f"{cell.protocol}".strip("/").replace(" ", "-")
    folder = places.CACHE / "requests" / f"{server.model}-{cell.case.rows}-{name}"
    return Door(server, cell, load.write(questions, folder), questions)
