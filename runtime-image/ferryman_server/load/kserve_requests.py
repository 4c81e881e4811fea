"""A class is asked as KServe's own server would ask it, with KServe's own reading and writing of its protocols.

V1 brings it the decoded body, V2 and gRPC an `InferRequest`, with the request's headers, whatever its annotations say
(kserve 0.21: protocol/rest/v1_endpoints.py, v2_endpoints.py, protocol/grpc/servicer.py). What would fail there works
here: a class that reads V1's dict alone may be asked over V2, and JSON needs no content type.

Imported only where a class is served: it imports kserve.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import kserve  # type: ignore[import-untyped]
import numpy as np
import orjson
from google.protobuf.message import DecodeError
from kserve.protocol.dataplane import DataPlane  # type: ignore[import-untyped]
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest  # type: ignore[import-untyped]
from kserve.protocol.grpc.servicer import InferenceServicer  # type: ignore[import-untyped]
from kserve.protocol.rest.v2_datamodels import InferenceRequest  # type: ignore[import-untyped]
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from ferryman_server.dataplane import kind as kinds
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.guest import Asked, Told, TurnedDownError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.dataplane.schema import FREE
from ferryman_server.load import kserve_words as words
from ferryman_server.oip import raw
from ferryman_server.reason import first_line

_LENGTH = "inference-header-content-length"
_FORM = "application/x-www-form-urlencoded"  # what curl says of JSON when nobody told it
_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TYPES: dict[type, str] = {str: "text/plain; charset=utf-8", bytes: "application/octet-stream"}
_OURS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "x-request-id"})


class Request(kserve.InferRequest):  # type: ignore[misc]
    """V2's request, which a class that knows only V1 may read as V1's dict."""

    def __getitem__(self, key: str) -> Any:
        if key != "instances":
            raise KeyError(key)
        arrays = tuple(words.text(one.as_numpy()) for one in self.inputs)
        names = tuple(one.name for one in self.inputs) if len(arrays) > 1 else ()
        return words.instances(Rows(arrays, len(arrays[0]), names), FREE)["instances"]

    def __contains__(self, key: object) -> bool:
        return key == "instances"

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict has it."""
        return self["instances"] if key == "instances" else default


class Reception:
    """Belongs to the model's thread (dataplane.guest.Guest)."""

    def __init__(self, model: Any, runner: asyncio.Runner, name: str) -> None:
        self._model = model
        self._runner = runner
        self._name = name
        self._codec = DataPlane(kserve.ModelRepository())

    def answer(self, asked: Asked) -> Told:
        """What the class says."""
        return self._runner.run(self._answered(asked))

    async def _answered(self, asked: Asked) -> Told:
        if not await self._model.healthy():
            raise TurnedDownError(503, f'Model "{self._name}" says that it is not ready.')
        payload, attributes = self._read(asked)
        try:
            told = await self._model(payload, headers=dict(asked.headers))
            said, headers = told if isinstance(told, tuple) else (told, {})  # older ones tell no headers
            return self._written(asked, payload, said, dict(headers), attributes)
        except HTTPException as error:
            raise TurnedDownError(error.status_code, str(error.detail)) from error
        except NotImplementedError as error:
            raise TurnedDownError(501, first_line(error)) from error

    def _read(self, asked: Asked) -> tuple[Any, dict[str, Any]]:
        try:
            match asked.protocol:
                case "grpc":
                    call = ModelInferRequest.FromString(asked.body)
                    InferenceServicer.validate_grpc_request(call)
                    return Request.from_grpc(call), {}
                case "v2":
                    return self._tensors(asked), {}
                case _:
                    payload, attributes = self._codec.decode(asked.body, _typed(asked.headers))
                    return payload, attributes
        except DecodeError:
            raise InvalidInputError("The request is not a whole ModelInferRequest message.") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the body"
            raise InvalidInputError(f"The request cannot be read: {place}: {first['msg']}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"The request cannot be read: {first_line(error)}") from error

    def _tensors(self, asked: Asked) -> Any:
        length = asked.headers.get(_LENGTH)
        if length is None:
            return Request.from_inference_request(InferenceRequest.model_validate_json(asked.body), self._name)
        return Request.from_bytes(asked.body, int(length), self._name)

    def _written(
        self, asked: Asked, payload: Any, said: Any, headers: dict[str, Any], attributes: dict[str, Any]
    ) -> Told:
        if asked.protocol == "v1":
            body, more = self._codec.encode(self._name, said, _typed(asked.headers), attributes)
            return _told(body, headers | more)
        if not isinstance(said, kserve.InferResponse) and not _is_response(said):
            said = _response(words.answer(said), payload, self._name)
        if isinstance(said, kserve.InferResponse) and not said.model_version:
            said.model_version = asked.version
        if asked.protocol == "grpc":
            return Told(_message(said).SerializeToString())
        body, more = self._codec.encode(self._name, said, {}, {})
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if value is not None}
        return _told(body, headers | more)


def _typed(headers: Mapping[str, str | bytes]) -> dict[str, Any]:
    """KServe takes what is not called JSON for something else, and hands over bytes."""
    known = dict(headers)
    if str(known.get("content-type", "")).startswith((_FORM, "application/json")):
        known["content-type"] = "application/json"
    return known


def _is_response(said: Any) -> bool:
    """V2's answer as a dict or, for gRPC, as a message."""
    return "outputs" in said if isinstance(said, dict) else hasattr(said, "raw_output_contents")


def _response(answer: Answer, payload: Request, name: str) -> Any:
    """V1's predictions, or lists by name, in V2's words."""
    outputs = []
    for one, array in answer.items():
        kind = kinds.of(array)
        data: Any = raw.texts(array) if kind is Kind.BYTES else np.ascontiguousarray(array)
        outputs.append(kserve.InferOutput(one, list(array.shape), kind.value, data))
    return kserve.InferResponse(
        payload.id or "",
        name,
        outputs,
        use_binary_outputs=payload.use_binary_outputs,
        requested_outputs=payload.request_outputs,
    )


def _message(said: Any) -> Any:
    if isinstance(said, dict):
        said = kserve.InferResponse.from_rest(said)
    return said.to_grpc() if isinstance(said, kserve.InferResponse) else said


def _told(body: Any, headers: dict[str, Any]) -> Told:
    kept = {str(name).lower(): str(value) for name, value in headers.items() if str(name).lower() not in _OURS}
    for name, value in kept.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise RuntimeError(f"its response header {name!r} is none that HTTP can carry")
    if isinstance(body, AsyncIterator):
        raise RuntimeError("it answers with a stream, and streams are not served")
    content_type = kept.pop("content-type", _TYPES.get(type(body), "application/json"))
    written = body.encode() if isinstance(body, str) else body
    if not isinstance(written, bytes):
        written = orjson.dumps(written, option=_JSON)
    more = tuple((name.encode(), value.encode("latin-1")) for name, value in kept.items())
    return Told(written, content_type.encode("latin-1"), more)
