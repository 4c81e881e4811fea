"""Makes a converted ensemble of trees exact where the converter only comes near.

scikit-learn's trees round a value to FP32 and compare it with a threshold in FP64, send a missing value where most
samples went, and add up whole votes before they divide by the number of trees. The converter compares in one type,
sends every missing value to the right, and adds up votes that were divided before, so that a tie may end otherwise.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ferryman_server.load import estimator as estimators

_DOUBLE, _FLOAT = 11, 1  # onnx.TensorProto.DataType


def endless() -> None:
    """Let the converter come to an end with trees that part what is missing from all else, at infinity.

    It looks for the largest number that still rounds to a threshold, by halves, and never finds one beside infinity.
    """
    from skl2onnx.common import tree_ensemble  # noqa: PLC0415 - only the converting process pays for it

    find = tree_ensemble.find_switch_point
    if find.__module__ == __name__:
        return

    def find_where_there_is_one(below: float, above: float) -> float:
        return float(below) if np.isnan(below) or np.isnan(above) else find(below, above)

    tree_ensemble.find_switch_point = find_where_there_is_one


def exact(graph: Any, estimator: Any) -> None:
    """Mend the ensembles of a graph, in place; graphs without trees of scikit-learn's own stay as they are."""
    trees = next((found for part in (estimator, *estimators.parts(estimator)) if (found := _trees(part))), [])
    ensembles = [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")] if trees else []
    for node, own in _paired(ensembles, trees):
        told = {attribute.name: attribute for attribute in node.attribute}
        _follow_missing(node, told, own)
        if "class_ids" in told and own is trees:
            _whole_votes(told, trees)
        if any(name.endswith("_as_tensor") for name in told):
            _round_before(graph, node)


def _paired(ensembles: list[Any], trees: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Each ensemble with its trees: all of them, or, where the converter made one for each (bagging), its own."""
    counts = [next(len(one.ints) for one in node.attribute if one.name == "nodes_treeids") for node in ensembles]
    if counts == [tree.node_count for tree in trees]:
        yield from ((node, trees if len(trees) == 1 else [tree]) for node, tree in zip(ensembles, trees, strict=True))
        return
    total = sum(tree.node_count for tree in trees)
    yield from ((node, trees) for node, count in zip(ensembles, counts, strict=True) if count == total)


def _trees(part: Any) -> list[Any]:
    every = [part] if hasattr(part, "tree_") else list(getattr(part, "estimators_", ()))
    return [one.tree_ for one in every if hasattr(one, "tree_")]


def _follow_missing(node: Any, told: dict[str, Any], trees: list[Any]) -> None:
    places = zip(told["nodes_treeids"].ints, told["nodes_nodeids"].ints, strict=True)
    follows = [int(trees[tree].missing_go_to_left[at]) for tree, at in places]
    missing = told.get("nodes_missing_value_tracks_true") or node.attribute.add()
    missing.name, missing.type = "nodes_missing_value_tracks_true", told["nodes_treeids"].type
    missing.ints[:] = follows


def _whole_votes(told: dict[str, Any], trees: list[Any]) -> None:
    """Only the label is asked for, and it stays the same when all votes grow alike."""
    from onnx import numpy_helper  # noqa: PLC0415 - only the converting process has it in memory

    where = zip(*(told[name].ints for name in ("class_treeids", "class_nodeids", "class_ids")), strict=True)
    if len(set(told["class_ids"].ints)) == 1:  # of two classes only the second's votes are counted, from nothing up
        votes = [trees[tree].value[at, 0, 1] - 0.5 for tree, at, _ in where]
    else:
        votes = [trees[tree].value[at, 0, label] for tree, at, label in where]
    if "class_weights_as_tensor" in told:
        tensor = told["class_weights_as_tensor"].t
        tensor.CopyFrom(numpy_helper.from_array(np.array(votes, dtype=np.float64), tensor.name))
    else:
        told["class_weights"].floats[:] = votes


def _round_before(graph: Any, node: Any) -> None:
    from onnx import helper  # noqa: PLC0415

    given, narrow, rounded = node.input[0], f"{node.name}_narrow", f"{node.name}_rounded"
    at = list(graph.graph.node).index(node)
    for offset, (source, made, to) in enumerate(((given, narrow, _FLOAT), (narrow, rounded, _DOUBLE))):
        graph.graph.node.insert(at + offset, helper.make_node("Cast", [source], [made], name=made, to=to))
    node.input[0] = rounded
