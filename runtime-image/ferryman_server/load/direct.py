"""LightGBM and XGBoost, asked through their C interfaces: what their Python does for each call is done once here.

One row takes LightGBM a tenth of the time so, XGBoost half. The numbers are the library's own. Each way is proved
when the model is loaded, bit by bit against the library's `predict`; where it differs, or the interface is not as
known here, the library's own `predict` is used. One call at a time, as the data plane asks.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from ferryman_server.dataplane.rows import Array

Call = Callable[[Array], Array]

_DOUBLE, _NORMAL, _ROW_MAJOR = 1, 0, 1  # LightGBM's words
_ALONE = 64
"""Rows that go one by one where LightGBM could use several threads for a batch; with one thread all do."""
_ROWS = (1, 3, 70)
_SEED = 20


def proved(direct: Call | None, native: Call, width: int, dtype: Any) -> tuple[Call, bool]:
    """The direct way, if it is one; else the library's. Whether it is the direct one."""
    if direct is None:
        return native, False
    chance = np.random.default_rng(_SEED)
    for count in _ROWS:
        rows = (chance.normal(size=(count, width)) * 10.0 ** chance.integers(-2, 4, width)).astype(dtype)
        rows[chance.random(rows.shape) < 0.1] = np.nan
        wanted, got = np.asarray(native(rows)), direct(rows)
        same = np.array_equal(wanted, got, equal_nan=wanted.dtype.kind == "f")
        if not same or (wanted.dtype, wanted.shape) != (got.dtype, got.shape):
            return native, False
    return direct, True


# --- LightGBM -------------------------------------------------------------------------------------


def lightgbm(booster: Any, threads: int, native: Call) -> Call | None:
    """A Booster's prediction, row by row; None where its library is another than this file knows."""
    try:
        from lightgbm import basic  # noqa: PLC0415

        library = ctypes.CDLL(basic._LIB._name)  # ours, so that its argument types are
        ask = library.LGBM_BoosterPredictForMatSingleRowFast
        handle = ctypes.c_void_p()
        width, outputs = booster.num_feature(), booster.num_model_per_iteration()
        failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            _NORMAL,
            0,
            booster.best_iteration,
            _DOUBLE,
            width,
            b"num_threads=1",
            ctypes.byref(handle),
        )
    except AttributeError:
        return None
    if failed:
        return None
    ask.argtypes = (ctypes.c_void_p,) * 4
    written, kept = ctypes.byref(ctypes.c_int64()), handle.value
    most = _ALONE if threads > 1 else None

    def predict(matrix: Array) -> Array:
        count = len(matrix)
        if matrix.shape[1] != width or (most is not None and count > most):
            return native(matrix)
        given = np.ascontiguousarray(matrix, dtype=np.float64)
        answer = np.empty(count * outputs)
        source, target = _address(given), _address(answer)
        for at in range(count):
            if ask(kept, source + at * width * 8, written, target + at * outputs * 8):
                return native(matrix)
        return answer if outputs == 1 else answer.reshape(count, outputs)

    return predict


def _address(array: Array) -> int:
    found: int = array.__array_interface__["data"][0]
    return found


# --- XGBoost --------------------------------------------------------------------------------------


def xgboost(booster: Any, native: Call, iterations: int = 0) -> Call | None:
    """A Booster's prediction; None where its library is another than this file knows."""
    try:
        from xgboost import core  # noqa: PLC0415

        library = ctypes.CDLL(core._LIB._name)  # ours, so that its argument types are
        ask, handle, width = library.XGBoosterPredictFromDense, booster.handle, booster.num_features()
    except AttributeError:
        return None
    shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    found = ctypes.POINTER(ctypes.c_float)()
    told = tuple(ctypes.byref(one) for one in (shape, dimensions, found))
    ask.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, *(ctypes.c_void_p,) * 4)
    how = (
        b'{"type": 0, "training": false, "iteration_begin": 0, "iteration_end": %d, "missing": NaN,'
        b' "strict_shape": false, "cache_id": 0}' % iterations
    )

    def predict(matrix: Array) -> Array:
        if matrix.shape[1] != width or matrix.dtype not in _FLOATS:
            return native(matrix)
        given = np.ascontiguousarray(matrix)
        what = b'{"data": [%d, true], "shape": [%d, %d], "typestr": "%s", "version": 3}' % (
            _address(given),
            *given.shape,
            given.dtype.str.encode(),
        )
        if ask(handle, what, how, None, *told):
            return native(matrix)
        sizes = shape[: dimensions.value]
        return np.array(np.ctypeslib.as_array(found, sizes))

    return predict


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


# --- their scikit-learn classes -------------------------------------------------------------------


def estimator(found: Any) -> Call | None:
    """`predict` of a class of theirs, or None for one that answers with something else than its Booster's numbers."""
    make = _ESTIMATORS.get(f"{type(found).__module__}.{type(found).__name__}")
    return make(found) if make else None


def _lightgbm_regressor(found: Any) -> Call | None:
    return lightgbm(found.booster_, 1, found.predict)


def _lightgbm_classifier(found: Any) -> Call | None:
    ask, classes = lightgbm(found.booster_, 1, found.booster_.predict), np.asarray(found.classes_)
    if ask is None or callable(found.objective_):
        return None

    def predict(matrix: Array) -> Array:
        scores: Any = ask(matrix)
        chosen = scores.argmax(axis=1) if scores.ndim > 1 else (scores > 1.0 - scores).astype(np.intp)
        return np.asarray(classes[chosen])

    return predict


def _xgboost_regressor(found: Any) -> Call | None:
    if not np.isnan(found.missing):
        return None
    return xgboost(found.get_booster(), found.predict, _best(found))


def _xgboost_classifier(found: Any) -> Call | None:
    booster = found.get_booster()
    if not np.isnan(found.missing) or found.objective == "multi:softmax":
        return None
    ask = xgboost(booster, booster.inplace_predict, _best(found))
    if ask is None:
        return None

    def predict(matrix: Array) -> Array:
        scores: Any = ask(matrix)
        return np.asarray(scores.argmax(axis=1) if scores.ndim > 1 else (scores > 0.5).astype(np.int64))

    return predict


def _best(found: Any) -> int:
    """How many rounds count: all (0), or those until the best where training was stopped early."""
    best: int = getattr(found, "best_iteration", -1)
    return best + 1


_ESTIMATORS: dict[str, Callable[[Any], Call | None]] = {
    "lightgbm.sklearn.LGBMClassifier": _lightgbm_classifier,
    "lightgbm.sklearn.LGBMRegressor": _lightgbm_regressor,
    "lightgbm.sklearn.LGBMRanker": _lightgbm_regressor,
    "xgboost.sklearn.XGBClassifier": _xgboost_classifier,
    "xgboost.sklearn.XGBRegressor": _xgboost_regressor,
}
