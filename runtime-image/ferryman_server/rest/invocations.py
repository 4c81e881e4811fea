"""MLflow's `/invocations`: four JSON shapes and CSV in, `predictions` out."""

import contextlib
import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

from ferryman_server.dataplane import convert, names, validate
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import Schema, Table
from ferryman_server.rest import message, v1
from ferryman_server.rest.message import RefusedError, Request, Response

_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
_SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")


_CODES = {500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


async def invoke(request: Request, plane: DataPlane) -> Response:
    """Read the rows in whichever shape they came."""
    model = plane.model
    rows = _csv(model.schema, request.body) if request.media_type == "text/csv" else _json(model, request)
    return message.answer({"predictions": _predictions(await plane.predict(rows))})


def error(status: int, told: str, *headers: tuple[bytes, bytes], **more: str) -> Response:
    """An error of MLflow's has a code of its own and a message; `error` is what the other protocols here have."""
    code = _CODES.get(status, "BAD_REQUEST")
    body = {"error_code": code, "message": told, "error": told, **more}
    return Response(status, message.encode(body), headers=headers)


def _predictions(answer: Answer) -> Any:
    return v1.predictions(answer)


def _json(model: Model, request: Request) -> Rows:
    body = _object(request)
    found = [shape for shape in _SHAPES if shape in body]
    if len(found) != 1:
        came = ", ".join(f'"{convert.cut(key)}"' for key in list(body)[:8]) or "nothing"
        raise RefusedError(400, f"The body must have exactly one of {', '.join(_SHAPES)}; it has {came}.")
    rows = _rows(model.schema, found[0], body[found[0]])
    params = _params(model, body.get("params"))
    return replace(rows, params=params) if params else rows


def _params(model: Model, given: Any) -> dict[str, Any] | None:
    """What MLflow's signatures call so; the values are MLflow's to judge, and it passes over unknown names."""
    if given is not None and not isinstance(given, dict):
        raise RefusedError(400, f'"params" must be an object, got {convert.describe(given)}.')
    if given and not model.params:
        raise RefusedError(
            400,
            '"params" are not taken here: the model has no signature with params. Log it with one, or put what it '
            "needs into its inputs.",
        )
    return given


def _rows(schema: Schema, shape: str, given: Any) -> Rows:
    if shape == "dataframe_split":
        return _split(schema, given)
    if shape == "inputs" and isinstance(given, dict):
        return validate.from_columns(schema, given, shape)
    return validate.from_rows(schema, given, shape)


def _object(request: Request) -> dict[str, Any]:
    """JSON as Python writes it, too: MLflow's own client sends NaN for what is missing in a DataFrame."""
    try:
        return message.decode_object(request)
    except RefusedError as refused:
        if refused.status == 400 and any(word in request.body for word in (b"NaN", b"Infinity")):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(request.body.decode(), parse_constant=_CONSTANTS.__getitem__)
                if b"\\u" in request.body:
                    message.encode(value)  # half of a surrogate pair is no text: Python takes it, and JSON cannot
                if isinstance(value, dict):
                    return value
        raise


def _split(schema: Schema, given: Any) -> Rows:
    if not isinstance(given, dict) or "data" not in given:
        raise RefusedError(400, '"dataframe_split" must be an object with "columns" and "data".')
    columns = given.get("columns")
    if columns is not None and not (
        isinstance(columns, list) and all(isinstance(name, str | int) for name in columns)
    ):
        raise RefusedError(400, '"dataframe_split.columns" must be a list of names.')
    return validate.from_split(
        schema, None if columns is None else [str(name) for name in columns], given["data"], "data"
    )


def _csv(schema: Schema, body: bytes) -> Rows:
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise RefusedError(400, f"The body is not valid CSV: {problem}.") from None
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise RefusedError(400, "The CSV must have a header and at least one row.")
    header, data = lines[0], lines[1:]
    names.once(header, "csv")
    kinds: dict[str, Kind] = {}
    if isinstance(schema, Table):
        kinds = {column.name: schema.packed or column.kind for column in schema.columns}
        if not schema.named and schema.width == len(header):
            kinds = dict.fromkeys(header, schema.packed or Kind.FP64)
    values = [[_cell(text, kinds.get(name)) for name, text in zip(header, row, strict=False)] for row in data]
    for at, row in enumerate(data):
        if len(row) != len(header):
            raise RefusedError(400, f"Row {at} of the CSV has {len(row)} cells; the header has {len(header)}.")
    return validate.from_split(schema, header, values, "csv")


def _cell(text: str, kind: Kind | None) -> Any:
    """A cell by its column's type, or a number if it reads as one. What does not fit stays text, to be named."""
    if kind is Kind.BYTES:
        return text
    if text == "":
        return None
    if kind is Kind.BOOL:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if "_" in text or not text.isascii():  # Python reads 1_0 and Arabic digits as numbers; nobody else does
        return text
    try:
        return int(text) if kind is not None and kind.is_integer else float(text)
    except ValueError:
        return text
