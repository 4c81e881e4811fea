"""Small real models, trained on scikit-learn's own iris, and written the way that users write them."""

import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

NAMES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
# One flower of each kind, which every model here must recognise.
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2], [6.3, 3.3, 6.0, 2.5]]
KINDS = [0, 1, 2]


class Shelf:
    """Models by name, each written on first use."""

    def __init__(self, root: Path) -> None:
        self._root = root
        warnings.filterwarnings("ignore", module="mlflow|xgboost|lightgbm")

    def _put(self, name: str, write: Callable[[Path], Any]) -> Path:
        directory = self._root / name
        if not directory.exists():
            draft = self._root / f"{name}.draft"
            write(draft)
            draft.rename(directory)
        return directory

    @cached_property
    def pipeline(self) -> Pipeline:
        """Fitted on arrays: no names."""
        data, kinds = load_iris(return_X_y=True)
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(data, kinds)

    @cached_property
    def named_pipeline(self) -> Pipeline:
        """Fitted on a DataFrame: it knows its columns."""
        data, kinds = load_iris(return_X_y=True, as_frame=True)
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(data, kinds)

    @cached_property
    def signature(self) -> Any:
        """Four named doubles in, one long out."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        return ModelSignature(Schema([ColSpec("double", name) for name in NAMES]), Schema([ColSpec("long")]))

    # --- single files ---

    def joblib(self) -> Path:
        import joblib

        def write(into: Path) -> None:
            into.mkdir()
            joblib.dump(self.pipeline, into / "model.joblib")

        return self._put("joblib", write)

    def skops(self) -> Path:
        import skops.io

        def write(into: Path) -> None:
            into.mkdir()
            skops.io.dump(self.named_pipeline, into / "model.skops")

        return self._put("skops", write)

    def onnx(self) -> Path:
        from skl2onnx import to_onnx

        def write(into: Path) -> None:
            into.mkdir()
            graph = to_onnx(self.pipeline, np.zeros((1, 4), dtype=np.float32), options={"zipmap": False})
            (into / "model.onnx").write_bytes(graph.SerializeToString())

        return self._put("onnx", write)

    def onnx_columns(self) -> Path:
        """One input a column, and a ZipMap, as skl2onnx makes it for DataFrames."""
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.compose import ColumnTransformer

        def write(into: Path) -> None:
            into.mkdir()
            data, kinds = load_iris(return_X_y=True, as_frame=True)
            data.columns = ["sl", "sw", "pl", "pw"]
            scaler = ColumnTransformer([("scale", StandardScaler(), list(data.columns))])
            pipeline = make_pipeline(scaler, LogisticRegression()).fit(data, kinds)
            graph = convert_sklearn(pipeline, initial_types=[(c, FloatTensorType([None, 1])) for c in data.columns])
            (into / "model.onnx").write_bytes(graph.SerializeToString())

        return self._put("onnx-columns", write)

    def xgboost(self, suffix: str = "json") -> Path:
        import xgboost

        def write(into: Path) -> None:
            into.mkdir()
            data, kinds = load_iris(return_X_y=True)
            model = xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(data, kinds)
            model.get_booster().save_model(into / f"model.{suffix}")

        return self._put(f"xgboost-{suffix}", write)

    def lightgbm(self) -> Path:
        import lightgbm

        def write(into: Path) -> None:
            into.mkdir()
            data, kinds = load_iris(return_X_y=True)
            model = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, min_child_samples=5).fit(data, kinds)
            model.booster_.save_model(into / "model.txt")

        return self._put("lightgbm", write)

    # --- MLflow ---

    def mlflow_sklearn(self, serialization: str = "cloudpickle") -> Path:
        import mlflow.sklearn

        return self._put(
            f"mlflow-sklearn-{serialization}",
            lambda into: mlflow.sklearn.save_model(
                self.named_pipeline,
                into,
                signature=self.signature,
                serialization_format=serialization,
                pip_requirements=["scikit-learn"],
            ),
        )

    def mlflow_xgboost(self) -> Path:
        import mlflow.xgboost
        import xgboost

        data, kinds = load_iris(return_X_y=True, as_frame=True)
        model = xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(data, kinds)
        return self._put(
            "mlflow-xgboost",
            lambda into: mlflow.xgboost.save_model(
                model, into, signature=self.signature, pip_requirements=["xgboost"]
            ),
        )

    def mlflow_lightgbm(self) -> Path:
        import lightgbm
        import mlflow.lightgbm

        data, kinds = load_iris(return_X_y=True, as_frame=True)
        model = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, min_child_samples=5).fit(data, kinds)
        return self._put(
            "mlflow-lightgbm",
            lambda into: mlflow.lightgbm.save_model(
                model, into, signature=self.signature, pip_requirements=["lightgbm"]
            ),
        )

    def mlflow_onnx(self) -> Path:
        import mlflow.onnx
        import onnx

        graph = onnx.load(self.onnx() / "model.onnx")
        return self._put(
            "mlflow-onnx", lambda into: mlflow.onnx.save_model(graph, into, pip_requirements=["onnxruntime"])
        )

    def mlflow_pyfunc(self) -> Path:
        """A user's own Python, with a text column, a whole number and an optional one."""
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        signature = ModelSignature(
            Schema([ColSpec("string", "city"), ColSpec("long", "rooms"), ColSpec("double", "area", required=False)])
        )
        source = self._root / "shouting.py"
        source.write_text(_PYFUNC, encoding="utf-8")
        return self._put(
            "mlflow-pyfunc",
            lambda into: mlflow.pyfunc.save_model(
                into, python_model=str(source), signature=signature, pip_requirements=["mlflow"]
            ),
        )


_PYFUNC = """
import mlflow

class Shouting(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        result = model_input[["city"]].copy()
        result["city"] = result["city"].str.upper()
        result["rooms"] = model_input["rooms"] * 2
        return result

mlflow.models.set_model(Shouting())
"""
