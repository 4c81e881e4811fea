"""TensorFlow Serving's REST, which shares `/v1/models/<m>:predict` with KServe V1.

Rows are `instances` in both and are answered with `predictions`. Columns are `inputs` and are answered with
`outputs`: the values of a lone tensor, or an object of them. A model has one signature, the default one, unless it
is TensorFlow's and was saved with several.
"""

from typing import Any

import numpy as np

from ferryman_server.dataplane import convert, names, validate
from ferryman_server.dataplane import text as texts
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Schema, Table, Tensor, Tensors
from ferryman_server.oip import about
from ferryman_server.rest.message import RefusedError
from ferryman_server.serving import Phase, Serving

SIGNATURE = "serving_default"

_STATES = {
    Phase.LOADING: "LOADING",
    Phase.WARMING: "LOADING",
    Phase.READY: "AVAILABLE",
    Phase.DRAINING: "UNLOADING",
}
_TYPES = {
    Kind.BOOL: "DT_BOOL",
    Kind.FP16: "DT_HALF",
    Kind.FP32: "DT_FLOAT",
    Kind.FP64: "DT_DOUBLE",
    Kind.BYTES: "DT_STRING",
} | {kind: f"DT_{kind.value}" for kind in Kind if kind.is_integer}


def signature(model: Model, given: Any) -> tuple[str, Schema]:
    """What rows for a signature bear, and what it takes; the default one's bear nothing."""
    if given in ("", None, SIGNATURE):
        return "", model.schema
    if isinstance(given, str) and given in model.signatures:
        return given, model.signatures[given].schema
    told = f'"{convert.cut(given)}"' if isinstance(given, str) else convert.shown(given)
    raise RefusedError(
        400, f"The model has no signature {told}; it has {names.listed({SIGNATURE, *model.signatures})}."
    )


def instances(schema: Schema, given: Any) -> Any:
    """Rows that call a lone matrix by its name, without it: `{"input": [1, 2]}` is `[1, 2]`."""
    called = _matrix(schema)
    if not called or not isinstance(given, list):
        return given
    if all(isinstance(row, dict) and len(row) == 1 and isinstance(row.get(called), list) for row in given):
        return [row[called] for row in given]
    return given


def columns(schema: Schema, given: Any) -> Rows:
    """All rows at once: a lone tensor's values, or each tensor's by its name."""
    called = _matrix(schema)
    if isinstance(given, dict):
        if called and len(given) == 1 and called in given:
            return validate.from_rows(schema, given[called], f"inputs.{called}")
        return validate.from_columns(schema, given, "inputs")
    return validate.from_rows(schema, given, "inputs")


def outputs(answer: Answer) -> Any:
    """The values of each output, or those of the only one."""
    if len(answer) == 1:
        return next(iter(answer.values())).tolist()
    return {name: array.tolist() for name, array in answer.items()}


def written(answer: Answer) -> Answer:
    """The answer with its bytes as JSON has them; those of an output that is called so are wrapped always."""
    if all(array.dtype.kind not in "OS" for array in answer.values()):
        return answer
    return {name: _spelled(name, array) for name, array in answer.items()}


def _spelled(name: str, array: Array) -> Array:
    if array.dtype.kind not in "OS":
        return array
    found = np.empty(array.size, dtype=object)
    for at, value in enumerate(array.ravel().tolist()):
        found[at] = texts.write(value, always=name.endswith("_bytes"))
    return found.reshape(array.shape)


def _matrix(schema: Schema) -> str:
    """What a table that travels as one matrix is called, unless one of its columns is called so."""
    if isinstance(schema, Tensors) or not schema.packed or (schema.named and schema.tensor in schema.index):
        return ""
    return schema.tensor


# --- what there is --------------------------------------------------------------------------------


def status(serving: Serving) -> dict[str, Any]:
    """The versions that are here: one."""
    return {
        "model_version_status": [
            {
                "version": serving.settings.model_version,
                "state": _STATES[serving.phase],
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def metadata(model: Model, serving: Serving) -> dict[str, Any]:
    """The signatures, as a SavedModel's would be told."""
    told = {SIGNATURE: _signature(model.schema, model.outputs)}
    others = {name: _signature(one.schema, one.outputs) for name, one in model.signatures.items()}
    return {
        "model_spec": {
            "name": serving.settings.model_name,
            "signature_name": "",
            "version": serving.settings.model_version,
        },
        "metadata": {"signature_def": {"signature_def": others | told}},
    }


def _signature(schema: Schema, results: tuple[Tensor, ...]) -> dict[str, Any]:
    given = [Tensor(one["name"], Kind(one["datatype"]), tuple(one["shape"])) for one in about.inputs(schema)]
    if isinstance(schema, Table) and schema.named:
        given = [Tensor(column.name, schema.packed or column.kind, (-1,)) for column in schema.columns]
    return {
        "inputs": {tensor.name: _described(tensor) for tensor in given},
        "outputs": {tensor.name: _described(tensor) for tensor in results},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def _described(tensor: Tensor) -> dict[str, Any]:
    return {
        "dtype": _TYPES[tensor.kind],
        "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in tensor.shape], "unknown_rank": False},
        "name": tensor.name,
    }
