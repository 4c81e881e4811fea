"""Renders the configuration files under templates/ with the values of one cluster."""

import pathlib
import string

from localcluster import paths


def text(name: str, /, **values: object) -> str:
    """The template's text; a name without a value is an error."""
    return string.Template((paths.TEMPLATES / name).read_text()).substitute(values)


def render(name: str, target: pathlib.Path, /, **values: object) -> pathlib.Path:
    """Write the rendered template where a component reads it."""
    return write(target, text(name, **values))


def write(target: pathlib.Path, content: str, mode: int = 0o644) -> pathlib.Path:
    """Write the file unless it says so already: some components end when their file is touched."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text() != content:
        fresh = target.with_name(f".{target.name}.new")
        fresh.touch(mode)
        fresh.write_text(content)
        fresh.replace(target)
    return target
