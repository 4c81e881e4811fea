"""The six calls of the protocol: bytes to a message, the message to the data plane, its answer to bytes.

What goes wrong leaves as `Refused`: a status of gRPC and the sentence that REST would tell.
"""

from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.guest import Asked
from ferryman_server.dataplane.plane import DataPlane, meaning
from ferryman_server.dataplane.rows import Answer
from ferryman_server.grpc_api import contents, metadata
from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.grpc_api.status import NoSuchModelError, NotYetError
from ferryman_server.http2.fields import Fields
from ferryman_server.oip import about, inputs, outputs, raw, tensors
from ferryman_server.oip.tensors import Sent
from ferryman_server.serving import Serving
from ferryman_server.witness import Witness


def server_live(_serving: Serving, _body: bytes) -> Any:
    """The process answers; that is all."""
    return messages.ServerLiveResponse(live=True)


def server_ready(serving: Serving, _body: bytes) -> Any:
    """Whether new requests should come here."""
    return messages.ServerReadyResponse(ready=serving.ready)


def model_ready(serving: Serving, body: bytes) -> Any:
    """The same, for a model that must be the one that is served."""
    asked = _parsed(messages.ModelReadyRequest, body)
    _known(serving, asked.name, asked.version)
    return messages.ModelReadyResponse(ready=serving.ready)


def server_metadata(_serving: Serving, _body: bytes) -> Any:
    """Who we are."""
    return messages.ServerMetadataResponse(**about.server())


def model_metadata(serving: Serving, body: bytes) -> Any:
    """What the model takes and gives; the protocol's message has no room for the rest."""
    asked = _parsed(messages.ModelMetadataRequest, body)
    _known(serving, asked.name, asked.version)
    if serving.plane is None:
        raise NotYetError(serving.sentence())
    told = about.model(serving.plane.model, serving)
    return messages.ModelMetadataResponse(
        name=told["name"],
        versions=told["versions"],
        platform=told["platform"],
        inputs=[_described(one) for one in told["inputs"]],
        outputs=[_described(one) for one in told["outputs"]],
    )


def _described(tensor: dict[str, Any]) -> dict[str, Any]:
    return {key: tensor[key] for key in ("name", "datatype", "shape")}


Then = Callable[[bytes | Exception], None]
"""What is done with an answer, or with what is wrong."""


class Prediction(Protocol):
    """Made when a call is whole: what is wrong with it is said then."""

    def soon(self, asker: object, then: Then) -> bool:
        """Whether `then` has the outcome before the event loop waits again."""

    async def answer(self) -> bytes:
        """The answer, when the model has come to it."""


def prediction(serving: Serving, body: bytes, fields: Fields, witness: Witness | None) -> Prediction:
    """Of the model that is served, for one call."""
    asked = _parsed(messages.ModelInferRequest, body)
    _known(serving, asked.model_name, asked.model_version)
    plane = serving.plane
    if plane is None or not serving.answers:
        raise NotYetError(serving.sentence())
    if witness is not None:
        plane = witness.plane(plane, body)
    if plane.guest is not None:
        return Visit(plane, Asked("grpc", body, metadata.of(fields), serving.settings.model_version))
    return Inference(serving, plane, asked)


class Visit:
    """A prediction of a model that reads calls for itself."""

    def __init__(self, plane: DataPlane, asked: Asked) -> None:
        self._plane = plane
        self._asked = asked

    def soon(self, _asker: object, _then: Then) -> bool:
        """It is asked in its own thread."""
        return False

    async def answer(self) -> bytes:
        """Its answer, which is a message already."""
        return (await self._plane.ask(self._asked)).body


class Inference:
    """A prediction for rows; raw if it was asked for raw."""

    def __init__(self, serving: Serving, plane: DataPlane, asked: Any) -> None:
        self._asked = asked
        self._serving = serving
        self._plane = plane
        self._rows = inputs.rows(plane.model.schema, _inputs(asked))

    def soon(self, asker: object, then: Then) -> bool:
        """Whether `then` has the outcome before the event loop waits again."""
        return self._plane.soon(self._rows, asker, lambda outcome: then(self._outcome(outcome)))

    async def answer(self) -> bytes:
        """The answer, when the model has come to it."""
        return self._written(await self._plane.predict(self._rows))

    def _outcome(self, outcome: Answer | Exception) -> bytes | Exception:
        if isinstance(outcome, Exception):
            return meaning(outcome)
        try:
            return self._written(outcome)
        except Exception as error:  # noqa: BLE001 - an output that was asked for, and is not there
            return error

    def _written(self, answer: Answer) -> bytes:
        chosen = outputs.chosen(answer, [one.name for one in self._asked.outputs])
        written: bytes = _reply(self._serving, self._asked, chosen).SerializeToString()
        return written


def _inputs(asked: Any) -> list[Sent]:
    raws, given = asked.raw_input_contents, asked.inputs
    if raws and len(raws) != len(given):
        raise InvalidInputError(
            f'"raw_input_contents" must have one entry for each of the {len(given)} inputs, got {len(raws)}.'
        )
    found = []
    for at, one in enumerate(given):
        name = one.name
        kind, shape = tensors.kind(name, one.datatype), tensors.shape(name, list(one.shape))
        if not raws:
            found.append(contents.read(name, kind, shape, one.contents))
        elif one.HasField("contents"):
            raise InvalidInputError(f'Input "{name}" has its values twice: in "contents" and raw; send one of them.')
        else:
            found.append(raw.read(name, kind, shape, raws[at]))
    return found


def _reply(serving: Serving, asked: Any, answer: Answer) -> Any:
    reply = messages.ModelInferResponse(
        model_name=asked.model_name, model_version=serving.settings.model_version, id=asked.id
    )
    typed = None if asked.raw_input_contents else _typed(answer)
    for at, (name, array) in enumerate(answer.items()):
        lists = {"contents": typed[at]} if typed else {}
        reply.outputs.add(name=name, datatype=kinds.of(array).value, shape=array.shape, **lists)
    if typed is None:
        reply.raw_output_contents.extend([raw.write(array) for array in answer.values()])
    return reply


def _typed(answer: Answer) -> list[dict[str, Any]] | None:
    """All outputs as typed lists, or None where one has no list: an answer is one or the other as a whole."""
    written = [contents.write(array, kinds.of(array)) for array in answer.values()]
    found = [one for one in written if one is not None]
    return found if len(found) == len(written) else None


def _parsed(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError:
        raise InvalidInputError(f"The request is not a whole {message.DESCRIPTOR.name} message.") from None


def _known(serving: Serving, name: str, version: str) -> None:
    lacks = serving.lacks(name, version or None)
    if lacks:
        raise NoSuchModelError(lacks)
