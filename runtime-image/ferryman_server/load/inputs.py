"""A graph's own inputs as what the data plane calls a schema, and rows as what the graph calls its inputs."""

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Column, Schema, Table, Tensor


def schema(inputs: tuple[Tensor, ...]) -> Schema:
    """A matrix, a table of one column an input, or the tensors as they are."""
    first = inputs[0]
    is_matrix = len(inputs) == 1 and len(first.shape) == 2 and first.shape[0] == -1 and first.shape[1] > 1
    if is_matrix and first.kind.is_number:
        return schemas.matrix(first.shape[1], first.kind, first.name)
    if all(tensor.shape == (-1, 1) for tensor in inputs):
        return schemas.named(tuple(Column(tensor.name, tensor.kind, text=tensor.text) for tensor in inputs), None)
    return schemas.Tensors(inputs)


def arrays(rows: Rows, schema: Schema) -> tuple[Array, ...]:
    """One array for each input: columns stand upright."""
    if isinstance(schema, Table) and not schema.packed and not schema.free:
        return tuple(array.reshape(-1, 1) for array in rows.arrays)
    return rows.arrays


def batches(tensors: tuple[Tensor, ...]) -> bool:
    """Whether the graph leaves the number of rows open in all that it takes, or gives."""
    return all(tensor.shape[:1] == (-1,) for tensor in tensors)
