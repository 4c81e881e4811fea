"""Fills missing values in FP64, which ONNX Runtime's own imputer does not know."""

from typing import Any

import numpy as np

from ferryman_server.load import estimator as estimators

_ROUGH = "imputed_value_floats"


def exact(graph: Any, estimator: Any) -> None:
    """Replace the imputers of a graph of doubles by a choice between the value and the estimator's own filling."""
    from onnx import helper, numpy_helper  # noqa: PLC0415 - only the converting process has it in memory

    fillings = [part.statistics_ for part in (estimator, *estimators.parts(estimator)) if _fills(part)]
    for at, node in reversed(list(enumerate(graph.graph.node))):
        if node.op_type != "Imputer":
            continue
        rough = next(np.array(one.floats, dtype=np.float32) for one in node.attribute if one.name == _ROUGH)
        own = [filling for filling in fillings if np.array_equal(filling.astype(np.float32), rough)]
        name, (given,), (made,) = node.name, node.input, node.output
        filled = numpy_helper.from_array(np.array(own[0] if own else rough, dtype=np.float64), f"{name}_filling")
        graph.graph.initializer.append(filled)
        missing = f"{name}_missing"
        graph.graph.node.insert(at + 1, helper.make_node("Where", [missing, filled.name, given], [made], name=name))
        graph.graph.node[at].CopyFrom(helper.make_node("IsNaN", [given], [missing], name=missing))


def _fills(part: Any) -> bool:
    return hasattr(part, "statistics_") and np.asarray(part.statistics_).dtype.kind == "f"
