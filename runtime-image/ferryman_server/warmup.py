"""Predictions before the first real one: page in, compile, allocate, while nobody waits.

The artefact's own input example comes first: a model that cannot predict its own example is broken,
and the candidate must not get traffic. Without one, rows are made from the schema; those may be
values that the model rightly refuses, so only an error that no value could mend counts.
"""

from dataclasses import dataclass
from pathlib import Path

from ferryman_server import log
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer
from ferryman_server.dataplane.schema import Tensor
from ferryman_server.load import example as examples
from ferryman_server.reason import FatalError, Reason, first_line

_BROKEN = (AttributeError, ImportError, NotImplementedError, MemoryError)


@dataclass(frozen=True, slots=True)
class Warm:
    """How many predictions were made, and what the model's outputs turned out to be."""

    predictions: int
    outputs: tuple[Tensor, ...] = ()


def run(model: Model, root: Path, requests: int, name: str) -> Warm:
    """Predict `requests` times."""
    if requests == 0:
        return Warm(0)
    example = examples.rows(model.schema, root)
    rows = example or examples.made_up(model.schema)
    if rows is None:
        log.line(f'Model "{name}" has neither an example nor a schema to make one from; it starts cold')
        return Warm(0)
    answer: Answer = {}
    for done in range(requests):
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
    return Warm(
        requests, tuple(Tensor(one, kinds.of(array), (-1, *array.shape[1:])) for one, array in answer.items())
    )
