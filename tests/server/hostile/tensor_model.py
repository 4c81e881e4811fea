"""A small ONNX graph of named tensors, numbers and text, that answers with what it was asked."""

from pathlib import Path

NUMBERS, WORDS = [[[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.5, 0.0, 0.25], [7.0, 8.0, 9.0]]], ["one", "two"]


def write(into: Path) -> Path:
    """The folder with the graph in it, made if it is not there."""
    from onnx import TensorProto, helper, save

    into.mkdir(parents=True, exist_ok=True)
    numbers, words = ("numbers", TensorProto.FLOAT, [None, 2, 3]), ("words", TensorProto.STRING, [None])
    given = [helper.make_tensor_value_info(*numbers), helper.make_tensor_value_info(*words)]
    said = [
        helper.make_tensor_value_info("doubled", *numbers[1:]),
        helper.make_tensor_value_info("said", *words[1:]),
    ]
    nodes = [
        helper.make_node("Add", ["numbers", "numbers"], ["doubled"]),
        helper.make_node("Identity", ["words"], ["said"]),
    ]
    graph = helper.make_graph(nodes, "both", given, said)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), into / "model.onnx")
    return into
