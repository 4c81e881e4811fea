"""KServe V1 and, at the same path, TensorFlow Serving: `instances` in, `predictions` out; `inputs`, `outputs`."""

from dataclasses import replace
from typing import Any

from ferryman_server.dataplane import convert, validate
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.rest import message, quick, tfserving
from ferryman_server.rest.message import Request, Response


async def predict(request: Request, plane: DataPlane) -> Response:
    """`{"instances": [...]}`, each a list or an object; or `{"inputs": {...}}`, by column."""
    matrix = quick.instances(plane.model.schema, request)
    if matrix is not None:
        return message.answer({"predictions": predictions(await plane.predict(matrix))})
    body = message.decode_object(request)
    signature, schema = tfserving.signature(plane.model, body.get("signature_name"))
    if ("instances" in body) is ("inputs" in body):
        keys = ", ".join(f'"{convert.cut(key)}"' for key in list(body)[:8]) or "nothing"
        raise message.RefusedError(
            400, f'The body must have "instances", a list of rows, or else "inputs", columns; it has {keys}.'
        )
    if "inputs" in body:
        answer = await plane.predict(_meant(tfserving.columns(schema, body["inputs"]), signature))
        return message.answer({"outputs": tfserving.outputs(tfserving.written(answer))})
    rows = validate.from_rows(schema, tfserving.instances(schema, body["instances"]), "instances")
    return message.answer(
        {"predictions": predictions(tfserving.written(await plane.predict(_meant(rows, signature))))}
    )


def _meant(rows: Rows, signature: str) -> Rows:
    return replace(rows, signature=signature) if signature else rows


def predictions(answer: Answer) -> list[Any]:
    """One entry a row: the value itself, or an object when the model has several outputs."""
    if len(answer) == 1:
        values: list[Any] = next(iter(answer.values())).tolist()
        return values
    columns = [array.tolist() for array in answer.values()]
    return [dict(zip(answer, row, strict=True)) for row in zip(*columns, strict=False)]
