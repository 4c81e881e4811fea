"""The schema of a model that does not tell it: from the rows that it is known to take, its example or a recording."""

from ferryman_server import recorded
from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensor
from ferryman_server.load import context as contexts
from ferryman_server.load import example as examples
from ferryman_server.load import inputs


def schema(names: tuple[str, ...], real: Kind, context: contexts.Context) -> Schema | None:
    """What all of them have in common; `real` is the type that the model has for real numbers."""
    seen = [rows for rows in _seen(context) if len(rows.arrays) == len(names) and set(rows.names) <= set(names)]
    if not seen:
        return None
    columns = [[rows.arrays[_place(rows, names, at)] for rows in seen] for at in range(len(names))]
    found = tuple(_tensor(name, arrays, real) for name, arrays in zip(names, columns, strict=True))
    return None if any(one is None for one in found) else inputs.schema(tuple(one for one in found if one))


def _seen(context: contexts.Context) -> list[Rows]:
    example = examples.rows(schemas.FREE, context.root)
    file = recorded.find(context.root, context.recording, context.model)
    return ([] if example is None else [example]) + (
        recorded.rows(file, schemas.FREE, context.model) if file is not None else []
    )


def _place(rows: Rows, names: tuple[str, ...], at: int) -> int:
    return rows.names.index(names[at]) if rows.names else at


def _tensor(name: str, arrays: list[Array], real: Kind) -> Tensor | None:
    """One input; None where its values are not of one kind and rank."""
    if len({array.ndim for array in arrays}) > 1 or any(array.dtype == object for array in arrays):
        return None
    whole = all(array.dtype.kind in "iu" for array in arrays)
    kind = kinds.of(arrays[0]) if whole or arrays[0].dtype.kind == "b" else real
    sizes = zip(*(array.shape[1:] for array in arrays), strict=True)
    return Tensor(name, kind, (-1, *(one[0] if len(set(one)) == 1 else -1 for one in sizes)))
