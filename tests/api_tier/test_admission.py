"""What the apiserver says to each manifest in tests/admission: taken, or refused with words that name the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_tier.kubectl import Kubectl, Refused
from ferryman.api import reference

FOLDER = Path(__file__).parents[1] / "admission"
VALID, INVALID = (sorted((FOLDER / side).glob("*.yaml")) for side in ("valid", "invalid"))


def create(kubectl: Kubectl, manifest: Path) -> str:
    return kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(manifest))


@pytest.mark.parametrize("manifest", VALID, ids=lambda path: path.stem)
def test_a_valid_manifest_is_taken(admin: Kubectl, manifest: Path) -> None:
    assert "created (server dry run)" in create(admin, manifest)


@pytest.mark.parametrize("manifest", INVALID, ids=lambda path: path.stem)
def test_an_invalid_manifest_is_refused_with_its_reason(admin: Kubectl, manifest: Path) -> None:
    first, _, _ = manifest.read_text().partition("\n")
    reason = first.removeprefix("# refused: ")

    with pytest.raises(Refused) as refused:
        create(admin, manifest)

    assert reason in str(refused.value)


def test_every_rule_about_uris_has_a_manifest_that_breaks_it() -> None:
    told = "\n".join(manifest.read_text().partition("\n")[0] for manifest in INVALID)

    for _, message in reference.CEL_RULES:
        assert message in told
