"""Amounts as Kubernetes writes them: `500m` of a core, `512Mi` of memory, one of a device."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_LONGEST = 32

QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
SIZE = rf"^[1-9][0-9]{{0,11}}({'|'.join(unit for unit in _UNITS if unit)})?$"


def _text(value: object) -> object:
    """YAML gives a bare number as a number, and Kubernetes takes it."""
    return str(value) if type(value) is int else value


def _schema(pattern: str, longest: int) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": pattern,
            "maxLength": longest,
        }
    )


Quantity = Annotated[
    str, BeforeValidator(_text), Field(pattern=QUANTITY, max_length=_LONGEST), _schema(QUANTITY, _LONGEST)
]
"""Any amount."""
Size = Annotated[str, BeforeValidator(_text), Field(pattern=SIZE, max_length=14), _schema(SIZE, 14)]
"""A whole number of bytes, which this package can count by itself."""


def size(text: str) -> int:
    """Return a `Size` in bytes."""
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * _UNITS[unit]
