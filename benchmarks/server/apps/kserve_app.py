"""KServe's SDK with scikit-learn, as its own sklearnserver does it, and with every log line off.

That server is not on PyPI; its `predict` is this line, in a loop over the instances in some versions. By default
the SDK writes four log lines a request.
"""

import logging
import os
from typing import Any

import joblib
import kserve
from kserve.utils.utils import get_predict_input, get_predict_response


class Sklearn(kserve.Model):
    """One scikit-learn estimator."""

    def load(self) -> bool:
        """Open the file."""
        self._model = joblib.load(os.environ["BENCH_MODEL"])
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """V1 and V2 alike."""
        return get_predict_response(payload, self._model.predict(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    model = Sklearn("model")
    model.load()
    server = kserve.ModelServer(enable_latency_logging=False)
    logging.disable(logging.WARNING)
    logging.getLogger("uvicorn.access").handlers.clear()
    server.start([model])
