"""What the apiserver says to each manifest in tests/admission: taken, or refused with words that name the field.

The last tests walk the definition: a rule, a bound or a field that no manifest there tries is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_tier.kubectl import Kubectl, Refused
from ferryman.api import crd

FOLDER = Path(__file__).parents[1] / "admission"
VALID, INVALID = (sorted((FOLDER / side).glob("*.yaml")) for side in ("valid", "invalid"))
ROOT = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = ROOT["properties"]["spec"]

BOUNDS = {
    "minimum": "{path} in body should be greater than or equal to",
    "maximum": "{path} in body should be less than or equal to",
    "minLength": "{path} in body should be at least",
    "maxLength": "{path}: Too long",
    "maxItems": "{path}: Too many",
    "maxProperties": "{path}: Too many",
    "pattern": "{path} in body should match",
    "enum": "{path}: Unsupported value",
    "x-kubernetes-list-type": "{path}[]: Duplicate value",
}
"""How the apiserver words the breach of each bound."""


def create(kubectl: Kubectl, manifest: Path) -> str:
    return kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(manifest))


def told(manifest: Path) -> str:
    """Return the words that an invalid manifest expects."""
    return manifest.read_text().partition("\n")[0].removeprefix("# refused: ")


@pytest.mark.parametrize("manifest", VALID, ids=lambda path: path.stem)
def test_a_valid_manifest_is_taken(admin: Kubectl, manifest: Path) -> None:
    assert "created (server dry run)" in create(admin, manifest)


@pytest.mark.parametrize("manifest", INVALID, ids=lambda path: path.stem)
def test_an_invalid_manifest_is_refused_with_its_reason(admin: Kubectl, manifest: Path) -> None:
    with pytest.raises(Refused) as refused:
        create(admin, manifest)

    assert told(manifest) in str(refused.value)


def test_an_object_comes_back_as_it_was_written(kubectl: Kubectl) -> None:
    steps = [
        {"shadowPercent": 100, "pause": {"duration": "10m"}},
        {"trafficPercent": 5, "pause": {}},
        {"trafficPercent": 100},
    ]
    body = {
        "apiVersion": "ferryman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud"},
        "spec": {
            "model": {"uri": "s3://bucket/model"},
            "rollout": {"canary": {"steps": steps}},
            "scaling": {"replicas": 2},
        },
    }

    kubectl.apply(body)

    kept = kubectl.get("modeldeployment", "fraud")
    assert kept is not None
    assert kept["spec"]["rollout"]["canary"]["steps"] == steps, "a pause without a duration is not pruned away"
    assert kept["spec"]["scaling"] == {"replicas": 2}, "no default stands in the way of a fixed number"


def test_a_number_takes_the_place_of_steps_in_one_patch(kubectl: Kubectl) -> None:
    steps = VALID[0].with_name("steps.yaml")
    kubectl("create", "-f", str(steps))

    with pytest.raises(Refused, match="in a merge patch, set it to null"):
        kubectl.patch("modeldeployment", "fraud", {"spec": {"rollout": {"canary": {"trafficPercent": 50}}}})
    kubectl.patch(
        "modeldeployment", "fraud", {"spec": {"rollout": {"canary": {"trafficPercent": 50, "steps": None}}}}
    )


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk a schema; an element of a list is `[]`, the value of a map `.*`."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}.*")


def words(path: str, node: dict[str, Any]) -> Iterator[str]:
    """Return what the apiserver says when a bound of this node is broken."""
    yield from (
        sentence.format(path=path) for bound, sentence in BOUNDS.items() if node.get(bound, "atomic") != "atomic"
    )
    yield from (f"{path}.{name}: Required value" for name in node.get("required", []))


def fields(value: Any, path: str) -> Iterator[str]:
    """Walk a manifest's part as `nodes` walks the schema."""
    yield path
    if isinstance(value, dict):
        for name, child in value.items():
            yield from fields(child, f"{path}.{name}")
    if isinstance(value, list):
        for child in value:
            yield from fields(child, f"{path}[]")


def test_every_rule_has_a_manifest_that_breaks_it() -> None:
    rules = [
        rule["message"]
        for _, node in (("", ROOT), *nodes(SPEC, "spec"))
        for rule in node.get("x-kubernetes-validations", [])
    ]
    # a rule's message goes on where the manifest's words may end; before it stands where it was broken
    heads = [told(manifest).rpartition('": ')[2] for manifest in INVALID]

    assert [message for message in rules if not any(message.startswith(head) for head in heads)] == []


def test_every_bound_has_a_manifest_that_breaks_it() -> None:
    said = "\n".join(re.sub(r"\[\d+\]", "[]", told(manifest)) for manifest in INVALID)

    missing = [
        sentence
        for path, node in nodes(SPEC, "spec")
        for sentence in words(path, node)
        if not re.search(re.escape(sentence).replace(r"\*", r"\w+"), said)
    ]

    assert missing == []


def test_every_field_has_a_manifest_that_uses_it() -> None:
    used = {path for manifest in VALID for path in fields(yaml.safe_load(manifest.read_text())["spec"], "spec")}

    missing = [path for path, _ in nodes(SPEC, "spec") if "*" not in path and path not in used]

    assert missing == []
