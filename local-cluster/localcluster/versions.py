"""Reads versions.toml: which version of which program, and from where it is built."""

import dataclasses
import functools
import tomllib
from collections.abc import Mapping

from localcluster import errors, paths


@dataclasses.dataclass(frozen=True, slots=True)
class Component:
    """One Go module at one version, and the programs that are built from it."""

    name: str
    version: str
    module: str
    folder: str
    programs: Mapping[str, str]
    release: str
    stamp: tuple[str, ...]


@functools.cache
def components() -> Mapping[str, Component]:
    """Every component by name."""
    table = tomllib.loads((paths.SOURCES / "versions.toml").read_text())
    return {
        name: Component(
            name=name,
            version=entry["version"],
            module=entry["module"],
            folder=entry["folder"],
            programs=entry["programs"],
            release=entry.get("release", entry["version"].removeprefix("v")),
            stamp=tuple(entry.get("stamp", ())),
        )
        for name, entry in table.items()
    }


def of_program(program: str) -> Component:
    """The component that a program belongs to."""
    for component in components().values():
        if program in component.programs:
            return component
    known = ", ".join(sorted(p for c in components().values() for p in c.programs))
    raise errors.ClusterError(f"no component builds a program named {program!r}; there are: {known}")
