"""A client of the protocol that says anything, also what no decent client would."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from ferryman_server.grpc_api import inference_pb2 as messages
from ferryman_server.grpc_api.server import SERVICE

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]


class Client:
    """Bytes or messages in; a message out, or how the call ended."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def call(self, name: str, request: Any, **how: Any) -> grpc.aio.UnaryUnaryCall:
        content = request if isinstance(request, bytes) else request.SerializeToString()
        reply = getattr(messages, f"{name}Response").FromString
        return self._channel.unary_unary(f"/{SERVICE}/{name}", response_deserializer=reply)(content, **how)

    async def infer(self, request: Any, **how: Any) -> Any:
        return await self.call("ModelInfer", request, **how)

    async def ended(self, name: str, request: Any, **how: Any) -> tuple[grpc.StatusCode, str]:
        call = self.call(name, request, **how)
        return await call.code(), await call.details()


@contextlib.asynccontextmanager
async def client(address: str) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        yield Client(channel)


def request(*inputs: dict[str, Any], raw: list[bytes] | None = None, **more: Any) -> Any:
    """A ModelInferRequest; an input's contents as keyword arguments of its own."""
    return messages.ModelInferRequest(
        **{"model_name": "iris", "inputs": inputs, "raw_input_contents": raw or [], **more}
    )
