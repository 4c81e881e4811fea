"""What a ModelDeployment's body says, as far as it can be read: its status, its verbs, and its first fault."""

from __future__ import annotations

import logging
from typing import Any

import pydantic

from ferryman.api.status import ModelDeploymentStatus
from ferryman.render import names

log = logging.getLogger(__name__)


def standing(body: dict[str, Any]) -> ModelDeploymentStatus:
    """Read the status; one that nobody can read is as good as none, and is rebuilt from the children."""
    metadata = body["metadata"]
    try:
        found = ModelDeploymentStatus.model_validate(body.get("status") or {})
    except pydantic.ValidationError as error:
        log.warning("%s/%s: unreadable status: %s", metadata["namespace"], metadata["name"], fault(error))
        return ModelDeploymentStatus()
    if found.is_about(metadata["name"]):
        return found
    log.warning("%s/%s: a status that speaks of another's revisions", metadata["namespace"], metadata["name"])
    return ModelDeploymentStatus()


def verbs(body: dict[str, Any]) -> dict[str, str]:
    """Return what people told the operator to do, by verb."""
    annotations: dict[str, str] = body["metadata"].get("annotations") or {}
    return {
        name.removeprefix(names.PREFIX): value for name, value in annotations.items() if name.startswith(names.PREFIX)
    }


def fault(error: pydantic.ValidationError) -> str:
    """Return the first fault, with its field, in a sentence."""
    first = error.errors(include_url=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    field = ".".join(str(part) for part in ("spec", *first["loc"]))
    return said if said.startswith("spec.") else f"{field}: {said}"
