"""The gRPC port: the protocol's calls over our own HTTP/2, in the server's event loop, with nothing between.

gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): a call is a POST to /service/method, a message has five bytes
before it (compressed or not, and its length), and the status comes in trailers.
"""

import asyncio
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from ferryman_server import inflation, listen, metrics
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.grpc_api import calls, status
from ferryman_server.grpc_api.status import Code, Status
from ferryman_server.http2 import fields
from ferryman_server.http2.server import Server
from ferryman_server.http2.stream import Stream
from ferryman_server.serving import Serving
from ferryman_server.witness import Witness

SERVICE = "inference.GRPCInferenceService"
PROTOCOL = "grpc"
_PATH = f"/{SERVICE}/ModelInfer"
_CANCELLED = 499
_PREFIX = 5
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TYPE = (b"content-type", b"application/grpc")
_OK = (b":status", b"200")
_HEAD = fields.write(_OK, _TYPE, (b"grpc-accept-encoding", b"identity,gzip,deflate"))

_CALLS: dict[str, Callable[[Serving, bytes], Any]] = {
    "ServerLive": calls.server_live,
    "ServerReady": calls.server_ready,
    "ModelReady": calls.model_ready,
    "ServerMetadata": calls.server_metadata,
    "ModelMetadata": calls.model_metadata,
}


async def start(serving: Serving, measures: metrics.Metrics) -> Server:
    """Listen, before anything slow, so that a taken port is said at once."""
    contract = serving.settings
    listener = listen.on(
        contract.host,
        contract.grpc_port,
        f"Port {contract.grpc_port} cannot be listened on for gRPC ({{why}}); free it, or set FERRYMAN_GRPC_PORT "
        "(0 for none).",
    )
    server = Server(Calls(serving, measures), contract.max_connections)
    await server.listen(listener)
    return server


class Calls:
    """Answers whole requests (http2.session.Service)."""

    def __init__(self, serving: Serving, measures: metrics.Metrics) -> None:
        self._serving = serving
        self._measures = measures
        self.most_bytes = serving.settings.max_body_bytes + _PREFIX
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._revision = (b"x-ferryman-revision", serving.settings.revision.encode())
        self._fine = fields.write((b"grpc-status", b"0"), self._revision)
        self._told = {f"/{SERVICE}/{name}".encode(): call for name, call in _CALLS.items()}
        self._infers = _PATH.encode()

    def whole(self, stream: Stream) -> None:
        """Answer at once what can be, and the rest when the model has."""
        asked = stream.fields
        path = asked[b":path"]
        if path == self._infers and asked[b":method"] == b"POST":
            self._infer(stream)
            return
        refusal = self._foreign(asked)
        if refusal is not None:
            stream.refuse(refusal)
            return
        try:
            told = self._told[path](self._serving, _message(stream, self.most_bytes)).SerializeToString()
        except Exception as error:  # noqa: BLE001 - the last door before asyncio's own stack trace
            self._refuse(stream, status.of(error, _request_id(stream)))
        else:
            stream.answer(_HEAD, _framed(told), self._fine)

    def too_large(self, stream: Stream) -> None:
        """Say so, and do not wait for the rest."""
        most = self._serving.settings.max_body_bytes
        told = f"The message may have {most} bytes, and it has more; send fewer rows at a time."
        self._break_off(stream, Status(Code.RESOURCE_EXHAUSTED, 413, told))

    def too_slow(self, stream: Stream) -> None:
        """The same."""
        told = "Nothing came of the message for a minute, and it is not whole; send it again."
        self._break_off(stream, Status(Code.DEADLINE_EXCEEDED, 408, told))

    def _break_off(self, stream: Stream, ended: Status) -> None:
        if stream.fields[b":path"] == self._infers:
            self._measures.began(PROTOCOL)
            self._measures.ended(PROTOCOL, ended.http, 0.0)
        self._refuse(stream, ended)

    def _foreign(self, asked: fields.Fields) -> bytes | None:
        """What somebody is told who speaks something else, or asks for a call that is not here."""
        if asked[b":method"] != b"POST":
            return fields.write((b":status", b"405"), (b"allow", b"POST"))
        if not asked.get(b"content-type", b"").startswith(b"application/grpc"):
            return fields.write((b":status", b"415"), (b"accept", b"application/grpc"))
        if asked[b":path"] not in self._told:
            path = asked[b":path"].decode("latin-1")[:200]
            return self._ended(Status(Code.UNIMPLEMENTED, 404, f"{path} is not here; {SERVICE} is."))
        return None

    # --- predictions ---

    def _infer(self, stream: Stream) -> None:
        self._measures.began(PROTOCOL)
        began = time.perf_counter()
        witnesses = self._serving.witnesses
        witness = None if witnesses is None else witnesses.of(PROTOCOL, _PATH, stream.fields)
        try:
            if not stream.fields.get(b"content-type", b"").startswith(b"application/grpc"):
                raise InvalidInputError("The content type must be application/grpc.")
            prediction = calls.prediction(self._serving, _message(stream, self.most_bytes), stream.fields, witness)
        except Exception as error:  # noqa: BLE001 - the last door before asyncio's own stack trace
            self._over(self._reply(stream, error), began, witness)
            return

        def then(outcome: bytes | Exception) -> None:
            self._over(self._reply(stream, outcome), began, None)

        # who is alone on a connection is known by it
        asker = stream.session if stream.alone else stream
        if witness is not None or not prediction.soon(asker, then):
            self._await(stream, prediction, began, witness)

    def settle(self) -> None:
        """Answer now whoever waits for the end of this turn of the event loop."""
        if self._serving.plane is not None:
            self._serving.plane.settle()

    def _reply(self, stream: Stream, outcome: bytes | Exception) -> int:
        if isinstance(outcome, Exception):
            return self._refuse(stream, status.of(outcome, _request_id(stream)))
        stream.answer(_HEAD, _framed(outcome), self._fine)
        return 200

    def _over(self, code: int, began: float, witness: Witness | None) -> None:
        self._measures.ended(PROTOCOL, code, time.perf_counter() - began)
        if witness is not None:
            witness.ended(code)

    def _await(self, stream: Stream, prediction: calls.Prediction, began: float, witness: Witness | None) -> None:
        """Let the model come to it. A client that leaves, or a deadline, takes its rows out of the queue."""
        task = self._loop.create_task(self._later(stream, prediction, began, witness))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def given_up() -> None:
            task.cancel()

        stream.gone = given_up

    async def _later(
        self, stream: Stream, prediction: calls.Prediction, began: float, witness: Witness | None
    ) -> None:
        code = _CANCELLED
        try:
            async with asyncio.timeout(_timeout(stream)):
                answer = await prediction.answer()
            stream.answer(_HEAD, _framed(answer), self._fine)
            code = 200
        except TimeoutError:
            code = self._refuse(stream, Status(Code.DEADLINE_EXCEEDED, 504, "The call's deadline has passed."))
        except Exception as error:  # noqa: BLE001 - the last door before asyncio's own stack trace
            code = self._refuse(stream, status.of(error, _request_id(stream)))
        finally:
            self._over(code, began, witness)

    # --- refusals ---

    def _refuse(self, stream: Stream, ended: Status) -> int:
        stream.refuse(self._ended(ended))
        return ended.http

    def _ended(self, ended: Status) -> bytes:
        more = ((name.encode(), value.encode("latin-1", "replace")) for name, value in ended.trailers)
        message = urllib.parse.quote(ended.message, safe=_PLAIN).encode()
        told = ((b"grpc-status", str(ended.code.value).encode()), (b"grpc-message", message))
        return fields.write(_OK, _TYPE, *told, self._revision, *more)


_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""What stands for itself in a grpc-message."""


def _framed(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _message(stream: Stream, most_bytes: int) -> bytes:
    """The one message of a call."""
    body = stream.body
    if len(body) < _PREFIX or int.from_bytes(body[1:_PREFIX], "big") != len(body) - _PREFIX:
        raise InvalidInputError("The body must be one message, five bytes of head and as many as they say.")
    if not body[0]:
        return body[_PREFIX:]
    return _inflated(body[_PREFIX:], stream.fields.get(b"grpc-encoding", b""), most_bytes)


def _inflated(message: bytes, coding: bytes, most: int) -> bytes:
    if coding not in inflation.WINDOW_BITS:
        raise status.UnknownEncodingError(
            f'The message is compressed with "{coding.decode("latin-1")[:40]}"; known are gzip and deflate.'
        )
    try:
        return inflation.inflated(message, coding, most)
    except inflation.UnreadableError:
        raise InvalidInputError("The message is compressed, and cannot be read.") from None
    except inflation.TooLongError as error:
        raise status.TooLargeError(
            f"The message may have {error.most - _PREFIX} bytes when it is unpacked."
        ) from None


def _timeout(stream: Stream) -> float | None:
    """Seconds until the client gives up, if it said so."""
    given = stream.fields.get(b"grpc-timeout", b"")
    unit = _UNITS.get(given[-1:])
    return int(given[:-1]) * unit if unit and given[:-1].isdigit() and len(given) <= 9 else None


def _request_id(stream: Stream) -> str:
    return stream.fields.get(b"x-request-id", b"").decode("latin-1")
