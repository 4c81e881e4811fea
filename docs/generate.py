"""Writes the tables and the diagram of docs/status.md from the code: `make docs`. What it draws cannot lie."""

from __future__ import annotations

import ast
import itertools
import sys
from enum import StrEnum
from pathlib import Path

from ferryman.api import conditions, journal, status
from ferryman.api.base import Model
from ferryman.rollout import machine, signals, verbs

PAGE = Path(__file__).parent / "status.md"
BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"


def sentences(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """Return each member's value with the docstring below it, in the order of the source."""
    source = Path(str(sys.modules[enum.__module__].__file__)).read_text(encoding="utf-8")
    body = next(
        node.body
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and node.name == enum.__name__
    )
    pairs = []
    for assignment, docstring in itertools.pairwise(body):
        if isinstance(assignment, ast.Assign) and isinstance(docstring, ast.Expr):
            assert isinstance(assignment.value, ast.Constant)
            assert isinstance(docstring.value, ast.Constant)
            pairs.append((str(assignment.value.value), " ".join(str(docstring.value.value).split())))
    missing = {member.value for member in enum} - {value for value, _ in pairs}
    assert not missing, f"{enum.__name__} has members without a sentence: {', '.join(sorted(missing))}"
    return pairs


def table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    """Return a Markdown table of two columns."""
    return "\n".join(
        [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| `{value}` | {sentence} |" for value, sentence in rows)]
    )


def fields(model: type[Model]) -> list[tuple[str, str]]:
    """Return each field's name as it stands in YAML with its docstring."""
    known = model.model_fields.items()
    return [(field.alias or name, " ".join((field.description or "").split())) for name, field in known]


SECTIONS = {
    "diagram": lambda: f"```mermaid\n{machine.diagram()}\n```",
    "phases": lambda: table(("Phase", "What it says"), sentences(status.Phase)),
    "signals": lambda: table(("Signal", "When it is raised"), sentences(signals.Signal)),
    "conditions": lambda: table(("Condition", "The claim"), sentences(conditions.ConditionType)),
    "verbs": lambda: table(("Verb", "What it tells"), sentences(verbs.Verb)),
    "outcomes": lambda: table(("Outcome", "How the run ended"), sentences(journal.Outcome)),
    "causes": lambda: table(("`waiting.cause`", "What it waits for"), sentences(journal.Cause)),
    "waiting": lambda: table(("Field of `waiting`", "What it says"), fields(journal.Waiting)),
    "decisions": lambda: table(
        ("Field of a decision", "What it says"),
        [*fields(journal.Decision), *((f"numbers.{name}", said) for name, said in fields(journal.Numbers))],
    ),
    "reasons": lambda: table(("Reason", "What an admin should know"), sentences(conditions.Reason)),
}


def filled(page: str) -> str:
    """Return the page with every generated section as the code says it now."""
    for name, section in SECTIONS.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{section()}\n{end}{rest.split(end)[1]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
