"""TensorFlow SavedModels, through the signature that TensorFlow Serving would use: the default, or what is asked for.

A SavedModel is a program: its operations may read and write files. It counts as code.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from ferryman_server import log
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model, Signature
from ferryman_server.dataplane.rows import Answer, Array, Rows
from ferryman_server.dataplane.schema import Tensor
from ferryman_server.dataplane.text import Text
from ferryman_server.load import context as contexts
from ferryman_server.load import inputs
from ferryman_server.reason import FatalError, Reason

FILE = "saved_model.pb"
SIGNATURE = "serving_default"
_KINDS = {str(kind.dtype): kind for kind in Kind if kind is not Kind.BYTES} | {
    "string": Kind.BYTES,
    "bfloat16": Kind.FP32,
}
_NOISE = ("Graph execution error", "Detected at", "[[", "<stack traces", "File ")


def load(directory: Path, context: contexts.Context) -> Model:
    """The model in a directory."""
    contexts.refuse_code(context, f'a SavedModel ("{directory.name}")')
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # it has much to say about processors
    import tensorflow  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    with contextlib.suppress(RuntimeError):  # it has computed before, in whoever's process this is
        tensorflow.config.threading.set_intra_op_parallelism_threads(context.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tensorflow.saved_model.load(str(directory))
    default = _default(loaded.signatures, context)
    nets = {default: _Net(tensorflow, loaded, loaded.signatures[default], context)}
    for name in sorted(set(loaded.signatures) - {default}):
        try:
            nets[name] = _Net(tensorflow, loaded, loaded.signatures[name], context)
        except FatalError as error:  # one that nobody asks for by default costs nobody the model
            log.line(f'Signature "{name}" cannot be asked for: {error.message}')
    net = nets[default]
    return Model(
        "tensorflow_savedmodel",
        net.signature.schema,
        lambda rows: nets[rows.signature or default].predict(rows),
        outputs=net.signature.outputs,
        packages={"tensorflow": tensorflow.__version__},
        batches=all(one.batches for one in nets.values()),
        quick=True,
        signatures={name: one.signature for name, one in nets.items()},
    )


class _Net:
    """A signature, and the model whose variables it uses: it does not keep them itself."""

    def __init__(self, tensorflow: Any, loaded: Any, function: Any, context: contexts.Context) -> None:
        self._tensorflow = tensorflow
        self._loaded = loaded
        self._function = function
        wanted, given = function.structured_input_signature[1], function.structured_outputs
        tensors = tuple(_tensor("Input", name, one, context) for name, one in wanted.items())
        if not tensors:
            raise FatalError(
                Reason.LOAD_FAILED,
                f'A signature of model "{context.model}" has no inputs; give it tensors with rows.',
            )
        outputs = tuple(_tensor("Output", name, one, context) for name, one in given.items())
        self._types = {name: one.dtype for name, one in wanted.items()}
        self.signature = Signature(inputs.schema(tensors), outputs)
        self.batches = inputs.batches((*tensors, *outputs))

    def predict(self, rows: Rows) -> Answer:
        """All of its outputs by name."""
        given = {
            name: self._tensorflow.constant(array, dtype=dtype)
            for (name, dtype), array in zip(
                self._types.items(), inputs.arrays(rows, self.signature.schema), strict=True
            )
        }
        try:
            answer = self._function(**given)
        except self._tensorflow.errors.InvalidArgumentError as error:
            raise InvalidInputError(f"The model does not take these values: {_said(error)}") from error
        return {name: self._array(name, value) for name, value in answer.items()}

    def _array(self, name: str, value: Any) -> Array:
        if value.dtype == self._tensorflow.bfloat16:  # NumPy knows none
            value = self._tensorflow.cast(value, self._tensorflow.float32)
        array = value.numpy()
        if value.dtype != self._tensorflow.string:
            return np.atleast_1d(array)
        # TensorFlow Serving writes as bytes what is called so, whatever it holds.
        found = [one if name.endswith("_bytes") else _text(one) for one in np.ravel(array).tolist()]
        return np.array(found, dtype=object).reshape(np.shape(array) or (1,))


def _default(signatures: Any, context: contexts.Context) -> str:
    """What the default signature is called: so, or as the only one is."""
    names = sorted(signatures)
    chosen = SIGNATURE if SIGNATURE in names else names[0] if len(names) == 1 else ""
    if not chosen:
        fact = (
            f"has the signatures {', '.join(names)}, and none is called {SIGNATURE}" if names else "has no signature"
        )
        raise FatalError(
            Reason.LOAD_FAILED,
            f'Model "{context.model}" {fact}; save it with signatures={{"{SIGNATURE}": ...}}.',
        )
    return chosen


def _tensor(what: str, name: str, spec: Any, context: contexts.Context) -> Tensor:
    kind = _KINDS.get(spec.dtype.name)
    if kind is None or not spec.shape.rank:
        fact = f"{spec.dtype.name} tensor" if kind is None else "tensor without rows"
        raise FatalError(
            Reason.LOAD_FAILED,
            f'{what} "{name}" of model "{context.model}" is a {fact}; give its signature tensors with rows, of '
            "numbers or text.",
        )
    return Tensor(name, kind, tuple(-1 if size is None else size for size in spec.shape.as_list()), Text.BYTES)


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _said(error: Any) -> str:
    """What a person can use of it: the line that is neither a frame nor a node."""
    lines = [line.strip() for line in str(error.message).splitlines()]
    useful = [line for line in lines if line and not line.startswith(_NOISE)]
    return (useful or lines or ["no more is known"])[0][:300]
