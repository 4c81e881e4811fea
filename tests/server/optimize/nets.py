"""Small nets as ONNX files, with data of theirs recorded beside them."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = list[np.ndarray[Any, Any]]


def dense(widths: list[int], seed: int = 0) -> Weights:
    """Weights of layers of these widths, drawn by chance."""
    chance = np.random.default_rng(seed)
    return [(chance.normal(size=(a, b)) * np.sqrt(2 / a)).astype(np.float32) for a, b in itertools.pairwise(widths)]


def perceptron(weights: Weights, path: Path, *, name: str = "input") -> Path:
    """Layers with a ReLU between them; it answers with scores."""
    nodes, kept, last = [], [], name
    for at, matrix in enumerate(weights):
        kept.append(numpy_helper.from_array(matrix, f"weights_{at}"))
        kept.append(numpy_helper.from_array(np.zeros(matrix.shape[1], np.float32), f"bias_{at}"))
        nodes.append(helper.make_node("Gemm", [last, f"weights_{at}", f"bias_{at}"], [f"sum_{at}"]))
        nodes.append(helper.make_node("Relu", [f"sum_{at}"], [f"layer_{at}"]))
        last = f"layer_{at}"
    nodes.pop()
    nodes[-1].output[0] = "scores"
    return _written(nodes, kept, (name, [weights[0].shape[0]]), weights[-1].shape[1], path)


def convolutions(path: Path, size: int = 32, classes: int = 10) -> Path:
    """Three convolutions, pooled."""
    chance = np.random.default_rng(0)
    nodes, kept, last, channels = [], [], "image", 3
    for at, made in enumerate((32, 64, 64)):
        matrix = chance.normal(size=(made, channels, 3, 3)) * np.sqrt(2 / (9 * channels))
        kept.append(numpy_helper.from_array(matrix.astype(np.float32), f"weights_{at}"))
        nodes.append(
            helper.make_node("Conv", [last, f"weights_{at}"], [f"sum_{at}"], pads=[1, 1, 1, 1], strides=[2, 2])
        )
        nodes.append(helper.make_node("Relu", [f"sum_{at}"], [f"layer_{at}"]))
        last, channels = f"layer_{at}", made
    [final] = dense([channels, classes])
    kept.append(numpy_helper.from_array(final, "weights"))
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    return _written(nodes, kept, ("image", [3, size, size]), classes, path)


def _written(nodes: list[Any], kept: list[Any], given: tuple[str, list[int]], classes: int, path: Path) -> Path:
    name, shape = given
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        kept,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def decided(scores: np.ndarray[Any, Any], *, by: float = 0.1) -> np.ndarray[Any, Any]:
    """Which rows have a clear winner, as most rows of real data have."""
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2] > by * np.sqrt(np.mean(scores**2))


def record(rows: np.ndarray[Any, Any], directory: Path, at_a_time: int = 10) -> None:
    """The rows as V1 requests beside the model."""
    parts = [rows[start : start + at_a_time].tolist() for start in range(0, len(rows), at_a_time)]
    (directory / "warmup.jsonl").write_text("".join(json.dumps({"instances": part}) + "\n" for part in parts))
