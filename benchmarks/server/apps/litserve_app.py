"""LitServe with scikit-learn, in the way its README shows."""

import os
from typing import Any

import joblib
import litserve
import numpy as np


class Sklearn(litserve.LitAPI):
    """One scikit-learn estimator."""

    def setup(self, device: str) -> None:
        """Open the file."""
        self._model = joblib.load(os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict[str, Any]) -> Any:
        """JSON to a matrix."""
        return np.asarray(request["instances"])

    def predict(self, x: Any) -> Any:
        """Ask the model."""
        return self._model.predict(x)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """Classes to JSON."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Sklearn(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="error", generate_client_file=False)
