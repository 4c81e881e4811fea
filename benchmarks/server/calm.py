"""What is measured without full load: a request that meets no other, and life while a model computes."""

from __future__ import annotations

import http.client
import statistics
import threading
import time

from benchmarks.server import cases, places, process
from benchmarks.server.cases import Case, Model, Protocol
from benchmarks.server.door import Door
from benchmarks.server.outcome import CEILING, Lone, Outcome
from benchmarks.server.plan import Plan, Screen
from benchmarks.server.process import Server
from benchmarks.server.questions import Sheet

LONE_SHARE = 0.2
LONE_PAUSE_MS = 20
OURS = "ferryman"
LONE = {(OURS, Protocol.V1), ("fastapi", Protocol.OWN), (CEILING, Protocol.OWN), ("echo", Protocol.OWN)}
LIVENESS = {OURS: "/healthz", "mlflow": "/ping"}


def lone(plan: Plan, doors: list[Door], outcome: Outcome, screen: Screen) -> None:
    """Ask at a fifth of our own full rate, with chance between: ours, and beside it others at the same rate."""
    full = outcome.results().get(cases.IRIS_8, OURS, Protocol.V1)
    if not full:
        return
    # Each connection thinks for this long on average, and is answered in a hundredth of it.
    connections = max(1, round(full.rps * LONE_SHARE * LONE_PAUSE_MS / 1000))
    for door in doors:
        cell = door.cell
        if cell.case != cases.IRIS_8 or (cell.peer, cell.protocol) not in LONE:
            continue
        screen.now(f"a lone request: {cell.peer}")
        with door.server.awake():
            found = [
                door.think(plan.cores.load, connections, plan.seconds, LONE_PAUSE_MS) for _ in range(plan.rounds)
            ]
        outcome.lone[cell.peer] = Lone(
            rps=statistics.median(one.requests / one.seconds for one in found),
            p50_us=statistics.median(one.p50_us for one in found),
            p99_us=statistics.median(one.p99_us for one in found),
        )


def liveness(plan: Plan, outcome: Outcome, screen: Screen) -> None:
    """Ask for life all the while that a model computes three seconds and holds the interpreter."""
    for peer in (peer for peer in plan.peers if Model.SLOW in peer.models):
        screen.now(f"liveness of {peer.name}")
        try:
            with process.started(peer, Model.SLOW, plan.cores.server) as server:
                outcome.liveness_ms[peer.name] = _slowest_liveness(server) * 1000
        except process.ServerError as fault:
            outcome.left_out.append((f"{peer.name}, liveness", str(fault)))
            screen.say(f"[red]{fault}[/]")


def _slowest_liveness(server: Server) -> float:
    question = Sheet.read(places.MODELS / Model.SLOW).questions(Case(Model.SLOW, 1, 1), Protocol.INVOCATIONS)[0]
    sent = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.ports.http, timeout=60)
        connection.request("POST", "/invocations", question.body, dict(question.headers))
        sent.set()
        statuses.append(connection.getresponse().status)
        connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    sent.wait()
    slowest = 0.0
    while asking.is_alive():
        began = time.perf_counter()
        if server.get(LIVENESS[server.peer.name], timeout=30) != 200:
            raise process.ServerError(f"{server.peer.name} does not say that it lives (its log: {server.log})")
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.02)
    if statuses != [200]:
        raise process.ServerError(f"{server.peer.name} answers the slow request with {statuses} (log: {server.log})")
    return slowest
