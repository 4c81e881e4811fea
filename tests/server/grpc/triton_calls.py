"""What Triton's gRPC client says when it is asked everything; run as a program, with the server's address."""

import json
import sys

import numpy as np
from tritonclient import grpc as triton
from tritonclient.utils import InferenceServerException

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2], [6.3, 3.3, 6.0, 2.5]]


def main(address: str) -> None:
    client = triton.InferenceServerClient(address)
    given = triton.InferInput("X", [3, 4], "FP32")
    given.set_data_from_numpy(np.array(FLOWERS, dtype=np.float32))
    everything = client.infer("iris", [given], model_version="7", request_id="1")
    chosen = client.infer("iris", [given], outputs=[triton.InferRequestedOutput("probabilities")])
    assert everything.as_numpy("probabilities") is not None
    assert chosen.as_numpy("label") is None
    try:
        client.infer("rose", [given])
    except InferenceServerException as error:
        unknown = [error.status(), error.message()]
    json.dump(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("iris", "7"),
            "server": client.get_server_metadata(as_json=True),
            "metadata": client.get_model_metadata("iris", as_json=True),
            "labels": everything.as_numpy("label").tolist(),
            "asked_for": list(chosen.as_numpy("probabilities").shape),
            "unknown": unknown,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
