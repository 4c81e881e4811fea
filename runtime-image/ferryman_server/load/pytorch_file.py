"""PyTorch nets without the Python that made them: exported programs (`torch.export`) and TorchScript archives.

Both count as code. `torch.jit.load` says of itself that a made-up archive can run anything, and `torch.export.load`
opens weights and example inputs with a pickle that takes everything, whatever `torch.load` itself refuses by now.
"""

import enum
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Schema, Tensor
from ferryman_server.load import context as contexts
from ferryman_server.load import inputs, mlmodel, observed
from ferryman_server.reason import FatalError, Reason, first_line

_KINDS = {f"torch.{kind.dtype}": kind for kind in Kind if kind is not Kind.BYTES} | {"torch.bfloat16": Kind.FP32}


class Archive(enum.Enum):
    """What a file of PyTorch is."""

    EXPORTED = enum.auto()
    SCRIPT = enum.auto()
    PICKLE = enum.auto()


def archive(path: Path) -> Archive | None:
    """By the names in it; nothing is opened. None if it is damaged, or something else."""
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.partition("/")[2] or name for name in file.namelist()]
    except (OSError, zipfile.BadZipFile):
        return None
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return Archive.EXPORTED
    if "constants.pkl" in names:
        return Archive.SCRIPT
    return Archive.PICKLE if "data.pkl" in names else None


def load(path: Path, context: contexts.Context) -> Model:
    """The net in a file, on the best device that this machine has."""
    contexts.refuse_code(context, f'a PyTorch archive ("{path.name}")')
    found = archive(path)
    if found is None:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" is no archive of PyTorch, or damaged; upload it again.',
        )
    if found is Archive.PICKLE:
        raise FatalError(
            Reason.LOAD_FAILED,
            f'File "{path.name}" of model "{context.model}" was written by torch.save() and is nothing without the '
            "Python class of its net; save it with torch.export.save() or torch.jit.save().",
        )
    import torch  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    torch.set_num_threads(context.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return (_exported if found is Archive.EXPORTED else _script)(torch, path, device, context)


# --- torch.export ---------------------------------------------------------------------------------


def _exported(torch: Any, path: Path, device: str, context: contexts.Context) -> Model:
    """Its graph tells each input's type and shape, and which sizes are free."""
    program = torch.export.load(path)
    if device != "cpu":
        program = torch.export.passes.move_to_device_pass(program, device)
    wanted = set(program.graph_signature.user_inputs)
    places = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    tensors = tuple(_declared(torch, node, context) for node in places)
    schema = inputs.schema(tensors)
    types = [node.meta["val"].dtype for node in places]
    unflatten, shape = torch.utils._pytree.tree_unflatten, program.call_spec.in_spec
    run = program.module()

    def ask(given: list[Any]) -> Any:
        arguments, named = unflatten(given, shape)
        return run(*arguments, **named)

    def predict(rows: Rows) -> Answer:
        given = [
            _given(torch, array, device, dtype)
            for array, dtype in zip(inputs.arrays(rows, schema), types, strict=True)
        ]
        with torch.inference_mode():
            return _answer(torch, ask(given))

    return _model(torch, schema, predict, batches=inputs.batches(tensors))


def _declared(torch: Any, node: Any, context: contexts.Context) -> Tensor:
    value = node.meta.get("val")
    kind = _KINDS.get(str(value.dtype)) if isinstance(value, torch.Tensor) else None
    if kind is None or not value.shape:
        what = "a number alone" if isinstance(value, torch.Tensor) and kind else f"a {type(value).__name__}"
        raise FatalError(
            Reason.LOAD_FAILED,
            f'Input "{node.name}" of model "{context.model}" is {what}; only tensors with rows can be sent here.',
        )
    return Tensor(node.name, kind, tuple(size if isinstance(size, int) else -1 for size in value.shape))


# --- TorchScript ----------------------------------------------------------------------------------


def _script(torch: Any, path: Path, device: str, context: contexts.Context) -> Model:
    """Its program tells the names of its inputs alone; their types come from MLflow's signature or known rows."""
    net = torch.jit.load(path, map_location=device).eval()
    names = _names(net, path, context)
    real = next((one.dtype for one in (*net.parameters(), *net.buffers()) if one.is_floating_point()), torch.float32)
    kind = _KINDS[str(real)]
    schema = signed(context) or observed.schema(names, kind, context) or schemas.FREE
    free = schema == schemas.FREE

    def predict(rows: Rows) -> Answer:
        given = [_given(torch, array, device, real) for array in _ordered(rows, names, schema)]
        try:
            with torch.inference_mode():
                return _answer(torch, net(*given))
        except RuntimeError as error:
            if free and not isinstance(error, torch.OutOfMemoryError):  # nobody else could have told the client
                raise InvalidInputError(f"The model does not take this input: {_last_line(error)}") from error
            raise

    return _model(torch, schema, predict)


def signed(context: contexts.Context) -> Schema | None:
    """MLflow's signature, where it speaks of tensors."""
    return mlmodel.schema(context.signature, None) if context.signature.tensors else None


def _names(net: Any, path: Path, context: contexts.Context) -> tuple[str, ...]:
    arguments = net.forward.schema.arguments[1:] if hasattr(net, "forward") else []
    wanted = [one for one in arguments if not one.has_default_value()]
    odd = [f"{one.name} ({one.type})" for one in wanted if str(one.type) != "Tensor"]
    if odd or not wanted:
        fact = f"asks for {', '.join(odd)}" if odd else "takes no tensor"
        raise FatalError(
            Reason.LOAD_FAILED,
            f'"{path.name}" of model "{context.model}": forward() {fact}; only tensors can be sent to this server.',
        )
    return tuple(one.name for one in wanted)


def _ordered(rows: Rows, names: tuple[str, ...], schema: Schema) -> Sequence[Array]:
    """By name where the client named its tensors, else in their order."""
    if len(rows.arrays) != len(names):
        raise InvalidInputError(
            f"The model takes {len(names)} tensor(s) ({', '.join(names)}), got {len(rows.arrays)}."
        )
    if rows.names and set(rows.names) == set(names):
        return [rows.arrays[rows.names.index(name)] for name in names]
    return inputs.arrays(rows, schema)


# --- both -----------------------------------------------------------------------------------------


def _given(torch: Any, array: Array, device: str, real: Any) -> Any:
    """An array as a tensor; real numbers in the type that the net counts in."""
    if array.dtype == object:
        raise InvalidInputError("The model takes numbers, and got text or mixed values.")
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device=device, dtype=real if tensor.is_floating_point() else None)


def _answer(torch: Any, given: Any) -> Answer:
    match given:
        case dict():
            return {str(name): _array(torch, value) for name, value in given.items()}
        case tuple() | list():
            return {f"output_{at}": _array(torch, value) for at, value in enumerate(given)}
        case _:
            return {"predict": _array(torch, given)}


def _array(torch: Any, tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"the net answers with a {type(tensor).__name__}, not with tensors")
    tame = tensor.float() if tensor.dtype == torch.bfloat16 else tensor  # NumPy knows no bfloat16
    return np.atleast_1d(tame.cpu().numpy())


def _last_line(error: BaseException) -> str:
    """What TorchScript's traces end with."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else first_line(error)


def _model(torch: Any, schema: Schema, predict: Callable[[Rows], Answer], *, batches: bool = True) -> Model:
    return Model("pytorch", schema, predict, packages={"torch": torch.__version__}, batches=batches, quick=True)
