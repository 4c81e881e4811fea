"""The operator and the apiserver agree on what may be wished for: an object may predate a rule of the CRD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from ferryman.api import reference
from ferryman.api.modeldeployment import ModelDeploymentSpec

FOLDER = Path(__file__).parents[1] / "admission"
VALID, INVALID = (sorted((FOLDER / side).glob("*.yaml")) for side in ("valid", "invalid"))
CRD = yaml.safe_load((Path(__file__).parents[2] / "crds" / "modeldeployments.yaml").read_text())


def messages(schema: Any) -> Iterator[str]:
    """Return what the rules across fields say, of the whole schema."""
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", []))
        for inner in schema.values():
            yield from messages(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from messages(inner)


ACROSS_FIELDS = set(messages(CRD)) - {message for _, message in reference.CEL_RULES}


def of_the_api_alone(manifest: Path) -> bool:
    """Tell whether what is wrong has a meaning nevertheless, and the operator goes by it."""
    reason = manifest.read_text().partition("\n")[0].removeprefix("# refused: ")
    said = reason.split('"object": ')[-1]
    across_fields = any(said in message for message in ACROSS_FIELDS)
    numbers = {"percent-in-quotes", "percent-not-a-number"}
    return across_fields or "Duplicate value" in reason or manifest.stem in numbers


@pytest.mark.parametrize("manifest", VALID, ids=lambda path: path.stem)
def test_what_the_apiserver_takes_the_operator_understands(manifest: Path) -> None:
    ModelDeploymentSpec.model_validate(yaml.safe_load(manifest.read_text())["spec"])


@pytest.mark.parametrize("manifest", INVALID, ids=lambda path: path.stem)
def test_what_the_apiserver_refuses_the_operator_refuses_too(manifest: Path) -> None:
    body = yaml.safe_load(manifest.read_text())
    if body["metadata"]["name"] != "fraud" or of_the_api_alone(manifest):
        return  # names, too, are seen by the apiserver alone

    with pytest.raises(pydantic.ValidationError):
        ModelDeploymentSpec.model_validate(body["spec"])
