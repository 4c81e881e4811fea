"""Writes nodes into a graph that the converter is making, under names that nobody else has."""

from typing import Any

FLOAT, INT64, DOUBLE = 1, 7, 11  # onnx.TensorProto.DataType


class Maker:
    """For one operator; it gives names of what it wrote."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, kind: str, given: list[str], output: str = "", **attributes: Any) -> str:
        """One with one output; its name."""
        output = output or self._scope.get_unique_variable_name(kind.lower())
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, given, output, name=name, **attributes)
        return output

    def constant(self, value: float, kind: int = DOUBLE) -> str:
        """A lone number; its name."""
        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, kind, [1], [value])
        return name
