"""BentoML with scikit-learn, in the way its documentation shows."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Sklearn:
    """One scikit-learn estimator."""

    def __init__(self) -> None:
        self._model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[int]:
        """Ask the model."""
        answer: list[int] = self._model.predict(np.asarray(instances)).tolist()
        return answer
