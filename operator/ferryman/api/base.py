"""How every API model behaves: camelCase outside, snake_case inside, nothing unknown, nothing mutable."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""What Kubernetes takes for the name of most objects."""


class Model(BaseModel):
    """One object of the ferryman.dev API."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    def to_api(self) -> dict[str, Any]:
        """Return the object as it stands in YAML: camelCase keys, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rule(cel: str, message: str, field: str | None = None) -> JsonDict:
    """Return one rule of the CRD: `cel` must hold, else the apiserver answers `message` and points at `field`."""
    validation: JsonDict = {"rule": cel, "message": message}
    if field is not None:
        validation["fieldPath"] = field
    return validation


def ruled(*rules: JsonDict) -> JsonDict:
    """Return what a model's schema carries so that the apiserver holds users to the rules."""
    return {"x-kubernetes-validations": list(rules)}


def told(length: int, **bounds: int) -> WithJsonSchema:
    """Leave the pattern to a rule: the apiserver would tell a user the pattern, a rule tells what to write."""
    return WithJsonSchema({"type": "string", "maxLength": length, **bounds})
