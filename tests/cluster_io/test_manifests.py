"""The operator and the apiserver agree on what may be wished for: an object may predate a rule of the CRD."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest
import yaml

from ferryman.api.modeldeployment import ModelDeploymentSpec

FOLDER = Path(__file__).parents[1] / "admission"
VALID, INVALID = (sorted((FOLDER / side).glob("*.yaml")) for side in ("valid", "invalid"))
OF_THE_API_ALONE = {
    *("host-twice", "min-over-max", "min-over-default-max", "percent-not-a-number", "requests-over-limits"),
    *(
        "gateways-without-hosts",
        "hosts-without-gateways",
        "gpu-requests-unlike-limits",
        "gpu-requests-without-limits",
    ),
}
"""Rules across fields: what breaks one still has a meaning, and the operator goes by it."""


@pytest.mark.parametrize("manifest", VALID, ids=lambda path: path.stem)
def test_what_the_apiserver_takes_the_operator_understands(manifest: Path) -> None:
    ModelDeploymentSpec.model_validate(yaml.safe_load(manifest.read_text())["spec"])


@pytest.mark.parametrize("manifest", INVALID, ids=lambda path: path.stem)
def test_what_the_apiserver_refuses_the_operator_refuses_too(manifest: Path) -> None:
    body = yaml.safe_load(manifest.read_text())
    if body["metadata"]["name"] != "fraud" or manifest.stem in OF_THE_API_ALONE:
        return  # names, too, are seen by the apiserver alone

    with pytest.raises(pydantic.ValidationError):
        ModelDeploymentSpec.model_validate(body["spec"])
