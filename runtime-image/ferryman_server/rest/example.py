"""A request body for each protocol, made from rows that the model knows: its own input example, or zeros."""

import base64
import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.rows import Array, Rows
from ferryman_server.dataplane.schema import Schema, Table, Tensors
from ferryman_server.load import example
from ferryman_server.manifest import ARTIFACT
from ferryman_server.serving import Serving

_MOST = 2  # rows; the page shows how, not what all


@dataclass(frozen=True, slots=True)
class Bodies:
    """The same rows in each protocol's words; CSV only for tables."""

    v1: dict[str, Any]
    v2: dict[str, Any]
    invocations: dict[str, Any]
    csv: str = ""


def bodies(serving: Serving) -> Bodies | None:
    """None for a model that neither has an example nor says what it takes."""
    if serving.plane is None:
        return None
    schema = serving.plane.model.schema
    directory = serving.settings.model_dir
    rows = example.rows(schema, directory / ARTIFACT if serving.manifest else directory) or example.made_up(schema)
    if rows is None:
        return None
    named = {name: array[:_MOST] for name, array in _named(schema, rows).items()}
    return _tensors(named) if isinstance(schema, Tensors) or schema.free else _table(schema, named)


def _named(schema: Schema, rows: Rows) -> dict[str, Array]:
    """The arrays by what they are called; a matrix of named columns in its columns."""
    if isinstance(schema, Tensors):
        return {tensor.name: array for tensor, array in zip(schema.tensors, rows.arrays, strict=True)}
    if schema.free:
        return dict(zip(rows.names or ("input",), rows.arrays, strict=True))
    if schema.packed and not schema.named:
        return {schema.tensor: rows.arrays[0]}
    columns = rows.arrays[0].T if schema.packed else rows.arrays
    return {column.name: array for column, array in zip(schema.columns, columns, strict=True) if not _absent(array)}


def _absent(array: Array) -> bool:
    values = array.tolist()
    return all(value is None or value != value for value in values)  # noqa: PLR0124 - NaN is not itself


def _table(schema: Table, named: dict[str, Array]) -> Bodies:
    columns = list(named)
    if not schema.named:
        matrix = named[schema.tensor]
        columns = [column.name for column in schema.columns]
        rows = matrix.tolist()
        return Bodies({"instances": rows}, _v2({schema.tensor: matrix}), {"instances": rows}, _csv(columns, rows))
    rows = [list(row) for row in zip(*(array.tolist() for array in named.values()), strict=True)]
    return Bodies(
        {"instances": [dict(zip(columns, row, strict=True)) for row in rows]},
        _v2({schema.tensor: np.stack(list(named.values()), axis=1)} if schema.packed else named),
        {"dataframe_split": {"columns": columns, "data": rows}},
        _csv(columns, rows),
    )


def _tensors(named: dict[str, Array]) -> Bodies:
    values = {name: array.tolist() for name, array in named.items()}
    if len(values) == 1:
        lone = next(iter(values.values()))
        return Bodies({"instances": lone}, _v2(named), {"inputs": lone})
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return Bodies({"instances": rows}, _v2(named), {"inputs": values})


def _v2(named: dict[str, Array]) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": name,
                "datatype": kinds.of(array).value,
                "shape": list(array.shape),
                "data": array.reshape(-1).tolist(),
            }
            for name, array in named.items()
        ]
    }


def _csv(columns: list[str], rows: list[list[Any]]) -> str:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return page.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return "" if value is None or value != value else value  # noqa: PLR0124 - NaN is not itself
