"""A loaded model, as the data plane sees it: a schema and a function."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ferryman_server.dataplane.guest import Guest
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import Schema, Tensor


@dataclass(frozen=True, slots=True)
class Optimization:
    """What became of the wish to run the model faster: by which runtime it runs, and why not by another."""

    runtime: str
    why: str = ""
    precision: str = ""
    rows: int = 0  # on how many both answered alike
    worst: float = 0.0  # the largest relative difference among them


@dataclass(frozen=True, slots=True)
class Signature:
    """What one of a model's functions takes and gives, as TensorFlow calls it."""

    schema: Schema
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """`platform` is what V2 metadata calls the framework; `packages` is what it was loaded with."""

    platform: str
    schema: Schema
    predict: Callable[[Rows], Answer]
    outputs: tuple[Tensor, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    batches: bool = True  # False where the graph fixes its number of rows, or may look from one row at another
    quick: bool = False  # safe in any thread, so that a short run need not leave the event loop
    optimization: Optimization | None = None
    params: tuple[str, ...] = ()  # MLflow's, by name, where the signature has any
    signatures: dict[str, Signature] = field(default_factory=dict)  # by name, where there are names
    guest: Guest | None = None  # reads KServe's protocols for itself
