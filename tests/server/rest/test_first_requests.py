"""The requests that newcomers copy from tutorials, each as it is written there."""

import joblib
import numpy as np
import pytest
from server import plain
from sklearn.linear_model import LinearRegression

CASES = [
    ("fraud-detector", 5, "/v1/models/fraud-detector:predict", [[0.5, 0.3, 0.2, 0.8, 0.1]]),
    ("iris-classifier", 4, "/v1/models/iris-classifier:predict", [[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3]]),
    ("fraud_detector", 4, "/v1/models/fraud_detector:predict", [[1.0, 2.0, 3.0, 4.0]]),
    ("fraud_detector", 3, "/invocations", [[1.0, 2.0, 3.0]]),
]


@pytest.mark.parametrize(("name", "width", "path", "rows"), CASES)
async def test_a_request_from_a_tutorial_is_answered(room, name, width, path, rows):
    inputs = np.eye(width)
    joblib.dump(LinearRegression().fit(inputs, inputs.sum(axis=1)), room / "model.joblib")
    async with plain.client(plain.load(room), model_name=name) as http:
        answer = await http.post(path, json={"instances": rows}, headers={"Content-Type": "application/json"})

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == len(rows)
    assert all(isinstance(one, float) for one in answer.json()["predictions"])
