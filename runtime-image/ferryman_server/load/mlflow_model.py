"""MLflow directories: the native file where the flavour has one that is faster, else pyfunc.

A native file gives the same answers as pyfunc for these flavours, without pandas and without
MLflow's import. A `code` directory means that the model brings modules of its own, so pyfunc.
"""

from pathlib import Path
from typing import Any

from ferryman_server.dataplane.model import Model
from ferryman_server.load import context as contexts
from ferryman_server.load import lightgbm_file, onnx_file, pyfunc, pytorch_file, sklearn_file, xgboost_file


def load(root: Path, flavors: dict[str, dict[str, Any]], context: contexts.Context) -> Model:
    """Choose by the flavours that the MLmodel file lists."""
    function = flavors.get("python_function", {})
    native = str(function.get("loader_module", "")).removeprefix("mlflow.")
    if not function and "pytorch" in flavors:  # an exported program with several inputs is nothing to pyfunc
        native = "pytorch"
    flavor = flavors.get(native, {})
    asked_more = bool(context.signature.params) and context.allow_pickle  # MLflow says what a flavour does with them
    if not flavor or function.get("code") or flavor.get("code") or asked_more:
        return pyfunc.load(root, context)
    if native == "sklearn" and function.get("predict_fn", "predict") == "predict":
        return sklearn_file.load(root / str(flavor["pickled_model"]), context)
    if native == "pytorch":
        return _pytorch(root, root / str(flavor.get("model_data", "")), context)
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


def _pytorch(root: Path, data: Path, context: contexts.Context) -> Model:
    """A net that needs no Python of its author, asked with tensors; any other through pyfunc."""
    wanted = (pytorch_file.Archive.EXPORTED, pytorch_file.Archive.SCRIPT)
    for path in (data / "model.pt2", data / "model.pth"):
        if pytorch_file.signed(context) and pytorch_file.archive(path) in wanted:
            return pytorch_file.load(path, context)
    return pyfunc.load(root, context)
