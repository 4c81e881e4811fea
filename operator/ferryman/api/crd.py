"""From pydantic to the CustomResourceDefinition: `python -m ferryman.api.crd > crds/modeldeployments.yaml`.

Kubernetes wants a structural schema: no references, no nulls, no titles, one type a node. pydantic's JSON schema is
rewritten into that shape; the docstrings of fields become `kubectl explain`.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from ferryman.api.base import ruled
from ferryman.api.modeldeployment import (
    GROUP,
    KIND,
    PLURAL,
    ROOT_RULES,
    VERSION,
    ModelDeploymentSpec,
)
from ferryman.api.status import ModelDeploymentStatus

Schema = dict[str, Any]

DROPPED = ("title", "additionalProperties", "$defs", "const", "writeOnly")
COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("Phase", "string", ".status.phase", 0),
    ("Step", "string", ".status.run.display", 0),
    ("Stable", "string", ".status.stable.revision", 0),
    ("Candidate", "string", ".status.candidate.revision", 0),
    ("Traffic", "string", ".status.traffic.display", 0),
    ("Shadow", "string", ".status.traffic.shadowDisplay", 0),
    ("URL", "string", ".status.url", 1),
    ("Reason", "string", ".status.reason", 1),
    ("Waiting", "string", ".status.waiting.cause", 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)


def structural(schema: Schema) -> Schema:
    """Rewrite a pydantic schema into the shape that Kubernetes accepts."""
    return _node(schema, schema.get("$defs", {}))


def _node(node: Schema, definitions: dict[str, Schema]) -> Schema:
    reference = node.get("$ref")
    if reference is not None:
        target = definitions[reference.rsplit("/", 1)[-1]]
        return _node({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    options = node.get("anyOf", [])
    if {"type": "null"} in options:
        present = [option for option in options if option != {"type": "null"}]
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return _node({**present[0], **rest}, definitions)
    cleaned = {key: value for key, value in node.items() if key not in DROPPED}
    if "const" in node:
        cleaned["enum"] = [node["const"]]
    if "description" in cleaned:
        cleaned["description"] = " ".join(cleaned["description"].split())
    if "properties" in node:
        cleaned["properties"] = {name: _node(child, definitions) for name, child in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        cleaned["additionalProperties"] = _node(node["additionalProperties"], definitions)
    if "items" in node:
        cleaned["items"] = _node(node["items"], definitions)
    if isinstance(node.get("default"), dict):
        cleaned["default"] = _present(node["default"])
    if cleaned.get("type") == "integer":
        cleaned["format"] = "int64"
    return cleaned


def _told(node: Schema) -> Schema:
    """Take the rules and defaults of wishes out of a schema of facts: what was seen must never be refused."""
    wishes = ("default", "x-kubernetes-validations", "pattern", "maxLength", "minLength", "maximum", "minimum")
    sizes = ("maxItems", "maxProperties", "required")
    kept = {key: value for key, value in node.items() if key not in (*wishes, *sizes)}
    if "properties" in kept:
        kept["properties"] = {name: _told(child) for name, child in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _told(kept[key])
    if "x-kubernetes-list-map-keys" in kept:
        kept["items"]["required"] = kept["x-kubernetes-list-map-keys"]
    return kept


def _present(default: Any) -> Any:
    """Return a default without its nulls: what is absent in Kubernetes is left out."""
    if isinstance(default, dict):
        return {key: _present(value) for key, value in default.items() if value is not None}
    return default


def definition() -> Schema:
    """Return the whole CustomResourceDefinition."""
    spec = structural(ModelDeploymentSpec.model_json_schema(by_alias=True))
    status = _told(structural(ModelDeploymentStatus.model_json_schema(by_alias=True, mode="serialization")))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mdep"],
                "categories": ["models"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, **({"priority": wide} if wide else {})}
                        for name, kind, path, wide in COLUMNS
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": (
                                "A model in production: which one is served, how its pods look and scale, where "
                                "clients find it, and how a new version of it takes over."
                            ),
                            "required": ["spec"],
                            **ruled(*ROOT_RULES),
                            "properties": {
                                "apiVersion": {"type": "string", "description": f"Always {GROUP}/{VERSION}."},
                                "kind": {"type": "string", "description": f"Always {KIND}."},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": status,
                            },
                        }
                    },
                }
            ],
        },
    }


class _Plain(yaml.SafeDumper):
    """YAML without anchors: a reader of the definition, or of its diff, should not have to look them up."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def main() -> None:
    """Print the definition as YAML."""
    sys.stdout.write("# Generated from operator/ferryman/api by `make crds`; do not edit.\n")
    yaml.dump(definition(), sys.stdout, _Plain, sort_keys=False, width=118, allow_unicode=True)


if __name__ == "__main__":
    main()
