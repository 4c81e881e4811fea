"""A scikit-learn estimator as an ONNX graph: skl2onnx's work, with one answer and the inputs that the schema has."""

from typing import Any, NamedTuple

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Table
from ferryman_server.load import estimator as estimators
from ferryman_server.optimize import boosted, boosters, imputer, isolation, labels, trees
from ferryman_server.optimize.report import Precision

# ONNX Runtime's kernels for trees know doubles since the third version of this domain.
_OPSET = {"": 21, "ai.onnx.ml": 3}
_PRECISIONS = (Precision.DOUBLE, Precision.FLOAT)


_PIECE = 100
"""Rows that an ensemble of trees is given at a time, at most.

Up to about a hundred rows ONNX Runtime goes through all rows tree by tree, and beyond that through all trees row by
row. The second way is at home on many cores; on one it takes up to twice the time (100 trees, 128 rows: 2.9 us a row
instead of 1.2, or 14.5 instead of 9.2 where they are deep).
"""


class Types(NamedTuple):
    """The types of a graph's inputs: of its real numbers, and whether whole numbers are told apart from them."""

    precision: Precision
    whole: bool


def order(table: Table) -> list[Types]:
    """What to try, the likeliest first: scikit-learn counts in FP64, and what takes FP32 counts in it.

    An encoder knows whole numbers as such, an imputer fills them with real ones.
    """
    if table.packed is Kind.FP32:
        return [Types(Precision.FLOAT, whole=False)]
    mixed = any(column.kind.is_integer for column in table.columns) and not table.packed
    return [Types(precision, whole) for precision in _PRECISIONS for whole in ((True, False) if mixed else (False,))]


def separate(estimator: Any, table: Table) -> bool:
    """Whether the graph must have one input a column: for mixed types, and for parts that pick columns by name."""
    return not table.packed or not estimators.takes_arrays(estimator)


def convert(estimator: Any, table: Table, types: Types) -> bytes:
    """The graph's bytes; whatever skl2onnx raises for what it does not know."""
    import skl2onnx  # noqa: PLC0415 - only the converting process pays for these
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs  # noqa: PLC0415
    from sklearn.base import is_classifier  # noqa: PLC0415

    boosters.register()
    isolation.register()
    trees.endless()
    step = boosters.Alone(estimator) if hasattr(estimator, "save_raw") else estimator
    graph = skl2onnx.convert_sklearn(
        step,
        initial_types=_inputs(estimator, table, types),
        options={"zipmap": False} if is_classifier(step) else None,
        target_opset=_OPSET,
    )
    trees.exact(graph, estimator)
    if types.precision is Precision.DOUBLE:
        imputer.exact(graph, estimator)
        boosted.exact(graph, estimator)
    # Probabilities that nobody asks for would still be counted.
    first = graph.graph.output[0].name
    asked = select_model_inputs_outputs(graph, [first])
    labels.short(asked)
    told: bytes = asked.SerializeToString()
    return told


def piece(graph: bytes) -> int:
    """How many rows to give a graph at a time; 0 for all."""
    import onnx  # noqa: PLC0415 - only the converting process has it in memory

    nodes = onnx.load_from_string(graph).graph.node
    return _PIECE if any(node.op_type.startswith("TreeEnsemble") for node in nodes) else 0


def _inputs(estimator: Any, table: Table, types: Types) -> list[tuple[str, Any]]:
    from skl2onnx.common import data_types as known  # noqa: PLC0415

    real = known.FloatTensorType if types.precision is Precision.FLOAT else known.DoubleTensorType
    if not separate(estimator, table):
        return [(table.tensor, real([None, table.width]))]
    others = {Kind.BYTES: known.StringTensorType, Kind.BOOL: known.BooleanTensorType}

    def of(kind: Kind) -> Any:
        return known.Int64TensorType if kind.is_integer and types.whole else others.get(kind, real)

    return [(column.name, of(table.packed or column.kind)([None, 1])) for column in table.columns]
