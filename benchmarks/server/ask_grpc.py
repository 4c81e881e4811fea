"""Asks a gRPC server one request that lies in a file, and prints the classes it answers.

Runs in the server's environment, which has the messages:

python -m benchmarks.server.ask_grpc 127.0.0.1:8081 request.bin
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import grpc
import numpy as np
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def ask(address: str, request: bytes) -> list[int]:
    """Return one class a row, from raw bytes or from typed contents: servers may choose."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(METHOD, response_deserializer=messages.ModelInferResponse.FromString)
        answer = call(request, timeout=20)
    raw = list(answer.raw_output_contents)
    return np.frombuffer(raw[0], dtype="<i8").tolist() if raw else list(answer.outputs[0].contents.int64_contents)


if __name__ == "__main__":
    try:
        print(json.dumps(ask(sys.argv[1], Path(sys.argv[2]).read_bytes())))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
