"""ONNX graphs through ONNX Runtime: no pandas, no scikit-learn, no code from the artefact."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import Schema, Table, Tensor
from ferryman_server.load import context as contexts
from ferryman_server.load import inputs
from ferryman_server.optimize.attempt import reduced
from ferryman_server.reason import FatalError, Reason, first_line

_KINDS = {
    "tensor(bool)": Kind.BOOL,
    "tensor(float16)": Kind.FP16,
    "tensor(float)": Kind.FP32,
    "tensor(double)": Kind.FP64,
    "tensor(string)": Kind.BYTES,
} | {f"tensor({kind.value.lower()})": kind for kind in Kind if kind.is_integer}
_PREFERRED = ("CUDAExecutionProvider", "CPUExecutionProvider")
_ONLY_ERRORS = 3


def load(path: Path, context: contexts.Context) -> Model:
    """The graph in a file; its inputs and outputs are named and typed by itself."""
    import onnxruntime  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    graph, optimization = reduced(path, context) if context.precision else (None, None)
    try:
        opened = session(graph or path, context.threads)
    except Exception as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f'File "{path.name}" of model "{context.model}" is not a graph that ONNX Runtime '
            f"{onnxruntime.__version__} can run ({first_line(error)}); export it again.",
        ) from error
    return dataclasses.replace(wrap(opened, context), optimization=optimization)


def wrap(graph: Any, context: contexts.Context) -> Model:
    """A session as a model."""
    import onnxruntime  # noqa: PLC0415

    tensors = tuple(_tensor(one, context) for one in graph.get_inputs())
    outputs = tuple(one.name for one in graph.get_outputs())
    schema = inputs.schema(tensors)
    return Model(
        "onnx_onnxv1",
        schema,
        _predictor(graph, tuple(tensor.name for tensor in tensors), outputs, schema),
        outputs=tuple(_output(one) for one in graph.get_outputs()),
        packages={"onnxruntime": onnxruntime.__version__},
        batches=_by_rows(graph),
        quick=True,
    )


def _by_rows(graph: Any) -> bool:
    """Whether all that goes in and comes out has the same open size first: rows, as far as a graph can say.

    An answer without it may be made of all rows at once, and then it would tell one client of another's.
    """
    told = [one for one in graph.get_outputs() if one.type in _KINDS]  # the others are ZipMaps: a map a row
    first = {one.shape[0] if one.shape else 0 for one in (*graph.get_inputs(), *told)}
    return len(first) == 1 and not any(isinstance(size, int) for size in first)


def session(graph: Path | bytes, threads: int) -> Any:
    """A graph, ready to run on the best that this machine has."""
    import onnxruntime  # noqa: PLC0415

    return onnxruntime.InferenceSession(graph, _options(onnxruntime, threads), _providers(onnxruntime))


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    # Spinning burns the one core that the event loop needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(onnxruntime: Any) -> list[str]:
    available = onnxruntime.get_available_providers()
    if _PREFERRED[0] in available:
        onnxruntime.preload_dlls()  # CUDA comes as Python packages, where the system's linker does not look
    return [name for name in _PREFERRED if name in available]


def _tensor(described: Any, context: contexts.Context) -> Tensor:
    kind = _KINDS.get(described.type)
    if kind is None:
        raise FatalError(
            Reason.LOAD_FAILED,
            f'Input "{described.name}" of model "{context.model}" is a {described.type}; '
            "only tensors can be sent to this server.",
        )
    return Tensor(described.name, kind, _shape(described.shape))


def _output(described: Any) -> Tensor:
    kind = _KINDS.get(described.type)
    if kind is None:  # ZipMap: a list of maps from class to probability, given as a matrix
        return Tensor(described.name, Kind.FP32, (-1, -1))
    return Tensor(described.name, kind, _shape(described.shape))


def _shape(given: list[Any]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else -1 for size in given)


def _predictor(session: Any, names: tuple[str, ...], outputs: tuple[str, ...], schema: Schema) -> Any:
    columns = isinstance(schema, Table) and not schema.packed

    def predict(rows: Rows) -> Answer:
        arrays = inputs.arrays(rows, schema) if columns else rows.arrays
        answers = session.run(None, dict(zip(names, arrays, strict=True)))
        return {name: _array(answer) for name, answer in zip(outputs, answers, strict=True)}

    return predict


def _array(answer: Any) -> Any:
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        classes = sorted(answer[0])
        return np.array([[row[one] for one in classes] for row in answer], dtype=np.float32)
    return np.asarray(answer)
