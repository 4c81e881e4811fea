"""The gRPC port: grpc.aio in the server's own event loop, with generic handlers and nothing between.

Requests arrive as bytes and are parsed here, so that a broken one gets a sentence and not gRPC's stack trace.
"""

import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ferryman_server import metrics, reason
from ferryman_server import settings as contracts
from ferryman_server.grpc_api import calls, status
from ferryman_server.serving import Serving

SERVICE = "inference.GRPCInferenceService"
PROTOCOL = "grpc"
_CANCELLED = 499

Handler = Callable[[bytes, Any], Awaitable[bytes]]

_CALLS: dict[str, Callable[[Serving, bytes], Any]] = {
    "ServerLive": calls.server_live,
    "ServerReady": calls.server_ready,
    "ModelReady": calls.model_ready,
    "ServerMetadata": calls.server_metadata,
    "ModelMetadata": calls.model_metadata,
}


async def start(serving: Serving, measures: metrics.Metrics) -> grpc.aio.Server:
    """Listen, before anything slow, so that a taken port is said at once."""
    contract = serving.settings
    options = [
        ("grpc.max_receive_message_length", contract.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # two servers on one port would each get half of the clients
    ]
    server = grpc.aio.server(options=options)
    handlers = {name: _handler(_told(serving, call)) for name, call in _CALLS.items()}
    handlers["ModelInfer"] = _handler(_predicts(serving, measures))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    try:
        server.add_insecure_port(_address(contract))
    except RuntimeError as error:
        raise reason.FatalError(
            reason.Reason.LOAD_FAILED,
            f"Port {contract.grpc_port} cannot be listened on for gRPC; free it, or set FERRYMAN_GRPC_PORT "
            "(0 for none).",
        ) from error
    await server.start()
    return server


def _address(contract: contracts.Settings) -> str:
    host = contract.host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 - all of the pod's
    return f"[{host}]:{contract.grpc_port}" if ":" in host else f"{host}:{contract.grpc_port}"


def _handler(answer: Handler) -> Any:
    return grpc.unary_unary_rpc_method_handler(answer)  # no (de)serialisers: bytes in, bytes out


def _told(serving: Serving, call: Callable[[Serving, bytes], Any]) -> Handler:
    """A call that is no prediction."""

    async def answer(body: bytes, context: Any) -> bytes:
        try:
            told: bytes = call(serving, body).SerializeToString()
        except Exception as error:  # the last door before gRPC's own stack trace
            await _end(context, status.of(error, _request_id(context)))
            raise
        return told

    return answer


def _predicts(serving: Serving, measures: metrics.Metrics) -> Handler:
    """The prediction, counted.

    A call that its client gave up, or whose deadline is past, is cancelled here, and its rows with it: they never
    reach the model.
    """
    trailers = (("x-ferryman-revision", serving.settings.revision),)

    async def answer(body: bytes, context: Any) -> bytes:
        measures.began(PROTOCOL)
        began = time.perf_counter()
        code = _CANCELLED
        try:
            context.set_trailing_metadata(trailers)
            reply: bytes = (await calls.model_infer(serving, body)).SerializeToString()
            code = 200
        except Exception as error:  # the last door before gRPC's own stack trace
            ended = status.of(error, _request_id(context))
            code = ended.http
            await _end(context, ended, trailers)
            raise
        finally:
            measures.ended(PROTOCOL, code, time.perf_counter() - began)
        return reply

    return answer


async def _end(context: Any, ended: status.Status, trailers: tuple[tuple[str, str], ...] = ()) -> None:
    await context.abort(ended.code, ended.message, (*trailers, *ended.trailers))


def _request_id(context: Any) -> str:
    given = dict(context.invocation_metadata() or ()).get("x-request-id", "")
    return given if isinstance(given, str) else ""
