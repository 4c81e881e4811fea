"""JSON that nobody would write: pure noise, values that fit a schema, and good documents with one thing spoilt.

`hypothesis-jsonschema` makes values that fit a JSON schema. What is wanted here are also those that nearly fit, from
an OpenAPI schema with Kubernetes' own words in it; that is a walk of forty lines.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from hypothesis import strategies as st

Json = Any
Path = tuple[str | int, ...]

ODD = [
    *("", " ", "..", "/", "\n", "\x00", "a" * 300, "../../etc", "fraud", "fraud-00000000", "default", "-", "null"),
    *("\u202e", "{{x}}", "1e400", "NaN", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("kubernetes.default.svc.cluster.local", "other.other-namespace.svc.cluster.local", "0", "-1", "True"),
]
TIMES = [
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-02-29T00:00:00Z",
    "2026-01-01",
]
INSTANTS = ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
"""What the apiserver returns for the times of its own kinds: never anything else."""
NAMES = [
    "fraud",
    "fraud-0b1c7a52",
    "fraud-canary",
    "kubernetes",
    "s3://models/v1",
    "models:/fraud/1",
    "server:1",
    "fraud-1\n",
]
INSTANT = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$")
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=12))
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 99, 100, 101, 2**31 - 1, -(2**31), 2**63 - 1]), st.integers(-(2**31), 2**31)
)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, st.just(2**70), st.floats(allow_nan=False, allow_infinity=False), texts
)
noise = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Json]:
    """Return values that fit a structural schema; its CEL rules are not looked at."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.one_of(st.integers(0, 9), _strings(schema))
    match schema.get("type"):
        case "object" if "properties" in schema:
            fields = {name: of_schema(child) for name, child in schema["properties"].items()}
            required = {name: fields.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(required, optional=fields)
        case "object":
            names = st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "ephemeral-storage", "x"])
            values = schema.get("additionalProperties", {})
            return st.dictionaries(names, of_schema(values) if values else noise, max_size=3)
        case "array":
            unique = schema.get("x-kubernetes-list-map-keys")
            return st.lists(
                of_schema(schema["items"]),
                min_size=schema.get("minItems", 0),
                max_size=min(3, schema.get("maxItems", 3)),
                unique_by=(lambda each: each.get(unique[0])) if unique else repr,
            )
        case "integer":
            least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
            return st.one_of(st.sampled_from([least, most]), st.integers(least, most))
        case "boolean":
            return st.booleans()
        case "string":
            return _strings(schema)
    return noise


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.sampled_from(TIMES)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True).filter(_short(schema))
    return st.one_of(texts, st.sampled_from(NAMES)).filter(_short(schema))


def _short(schema: dict[str, Any]) -> Any:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    return lambda text: least <= len(text) <= most


def paths(document: Json, below: Path = ()) -> list[Path]:
    """Return the way to everything inside a document."""
    found = [below] if below else []
    if isinstance(document, dict):
        for name, child in document.items():
            found += paths(child, (*below, name))
    if isinstance(document, list):
        for index, child in enumerate(document):
            found += paths(child, (*below, index))
    return found


@st.composite
def spoilt(
    draw: st.DrawFn,
    document: Json,
    *,
    keep: tuple[Path, ...] = (),
    required: frozenset[str] = frozenset(),
    times: int = 3,
    alike: bool = False,
) -> Json:
    """Replace or remove up to so many things in a copy of a document.

    What is to be kept is left alone; a required key may get another value and is not removed. `alike` replaces by
    values of the same type, as the apiserver's schema would see to.
    """
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, times))):
        ways = [way for way in paths(document) if not any(kept[: len(way)] == way for kept in keep)]
        if not ways:
            break
        *above, last = draw(st.sampled_from(ways))
        holder = document
        for step in above:
            holder = holder[step]
        if isinstance(holder, dict) and last not in required and draw(st.integers(0, 3)) == 0:
            del holder[last]
        else:
            holder[last] = draw(like(holder[last], required) if alike else st.one_of(like(holder[last]), noise))
    return document


def like(value: Json, required: frozenset[str] = frozenset()) -> st.SearchStrategy[Json]:
    """Return values of a value's own type, as a schema without bounds would let them through."""
    match value:
        case bool():
            return st.booleans()
        case int():
            return numbers
        case float():
            return st.floats(0, 100)
        case str() if INSTANT.match(value):
            return st.sampled_from(INSTANTS)
        case str():
            return texts
        case list():
            return st.lists(st.sampled_from(value), max_size=3) if value else st.just([])
        case dict():
            return st.just({name: child for name, child in value.items() if name in required})
    return st.none()
