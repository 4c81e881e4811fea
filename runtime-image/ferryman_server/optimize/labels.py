"""Shortens the way from a classifier's scores to its label.

skl2onnx picks the label out of a list of all classes as a real number, gives it another shape and makes it whole
again: four steps after the largest score is found, in a graph that has not many more. One is enough, or none where
the classes are 0, 1, 2 and so on.
"""

from itertools import pairwise
from typing import Any

import numpy as np

_TAIL = ("Cast", "Reshape")


def short(graph: Any) -> None:
    """Put the label's way right in place, where it is the converter's; other graphs stay as they are."""
    from onnx import helper, numpy_helper  # noqa: PLC0415 - only the converting process has it in memory

    nodes = list(graph.graph.node)
    at = next((at for at, node in enumerate(nodes) if node.op_type == "ArrayFeatureExtractor"), None)
    if at is None or at == 0:
        return
    largest, picks, tail = nodes[at - 1], nodes[at], nodes[at + 1 :]
    constants = {one.name: one for one in graph.graph.initializer}
    chain = [largest, picks, *tail]
    known = (
        largest.op_type == "ArgMax"
        and _told(largest) == {"axis": 1}
        and picks.input[0] in constants
        and all(node.op_type in _TAIL for node in tail)
        and sum(node.op_type == "Reshape" for node in tail) == 1
        and all(one.output[0] == other.input[int(other is picks)] for one, other in pairwise(chain))
        and [output.name for output in graph.graph.output] == [chain[-1].output[0]]
    )
    if not known:
        return
    classes = numpy_helper.to_array(constants[picks.input[0]])
    if classes.dtype.kind in "iu":
        classes = classes.astype(np.int64)
    elif tail[-1].op_type == "Cast":
        return
    label = chain[-1].output[0]
    del graph.graph.node[at - 1 :]
    plain = classes.dtype == np.int64 and classes.tolist() == list(range(len(classes)))
    found = label if plain else largest.output[0]
    graph.graph.node.append(helper.make_node("ArgMax", [largest.input[0]], [found], axis=1, keepdims=0))
    if not plain:
        graph.graph.initializer.append(numpy_helper.from_array(classes, "label_classes"))
        graph.graph.node.append(helper.make_node("Gather", ["label_classes", found], [label], axis=0))
    used = {name for node in graph.graph.node for name in node.input}
    kept = [one for one in graph.graph.initializer if one.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)


def _told(node: Any) -> dict[str, Any]:
    from onnx import helper  # noqa: PLC0415

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
