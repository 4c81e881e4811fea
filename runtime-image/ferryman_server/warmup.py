"""Predictions before the first real one: page in, compile, allocate, while nobody waits.

Requests that were recorded come first, because they are what will come; see `recorded`. The artefact's own input
example comes next: a model that cannot predict its own example is broken, and the candidate must not get traffic.
Without either, rows are made from the schema; those may be values that the model rightly refuses, so only an error
that no value could mend counts.
"""

import gc
import time
from dataclasses import dataclass, field
from pathlib import Path

from ferryman_server import log, recorded
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer
from ferryman_server.dataplane.schema import Tensor
from ferryman_server.load import example as examples
from ferryman_server.reason import FatalError, Reason, first_line

_BROKEN = (AttributeError, ImportError, NotImplementedError, MemoryError)


@dataclass(frozen=True, slots=True)
class Warm:
    """How many predictions were made, how long each took, and what the model's outputs turned out to be."""

    predictions: int
    outputs: tuple[Tensor, ...] = ()
    seconds: list[float] = field(default_factory=list)
    refused: int = 0  # recorded requests that the model does not take


def run(model: Model, root: Path, requests: int, name: str, *, file: Path | None = None) -> Warm:
    """Predict `requests` times; where there is a recording (`file`, or beside the model), each of its requests."""
    if requests == 0:
        return Warm(0)
    recording = recorded.find(root, file, name)
    if recording is None:
        return _rows(model, root, requests, name)
    if examples.rows(model.schema, root) is not None:  # which must still be predicted
        _rows(model, root, 1, name)
    told = recorded.replay(recording, model, requests, name)
    return Warm(len(told.seconds), _outputs(told.answer), told.seconds, told.refused)


def settle() -> None:
    """Keep what is loaded out of the collector's way for good.

    Some 100,000 objects of libraries stay as long as the process. A full collection would look through all of them,
    and hold up every answer for a tenth of a second meanwhile.
    """
    gc.collect()
    gc.freeze()


def _rows(model: Model, root: Path, requests: int, name: str) -> Warm:
    example = examples.rows(model.schema, root)
    rows = example or examples.made_up(model.schema)
    if rows is None:
        log.line(f'Model "{name}" has neither an example nor a schema to make one from; it starts cold')
        return Warm(0)
    answer: Answer = {}
    seconds = []
    for done in range(requests):
        began = time.perf_counter()
        try:
            answer = model.predict(rows)
        except Exception as error:
            if example is None and not isinstance(error, _BROKEN):
                log.line(f'Model "{name}" refused a made-up row ({first_line(error)}); it starts cold')
                return Warm(done)
            what = "its own input example" if example else "a row of its schema"
            raise FatalError(
                Reason.WARMUP_FAILED,
                f'Model "{name}" cannot predict {what}: {type(error).__name__}: {first_line(error)}; '
                "check it with the server's package versions.",
            ) from error
        seconds.append(time.perf_counter() - began)
    return Warm(requests, _outputs(answer), seconds)


def _outputs(answer: Answer) -> tuple[Tensor, ...]:
    return tuple(Tensor(one, kinds.of(array), (-1, *array.shape[1:])) for one, array in answer.items())
