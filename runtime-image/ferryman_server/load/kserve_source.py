"""Which Python file defines a `kserve.Model`, told from its text: nothing in it runs before it is trusted."""

import ast
from pathlib import Path

_PACKAGE = "kserve"
_LARGEST = 1024 * 1024  # bytes; nobody wrote more than that by hand


def defines_model(path: Path) -> bool:
    """Whether one of the file's classes is made from KServe's `Model`."""
    try:
        if path.stat().st_size > _LARGEST:
            return False
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    known = _names(tree)
    return any(_spelled(base) in known for node in tree.body if isinstance(node, ast.ClassDef) for base in node.bases)


def _names(tree: ast.Module) -> set[str]:
    """What the file calls KServe's `Model`."""
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                called = {one.asname or one.name for one in names if one.name.partition(".")[0] == _PACKAGE}
                found |= {f"{name}.Model" for name in called}
            case ast.ImportFrom(module=str(module), names=names, level=0) if module.partition(".")[0] == _PACKAGE:
                found |= {one.asname or one.name for one in names if one.name == "Model"}
    return found


def _spelled(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_spelled(value)}.{name}"
        case _:
            return ""
