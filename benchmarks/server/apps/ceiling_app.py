"""As fast as Python gets without being a model server: raw ASGI, msgspec, ONNX Runtime; no check, no metric.

For uvicorn. `onnx` predicts; `echo` reads the body and answers the same bytes each time: what HTTP alone costs.
"""

import os
from typing import Any

import msgspec
import numpy as np
import onnxruntime


class Question(msgspec.Struct):
    """Rows of numbers."""

    instances: list[list[float]]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
decode, encode = msgspec.json.Decoder(Question).decode, msgspec.json.Encoder().encode
given, label = session.get_inputs()[0].name, session.get_outputs()[0].name
ECHO = b'{"predictions":[0]}'


async def _answer(send: Any, body: bytes) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    event = await receive()
    body: bytes = event["body"]
    while event.get("more_body"):
        event = await receive()
        body += event["body"]
    return body


async def onnx(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """JSON to a matrix, through the session, to JSON."""
    if scope["method"] == "GET":
        return await _answer(send, ECHO)
    rows = np.array(decode(await _body(receive)).instances, dtype=np.float32)
    return await _answer(send, encode({"predictions": session.run([label], {given: rows})[0].tolist()}))


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """HTTP and nothing else."""
    await _body(receive)
    await _answer(send, ECHO)
