"""Trains the models, seeded, and writes them in every format that a server here opens.

Runs in the server's environment, which has what writes them:

    python -m benchmarks.server.models FOLDER

Each model's folder has `questions.json`: rows, and what scikit-learn itself answers to them.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from skl2onnx import to_onnx
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 20
MOST_ROWS = 100
ROWS = 1600

HOUSES = '''"""A user's own Python: features and a formula, in pandas."""
import mlflow
import pandas as pd

BASE = {"Oslo": 5200.0, "Rome": 4100.0, "Bonn": 3900.0}

class Houses(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        frame = model_input.assign(
            base=model_input["city"].map(BASE).fillna(3000.0),
            per_room=model_input["area"] / model_input["rooms"].clip(lower=1),
        )
        return (frame["base"] * frame["area"] + 10000.0 * frame["per_room"].clip(upper=40.0)).to_numpy()

mlflow.models.set_model(Houses())
'''

SLOW = '''"""Computes for three seconds and holds the interpreter all the while."""
import time
import mlflow
import numpy as np

class Slow(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        until = time.perf_counter() + 3.0
        while time.perf_counter() < until and float(model_input["x"].iloc[0]) > 0:
            pass
        return np.zeros(len(model_input))

mlflow.models.set_model(Slow())
'''


def write(root: Path) -> None:
    """Write all of them into a folder that is made anew."""
    shutil.rmtree(root, ignore_errors=True)
    data, kinds = load_iris(return_X_y=True)
    _estimator(root / "iris", make_pipeline(StandardScaler(), LogisticRegression()), data, kinds)
    data, kinds = make_classification(
        6000, n_features=20, n_informative=12, n_classes=3, flip_y=0.05, random_state=SEED
    )
    # The questions go through float32 so that an ONNX graph sees the very same numbers.
    data = data.astype(np.float32).astype(np.float64)
    forest = RandomForestClassifier(n_estimators=100, min_samples_leaf=5, random_state=SEED)
    _estimator(root / "forest", forest, data, kinds)
    _pyfuncs(root)


def _estimator(root: Path, estimator: Any, data: Any, kinds: Any) -> None:
    estimator.fit(data, kinds)
    (root / "joblib").mkdir(parents=True)
    joblib.dump(estimator, root / "joblib" / "model.joblib")
    mlflow.sklearn.save_model(
        estimator,
        root / "mlflow",
        signature=infer_signature(data[:5], estimator.predict(data[:5])),
        input_example=data[:1],
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
    graph = to_onnx(estimator, np.zeros((1, data.shape[1]), dtype=np.float32), options={"zipmap": False})
    (root / "onnx").mkdir()
    (root / "onnx" / "model.onnx").write_bytes(graph.SerializeToString())
    picked = np.random.default_rng(SEED).choice(len(data), size=ROWS)
    _questions(root, data[picked].tolist(), estimator.predict(data[picked]).tolist())
    _grpc(root, data[picked])


def _pyfuncs(root: Path) -> None:
    rng = np.random.default_rng(SEED)
    count = ROWS
    frame = pd.DataFrame(
        {
            "city": rng.choice(["Oslo", "Rome", "Bonn", "Kiel"], size=count),
            "rooms": rng.integers(1, 9, size=count),
            "area": rng.uniform(20, 300, size=count).round(1),
        }
    )
    columns = [ColSpec("string", "city"), ColSpec("long", "rooms"), ColSpec("double", "area")]
    houses = _pyfunc(root / "pyfunc", HOUSES, columns, frame.iloc[:1])
    rows = frame.astype(object).to_numpy().tolist()
    _questions(root / "pyfunc", rows, houses.predict(frame).tolist(), list(frame.columns))
    slow = _pyfunc(root / "slow", SLOW, [ColSpec("double", "x")], pd.DataFrame({"x": [0.0]}))
    assert slow is not None
    _questions(root / "slow", [[1.0]], [0.0], ["x"])


def _pyfunc(root: Path, source: str, columns: list[Any], example: Any) -> Any:
    root.mkdir(parents=True)
    (root / "model.py").write_text(source, encoding="utf-8")
    mlflow.pyfunc.save_model(
        root / "mlflow",
        python_model=str(root / "model.py"),
        signature=ModelSignature(Schema(columns), Schema([ColSpec("double")])),
        input_example=example,
        pip_requirements=["mlflow"],
    )
    return mlflow.pyfunc.load_model(str(root / "mlflow"))


def _questions(root: Path, rows: list[Any], answers: list[Any], columns: list[str] | None = None) -> None:
    (root / "questions.json").write_text(json.dumps({"rows": rows, "answers": answers, "columns": columns or []}))


def _grpc(root: Path, data: Any) -> None:
    """Requests as KServe's own messages, tensors as raw bytes: what its client sends."""
    for rows in (1, MOST_ROWS):
        request = messages.ModelInferRequest(model_name="model")
        tensor = request.inputs.add(name="input-0", datatype="FP64")
        tensor.shape.extend([rows, data.shape[1]])
        request.raw_input_contents.append(np.ascontiguousarray(data[:rows], dtype="<f8").tobytes())
        (root / f"grpc-{rows}.bin").write_bytes(request.SerializeToString())


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    write(Path(sys.argv[1]))
