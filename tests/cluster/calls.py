"""A client that never stops calling: gRPC through the gateway at a steady rate, each call accounted for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import grpc

from ferrydemo import answer
from ferrydemo.answer import Answer, Window

GATEWAY = "127.0.0.1:30080"
RATE = 25.0
TIMEOUT = 5.0
METADATA = "/inference.GRPCInferenceService/ModelMetadata"
SERVER = "/inference.GRPCInferenceService/ServerMetadata"


def named(name: str) -> bytes:
    """Return a message whose first field is a short text: `ModelMetadataRequest`, whose it is the model's name."""
    return b"\x0a" + bytes([len(name)]) + name.encode()


def first_text(message: bytes) -> str:
    """Return the first field of a message, if it is a short text: of `ServerMetadataResponse`, the server's name."""
    return message[2 : 2 + message[1]].decode() if message[:1] == b"\x0a" else ""


class Calls:
    """Calls to one model, from when it is entered until it is left; answers name who gave them."""

    def __init__(self, host: str, model: str, *, rate: float = RATE, by_server: bool = False) -> None:
        self._model = model
        self._rate = rate
        self._by_server = by_server
        self._ended = threading.Event()
        self._answers: list[Answer] = []
        self._channel = grpc.insecure_channel(GATEWAY, options=[("grpc.default_authority", host)])
        self._callers = ThreadPoolExecutor(max_workers=32)
        self._clock = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._clock.join()
        self._callers.shutdown()
        self._channel.close()

    def after(self, since: float) -> list[Answer]:
        """Return what came of the calls that were due since a moment, in the order of the schedule."""
        found = [got for got in list(self._answers) if got.at >= since]
        return sorted(found, key=lambda got: got.number)

    def window(self, since: float) -> Window:
        """Add them up."""
        return answer.window(self.after(since), time.time() - since)

    def ask(self, **headers: str) -> Answer:
        """Make one call with metadata of one's own."""
        return self._asked(-1, time.time(), headers)

    def _run(self) -> None:
        began, number = time.time(), 0
        while not self._ended.wait(max(0.0, began + number / self._rate - time.time())):
            due = began + number / self._rate
            self._callers.submit(lambda number=number, due=due: self._answers.append(self._asked(number, due, {})))
            number += 1

    def _asked(self, number: int, due: float, headers: dict[str, str]) -> Answer:
        path, message = (SERVER, b"") if self._by_server else (METADATA, named(self._model))
        call = self._channel.unary_unary(path)
        try:
            body, told = call.with_call(message, timeout=TIMEOUT, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            fault = f"{error.code().name}: {error.details()}"
            return Answer(number, due, time.time() - due, 0, "", fault)
        known = dict(told.trailing_metadata())
        who = first_text(body) if self._by_server else known.get("x-ferryman-revision", "")
        return Answer(number, due, time.time() - due, 200, who, "" if who else "nobody said who answered")
