"""What the apiserver says to each manifest in tests/admission: taken, or refused with words that name the field.

The last tests walk the definition. Of each rule, bound and field there has to be a manifest that breaks it and one
that stays just inside it, else there is a gap; what follows from types alone is tried without a manifest.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile.judge import Judge

from api_tier.kubectl import Kubectl, Refused
from ferryman.api import crd, reference
from localcluster.controlplane import ControlPlane

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


def fields(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Walk a manifest's part as `nodes` walks the schema, with each value."""
    yield path, value
    if isinstance(value, dict):
        for name, child in value.items():
            yield from fields(child, f"{path}.{name}")
    if isinstance(value, list):
        for child in value:
            yield from fields(child, f"{path}[]")


def taken(path: str) -> list[Any]:
    """Return every value that stands at a path in the valid manifests."""
    pattern = re.escape(path).replace(r"\*", ".+")
    return [value for manifest in USED for at, value in manifest if re.fullmatch(pattern, at)]


USED = [list(fields(yaml.safe_load(manifest.read_text())["spec"], "spec")) for manifest in VALID]
AT_LIMIT: dict[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, limit: value == limit,
    "maximum": lambda value, limit: value == limit,
    "minLength": lambda value, limit: len(value) == limit,
    "maxLength": lambda value, limit: len(str(value)) == limit,
    "maxItems": lambda value, limit: len(value) == limit,
    "maxProperties": lambda value, limit: len(value) == limit,
    "pattern": lambda _value, _limit: True,
    "x-kubernetes-list-type": lambda value, _limit: len(value) > 1,
}
"""When a value is as far as a bound lets it be."""


def untried(path: str, node: dict[str, Any]) -> Iterator[str]:
    """Return the bounds of a node that no valid manifest goes up to, and its choices that none makes."""
    values = taken(path)
    for bound, at_limit in AT_LIMIT.items():
        if node.get(bound, "atomic") != "atomic" and not any(at_limit(value, node[bound]) for value in values):
            yield f"{path}: {bound} {node[bound]}"
    choices = node.get("enum", [True, False] if node.get("type") == "boolean" else [])
    yield from (f"{path}: {choice}" for choice in choices if choice not in values)


def rules() -> Iterator[tuple[str, dict[str, str]]]:
    """Return every rule with the path that it stands at."""
    for path, node in (("", ROOT), *nodes(SPEC, "spec")):
        yield from ((path, rule) for rule in node.get("x-kubernetes-validations", []))


def heads() -> list[str]:
    """Return what the invalid manifests expect of rules; before a rule's message stands where it was broken."""
    return [told(manifest).rpartition('": ')[2] for manifest in INVALID]


def test_every_rule_has_a_manifest_that_breaks_it() -> None:
    # a rule's message goes on where the manifest's words may end
    unbroken = [
        rule["message"] for _, rule in rules() if not any(rule["message"].startswith(head) for head in heads())
    ]

    assert unbroken == []


def test_no_manifest_speaks_of_two_rules_at_once() -> None:
    """Words that fit two rules would show one of them as tried when the other is."""
    messages = {rule["message"] for _, rule in rules()}

    assert [head for head in heads() if sum(message.startswith(head) for message in messages) > 1] == []


def test_every_rule_has_a_valid_manifest_that_it_looks_at() -> None:
    """Each field that a rule reads stands in a valid manifest beside it; a scheme that it is about, in a URI."""
    unseen = []
    for path, rule in rules():
        read = {field for field in re.findall(r"\bself\.(\w+)", rule["rule"]) if field != "metadata"}
        unseen += [f"{path}.{field}: {rule['message']}" for field in read if not taken(f"{path}.{field}")]
    uris = taken("spec.model.uri")
    unseen += [scheme for scheme in reference.SCHEMES if not any(uri.startswith(scheme) for uri in uris)]

    assert unseen == []


def test_every_bound_has_a_manifest_that_breaks_it() -> None:
    said = "\n".join(re.sub(r"\[\d+\]", "[]", told(manifest)) for manifest in INVALID)

    missing = [
        sentence
        for path, node in nodes(SPEC, "spec")
        for sentence in words(path, node)
        if not re.search(re.escape(sentence).replace(r"\*", r"\w+"), said)
    ]

    assert missing == []


def test_every_bound_has_a_manifest_that_goes_up_to_it() -> None:
    assert [gap for path, node in nodes(SPEC, "spec") for gap in untried(path, node)] == []


def test_every_field_has_a_manifest_that_uses_it() -> None:
    assert [path for path, _ in nodes(SPEC, "spec") if "*" not in path and not taken(path)] == []


# --- what follows from types alone ---


@pytest.fixture(scope="module")
def judge(plane: ControlPlane, admin: Kubectl) -> Iterator[Judge]:
    with Judge(plane.kubeconfig) as judge:
        yield judge


Way = tuple[str | int, ...]
OTHERS: dict[str, list[Any]] = {
    "object": ["text", 1, True, []],
    "array": ["text", 1, True, {}],
    "string": [1, True, 50.5, {}, []],
    "integer": ["50", "text", True, 50.5, {}, []],
    "boolean": ["true", 1, {}, []],
}
"""Values of every type but the one that is wanted."""


def ways(value: Any, path: str, way: Way = ()) -> Iterator[tuple[str, Way]]:
    """Return where everything in a manifest stands: in the schema's words, and step by step."""
    yield path, way
    if isinstance(value, dict):
        for name, child in value.items():
            yield from ways(child, f"{path}.{name}", (*way, name))
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from ways(child, f"{path}[]", (*way, index))


def somewhere(path: str) -> tuple[Any, Way]:
    """Return a valid spec that has something at a path, and the way to it."""
    pattern = re.escape(path).replace(r"\*", "[^.]+")
    for manifest in VALID:
        spec = yaml.safe_load(manifest.read_text())["spec"]
        for at, way in ways(spec, "spec"):
            if re.fullmatch(pattern, at):
                return spec, way
    raise LookupError(path)


def put(spec: Any, way: Way, value: Any) -> Any:
    """Return a copy of a spec with another value at a place."""
    if not way:
        return value
    changed = copy.deepcopy(spec)
    holder = changed
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = value
    return changed


def spelt(way: Way) -> str:
    """Return a place as the apiserver spells it."""
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)


def test_a_value_of_another_type_is_refused_with_its_place(judge: Judge) -> None:
    wrong = []
    for path, node in nodes(SPEC, "spec"):
        spec, way = somewhere(path)
        for other in OTHERS.get(node.get("type", ""), [True, 50.5, {}, []]):
            answer = judge.create(put(spec, way, other))
            if spelt(way) not in answer:
                wrong.append((spelt(way), other, answer))

    assert wrong == []


def test_null_is_refused_or_means_that_nothing_was_said(judge: Judge) -> None:
    """As in a merge patch, null takes a field away, and its default comes back; a list has no field to take."""
    wrong = []
    for path, node in nodes(SPEC, "spec"):
        spec, way = somewhere(path)
        answer = judge.create(put(spec, way, None))
        if not way or path.endswith("[]"):
            fits = spelt(way) in answer or "spec: Required value" in answer
        else:
            fits = bool(answer) == bool(judge.create(without(spec, way)))
        if not fits:
            wrong.append((spelt(way), node.get("default"), answer))

    assert wrong == []


def without(spec: Any, way: Way) -> Any:
    """Return a copy of a spec with nothing at a place."""
    holder = changed = copy.deepcopy(spec)
    for step in way[:-1]:
        holder = holder[step]
    del holder[way[-1]]
    return changed


def test_an_unknown_field_is_refused_wherever_it_stands(judge: Judge) -> None:
    wrong = []
    for path, node in nodes(SPEC, "spec"):
        if "properties" in node:
            spec, way = somewhere(path)
            answer = judge.create(put(spec, (*way, "unheard-of"), 1))
            if f'unknown field "{spelt((*way, "unheard-of"))}"' not in answer:
                wrong.append((spelt(way), answer))

    assert wrong == []


def test_where_unknown_fields_are_only_warned_of_they_are_left_out(kubectl: Kubectl) -> None:
    manifest = yaml.safe_load(INVALID[0].with_name("field-unknown.yaml").read_text())

    told_of = kubectl("create", "--validate=warn", "-f", "-", stdin=yaml.safe_dump(manifest))

    kept = kubectl.get("modeldeployment", "fraud")
    assert kept is not None
    assert "created" in told_of
    assert "url" not in kept["spec"]["model"]
