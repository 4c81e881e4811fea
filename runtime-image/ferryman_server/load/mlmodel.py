"""Reads an MLmodel file without importing MLflow: its flavours, its signature, its example."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Column, Tensor
from ferryman_server.dataplane.text import Text
from ferryman_server.reason import FatalError, Reason, first_line

_COLUMN_KINDS = {
    "boolean": Kind.BOOL,
    "integer": Kind.INT32,
    "long": Kind.INT64,
    "float": Kind.FP32,
    "double": Kind.FP64,
    "string": Kind.BYTES,
    "datetime": Kind.BYTES,
    "binary": Kind.BYTES,
}
_DEEPEST = 32
"""No file that MLflow writes is nested so."""
_TENSOR_KINDS = {str(kind.dtype): kind for kind in Kind if kind is not Kind.BYTES} | {
    "str": Kind.BYTES,
    "object": Kind.BYTES,
}


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs as columns or as tensors; both empty when unknown, or richer than a table can say."""

    columns: tuple[Column, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    named: bool = False
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MlModel:
    """What the server needs of the file."""

    flavors: dict[str, dict[str, Any]]
    signature: Signature


def read(root: Path) -> MlModel:
    """Parse it, or say that it is damaged."""
    path = root / "MLmodel"
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        document = yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader
        flavors = {name: dict(flavor or {}) for name, flavor in document["flavors"].items()}
        signature = document.get("signature") or {}
        inputs = json.loads(signature.get("inputs") or "[]")
        params = json.loads(signature.get("params") or "[]")
        return MlModel(flavors, replace(_signature(inputs), params=tuple(str(spec["name"]) for spec in params)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f"The MLmodel file cannot be read ({first_line(error)}); log the model again.",
        ) from error


def _check_depth(text: str) -> None:
    """Its events come one by one; what the loader makes of them it makes on the stack, and of deep ones it dies."""
    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _signature(inputs: list[dict[str, Any]]) -> Signature:
    named = bool(inputs) and all("name" in spec for spec in inputs)
    if inputs and all(spec["type"] == "tensor" for spec in inputs):
        tensors = tuple(_tensor(spec, at) for at, spec in enumerate(inputs))
        return Signature(tensors=tensors, named=named)
    kinds = [_COLUMN_KINDS.get(spec["type"]) for spec in inputs]
    columns = tuple(
        Column(
            spec.get("name", f"feature_{at}"),
            kind,
            required=spec.get("required", not spec.get("optional", False)),
            text=Text.BASE64 if spec["type"] == "binary" else Text.UTF8,
        )
        for at, (spec, kind) in enumerate(zip(inputs, kinds, strict=True))
        if kind is not None
    )
    if len(columns) < len(inputs):  # arrays, objects, maps: the model itself must judge these
        return Signature()
    return Signature(columns=columns, named=named)


def _tensor(spec: dict[str, Any], at: int) -> Tensor:
    tensor = spec["tensor-spec"]
    name = spec.get("name", "input" if at == 0 else f"input-{at}")
    return Tensor(name, _TENSOR_KINDS.get(tensor["dtype"], Kind.BYTES), tuple(tensor["shape"]))


def schema(signature: Signature, packed: Kind | None) -> schemas.Schema | None:
    """The signature as a schema; `packed` is the type of the matrix that the model takes, if it takes one."""
    if signature.tensors:
        first = signature.tensors[0]
        if len(signature.tensors) == 1 and len(first.shape) == 2 and first.shape[1] > 0 and first.kind.is_number:
            return schemas.matrix(first.shape[1], packed or first.kind, first.name)
        return schemas.Tensors(signature.tensors)
    if not signature.columns:
        return None
    if signature.named:
        return schemas.named(signature.columns, packed)
    kinds = {column.kind for column in signature.columns}
    if packed or (len(kinds) == 1 and all(kind.is_number for kind in kinds)):
        return schemas.matrix(len(signature.columns), packed or kinds.pop())
    return None
