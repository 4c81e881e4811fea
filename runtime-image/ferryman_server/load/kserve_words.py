"""Rows in the words of a `kserve.Model`, V1's dict or V2's `InferRequest`; and what it says to them, as an answer."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensor, Tensors
from ferryman_server.load import context as contexts
from ferryman_server.reason import FatalError, Reason

_LONE = "input-0"  # what KServe's documentation calls a tensor without a name
_KNOWN = {kind.value: kind for kind in Kind}


def takes_requests(model: type, *, typed: bool) -> bool:
    """Whether the class wants an `InferRequest`; one that takes both gets it if it says which tensors it takes."""
    for step in (getattr(model, "preprocess"), getattr(model, "predict")):  # noqa: B009 - the class is Any's kin
        if step.__module__.partition(".")[0] == "kserve":  # not the author's
            continue
        parameters = list(inspect.signature(step).parameters.values())
        said = str(parameters[1].annotation) if len(parameters) > 1 else ""
        return "InferRequest" in said and (typed or "dict" not in said.lower())
    return False


def tensors(types: Sequence[dict[str, Any]], context: contexts.Context) -> tuple[Tensor, ...]:
    """What the class says of its inputs or outputs, if it says anything."""
    try:
        return tuple(
            Tensor(one["name"], _KNOWN[one["datatype"]], (-1, *(int(size) for size in one["shape"][1:])))
            for one in types
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FatalError(
            Reason.LOAD_FAILED,
            f'The input or output types of model "{context.model}" are not understood; each is a dict with name, '
            f"datatype ({', '.join(_KNOWN)}) and shape.",
        ) from error


def instances(rows: Rows, schema: Schema) -> dict[str, Any]:
    """V1's `{"instances": [...]}`: objects where the columns have names, else values or lists."""
    names = _names(rows, schema)
    if not names:
        lone = rows.arrays[0]
        # The data plane makes a row of each lone value; texts were hardly sent as rows of one.
        wrapped = lone.dtype == object and lone.ndim == 2 and lone.shape[1] == 1
        return {"instances": (lone[:, 0] if wrapped else lone).tolist()}
    columns = [array.tolist() for array in rows.arrays]
    return {"instances": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]}


def request(rows: Rows, schema: Schema, name: str) -> Any:
    """V2's request, with the tensors' values in lists, as JSON brings them."""
    import kserve  # type: ignore[import-untyped]  # noqa: PLC0415 - whoever comes here has it already

    return kserve.InferRequest(
        name,
        [
            kserve.InferInput(one, list(array.shape), kinds.of(array).value, array.reshape(-1).tolist())
            for one, array in zip(_names(rows, schema) or (_LONE,), rows.arrays, strict=True)
        ],
        parameters={},
    )


def _names(rows: Rows, schema: Schema) -> tuple[str, ...]:
    return tuple(one.name for one in schema.tensors) if isinstance(schema, Tensors) else rows.names


def answer(said: Any) -> Answer:
    """V1's predictions, V2's outputs, or whatever else the class returned."""
    import kserve  # noqa: PLC0415

    match said:
        case kserve.InferResponse():
            return {one.name: text(one.as_numpy()) for one in said.outputs}
        case {"predictions": predictions}:
            return {"predictions": array(predictions)}
        case dict():
            return {str(name): array(value) for name, value in said.items()}
        case _:
            return {"predictions": array(said)}


def array(values: Any) -> Array:
    """Numbers and truth values as NumPy holds them; everything else as it is, one object an entry."""
    if isinstance(values, np.ndarray):
        return np.atleast_1d(text(values))
    entries = values if isinstance(values, list | tuple) else [values]
    try:
        found = np.asarray(entries)
    except ValueError:  # rows of different lengths
        found = np.empty(0, dtype=object)
    if found.dtype.kind in "biuf":
        return found
    return np.fromiter(entries, dtype=object, count=len(entries))


def text(found: Array) -> Array:
    """KServe's text is bytes."""
    if found.dtype.kind not in "OS":
        return found
    texts = [one.decode(errors="replace") if isinstance(one, bytes) else one for one in found.reshape(-1).tolist()]
    return np.fromiter(texts, dtype=object, count=len(texts)).reshape(found.shape)
