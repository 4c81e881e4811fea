"""What a model takes and gives: a table of columns, or named tensors.

A *packed* table is all numbers and travels as one matrix. Any other table travels as one array a
column. A *free* table knows neither its columns nor its width and takes what comes.
"""

from dataclasses import dataclass, field

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.text import Text


@dataclass(frozen=True, slots=True)
class Column:
    """One value per row."""

    name: str
    kind: Kind
    required: bool = True
    text: Text = Text.UTF8


@dataclass(frozen=True, slots=True)
class Tensor:
    """One array; the first dimension is the rows, -1 is any size."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    text: Text = Text.UTF8


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of columns. `named` says whether clients may use the names: a plain matrix has none."""

    columns: tuple[Column, ...]
    named: bool
    packed: Kind | None = None
    free: bool = False
    tensor: str = "input"  # what V2 metadata calls the matrix
    index: dict[str, int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {column.name: at for at, column in enumerate(self.columns)})

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.columns)

    def sentence(self) -> str:
        """What the model expects, for an error message."""
        if self.free:
            return "rows of values"
        if not self.named:
            return f"{self.width} numbers a row"
        shown = ", ".join(column.name for column in self.columns[:12])
        more = f" and {self.width - 12} more" if self.width > 12 else ""
        return f"{self.width} values a row ({shown}{more})"


@dataclass(frozen=True, slots=True)
class Tensors:
    """Named arrays that share their first dimension."""

    tensors: tuple[Tensor, ...]


Schema = Table | Tensors

FREE = Table(columns=(), named=False, free=True)


def matrix(width: int, kind: Kind = Kind.FP64, tensor: str = "input") -> Table:
    """A table without names: `width` numbers a row."""
    columns = tuple(Column(f"feature_{at}", kind) for at in range(width))
    return Table(columns, named=False, packed=kind, tensor=tensor)


def named(columns: tuple[Column, ...], packed: Kind | None) -> Table:
    """A table with names; packed only if every column is a number that must be there."""
    plain = all(column.kind.is_number and column.required for column in columns)
    return Table(columns, named=True, packed=packed if plain else None)
