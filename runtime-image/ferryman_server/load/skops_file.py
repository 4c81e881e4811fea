"""Opens a skops file of anybody's: only types that hold data, and in them only what their compiled code can bear."""

from pathlib import Path
from typing import Any

from ferryman_server.load import context as contexts
from ferryman_server.load import node_arrays
from ferryman_server.reason import FatalError, Reason

_SKLEARN = {
    "_loss.loss": {"HalfTweedieLoss", "HalfTweedieLossIdentity"},
    "calibration": {"_CalibratedClassifier", "_SigmoidCalibration"},
    "compose._column_transformer": {"make_column_selector"},
    "feature_selection._mutual_info": {"mutual_info_classif", "mutual_info_regression"},
    "feature_selection._univariate_selection": {"chi2", "f_classif", "f_oneway", "f_regression", "r_regression"},
    "gaussian_process._gpc": {"_BinaryGaussianProcessClassifierLaplace"},
    "gaussian_process.kernels": {
        "CompoundKernel",
        "ConstantKernel",
        "DotProduct",
        "ExpSineSquared",
        "Exponentiation",
        "Matern",
        "Product",
        "RBF",
        "RationalQuadratic",
        "Sum",
        "WhiteKernel",
    },
    "impute._iterative": {"IterativeImputer", "_ImputerTriplet"},
    "metrics._dist_metrics": {"ChebyshevDistance64", "EuclideanDistance64", "ManhattanDistance64"},
    "metrics._classification": {
        "accuracy_score",
        "balanced_accuracy_score",
        "f1_score",
        "log_loss",
        "precision_score",
        "recall_score",
    },
    "metrics._ranking": {"average_precision_score", "roc_auc_score"},
    "metrics._regression": {"mean_absolute_error", "mean_squared_error", "r2_score", "root_mean_squared_error"},
    "metrics._scorer": {"_CurveScorer", "_PassthroughScorer", "_Scorer"},
    "model_selection._split": {"GroupKFold", "KFold", "StratifiedKFold", "TimeSeriesSplit"},
    "multiclass": {"_ConstantPredictor"},
    "neural_network._stochastic_optimizers": {"AdamOptimizer", "SGDOptimizer"},
    "utils._bunch": {"Bunch"},
    "utils._metadata_requests": {"MetadataRequest", "MethodMetadataRequest"},
}
_CHECKED = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
}
"""They hold indices that are followed without a look at bounds: `node_arrays` looks."""
_KNOWN = (
    {f"sklearn.{module}.{name}" for module, names in _SKLEARN.items() for name in names}
    | _CHECKED
    | {
        "builtins.object",  # a dtype that a selector of columns looks for
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRanker",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "numpy.mean",
        "numpy.number",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""What scikit-learn's own estimators and the boosting libraries' are made of, beside what skops trusts by itself."""


def load(path: Path, context: contexts.Context) -> Any:
    """The estimator in a file; `FatalError` for what its source is not trusted with."""
    import skops.io  # noqa: PLC0415 - imports cost start-up time; each format pays for its own

    unknown = set(skops.io.get_untrusted_types(file=path))
    if unknown - _KNOWN:
        types = ", ".join(sorted(unknown - _KNOWN))
        contexts.refuse_code(context, f"a skops file with types of its own ({types})")
    found = skops.io.load(path, trusted=sorted(unknown))
    if not context.allow_pickle and unknown & _CHECKED:
        _check(found, path, context)
    return found


def _check(found: Any, path: Path, context: contexts.Context) -> None:
    fact = node_arrays.fault(found)
    if fact:
        raise FatalError(
            Reason.UNTRUSTED_FORMAT,
            f'File "{path.name}" of model "{context.model}" has {fact}, and its source is not trusted: a wrong index '
            "would be read from memory that is not the model's. Fit and save it again, save it as ONNX, or trust the "
            "source in the chart's values.",
        )
