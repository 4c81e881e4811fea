"""The converting process: opens the artefact, tries a graph in each type of number, and compares.

A process of its own, because scikit-learn and its converter are 150 MB that a converted model never needs
again, and because a converter that crashes, or never ends, must not take the server with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Table
from ferryman_server.load import context as contexts
from ferryman_server.load import example as examples
from ferryman_server.optimize import graph as graphs
from ferryman_server.optimize import parity, report, samples
from ferryman_server.optimize.parity import Predict
from ferryman_server.optimize.report import Precision, Refusal, Report
from ferryman_server.optimize.runner import Runner
from ferryman_server.reason import first_line

Opener = Callable[[Path, contexts.Context], tuple[Any, Model]]
"""Opens an artefact: the estimator, and the same as a model."""


@dataclass(frozen=True, slots=True)
class Original:
    """The estimator, what it takes, how it is asked, and the rows to compare on."""

    estimator: Any
    table: Table
    predict: Predict
    batches: list[Rows]


def convert(path: Path, context: contexts.Context, opened: Opener) -> bytes:
    """What goes on the pipe: a graph, or why there is none."""
    estimator, model = opened(path, context)
    table = model.schema
    if not isinstance(table, Table) or not table.columns:
        return report.write(Report(why="nothing tells which columns it takes"))
    batches = samples.rows(table, estimator, examples.rows(table, context.root))
    original = Original(estimator, table, model.predict, batches)
    why = ""
    for types in graphs.order(table):
        try:
            graph = graphs.convert(estimator, table, types)
            told = judged(original, graph, types.precision)
        except Exception as error:  # noqa: BLE001 - a converter may raise anything for what it does not know
            told = Report(why=f"{type(error).__name__}: {first_line(error)}")
        if not told.why:
            return report.write(told, graph)
        why = told.why
    return report.write(Report(why=why))


def judged(original: Original, graph: bytes, precision: Precision) -> Report:
    """What can be promised of a graph; `why` if it is not this estimator's."""
    table = original.table
    [wanted] = original.predict(original.batches[-1]).values()
    told = Report(
        precision=precision,
        inputs=report.inputs(table),
        separate=graphs.separate(original.estimator, table),
        dtype="" if wanted.dtype.kind in "OU" else wanted.dtype.name,
        flat=wanted.ndim == 1,
        piece=graphs.piece(graph),
    )
    predict = Runner(graph, told, table, 1).predict
    verdict = parity.compare(original.predict, predict, original.batches)
    if verdict.why:
        return Report(why=verdict.why)
    refuses, why = _oddities(original, predict)
    if why:
        return Report(why=why)
    return msgspec.structs.replace(told, refuses=refuses, rows=verdict.rows, worst=verdict.worst)


def _oddities(original: Original, predict: Predict) -> tuple[tuple[Refusal, ...], str]:
    """Which numbers must be refused for the graph; or the odd value about which both do not agree."""
    taken: dict[str, set[bool]] = {}
    for what, row in samples.odd(original.table, original.batches[-1]):
        wanted, got = _tried(original.predict, row), _tried(predict, row)
        alike = wanted is not None and got is not None and not parity.judge(wanted, got).why
        if what == Refusal.HUGE and not alike:
            taken.setdefault(what, set()).add(False)  # nobody's data: rather refused than answered in another way
            continue
        taken.setdefault(what, set()).add(wanted is not None)
        if wanted is None and what not in set(Refusal):
            return (), f"it refuses {what}, and its graph would not say so"
        if wanted is not None and not alike:
            return (), f"its graph answers {what} in another way"
    if len(taken.get(Refusal.HUGE, ())) > 1:
        taken[Refusal.HUGE] = {False}
    mixed = [what for what, both in taken.items() if len(both) > 1]
    if mixed:
        return (), f"it takes {mixed[0]} in some columns and refuses it in others"
    return tuple(one for one in Refusal if taken.get(one.value) == {False}), ""


def _tried(predict: Predict, row: Rows) -> Array | None:
    try:
        [answer] = predict(row).values()
    except Exception:  # noqa: BLE001 - refused is refused, in whatever words
        return None
    return answer
