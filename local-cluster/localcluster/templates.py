"""Renders the configuration files under templates/ with the values of one cluster."""

import pathlib
import string

from localcluster import paths


def text(name: str, **values: object) -> str:
    """The template's text; a name without a value is an error."""
    return string.Template((paths.TEMPLATES / name).read_text()).substitute(values)


def render(name: str, target: pathlib.Path, **values: object) -> pathlib.Path:
    """Write the rendered template where a component reads it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(name, **values))
    return target
