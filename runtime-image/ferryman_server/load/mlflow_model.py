"""MLflow directories: the native file where the flavour has one that is faster, else pyfunc.

A native file gives the same answers as pyfunc for these flavours, without pandas and without
MLflow's import. A `code` directory means that the model brings modules of its own, so pyfunc.
"""

from pathlib import Path
from typing import Any

from ferryman_server.dataplane.model import Model
from ferryman_server.load import context as contexts
from ferryman_server.load import lightgbm_file, onnx_file, pyfunc, sklearn_file, xgboost_file


def load(root: Path, flavors: dict[str, dict[str, Any]], context: contexts.Context) -> Model:
    """Choose by the flavours that the MLmodel file lists."""
    function = flavors.get("python_function", {})
    native = str(function.get("loader_module", "")).removeprefix("mlflow.")
    flavor = flavors.get(native, {})
    if not flavor or function.get("code") or flavor.get("code"):
        return pyfunc.load(root, context)
    if native == "sklearn" and function.get("predict_fn", "predict") == "predict":
        return sklearn_file.load(root / str(flavor["pickled_model"]), context)
    path = root / str(flavor.get("data", ""))
    if not path.is_file():
        return pyfunc.load(root, context)
    if native == "onnx":
        return onnx_file.load(path, context)
    if native == "xgboost" and path.suffix in {".ubj", ".json", ".xgb"}:
        return xgboost_file.load(path, context, str(flavor.get("model_class", xgboost_file.BOOSTER)))
    if native == "lightgbm" and flavor.get("model_class") == "lightgbm.basic.Booster":
        return lightgbm_file.load(path, context)
    if native == "lightgbm" and path.suffix in {".skops", ".pkl"}:
        return sklearn_file.load(path, context)
    return pyfunc.load(root, context)
