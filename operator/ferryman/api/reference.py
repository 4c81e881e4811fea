"""What a model URI may look like, once for the apiserver (CEL) and once for the operator (Python).

The operator checks again because an object may predate a rule of the CRD. A reference names; it never
carries credentials, and never leaves its own namespace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEMES = ("models:/", "s3://", "https://", "pvc://")

_NAME = r"[A-Za-z0-9][A-Za-z0-9 _.-]*"
PATTERNS = {
    "models:/": rf"^models:/{_NAME}(/[1-9][0-9]*|@[A-Za-z0-9][A-Za-z0-9_-]*)$",
    "s3://": r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.*'()=+,@/-]+$",
    "https://": r"^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[A-Za-z0-9_.~%!$&'()*+,;=:@/-]+$",
    "pvc://": r"^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9_.=+,@/-]+$",
}
FORMS = {
    "models:/": "models:/NAME/VERSION or models:/NAME@ALIAS",
    "s3://": "s3://BUCKET/KEY",
    "https://": "https://HOST/PATH without user, query or fragment",
    "pvc://": "pvc://CLAIM/PATH",
}
_TRAVERSAL = r"(^|/)(\.|%2[eE])(\.|%2[eE])(/|$)"


def _quoted(pattern: str) -> str:
    """Quote a pattern as a CEL string literal."""
    return "'" + pattern.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _cel_rules() -> list[tuple[str, str]]:
    known = " || ".join(f"self.uri.startsWith('{scheme}')" for scheme in SCHEMES)
    rules = [(known, f"spec.model.uri must begin with one of {', '.join(SCHEMES)}")]
    for scheme, pattern in PATTERNS.items():
        rules.append(
            (
                f"!self.uri.startsWith('{scheme}') || self.uri.matches({_quoted(pattern)})",
                f"spec.model.uri must have the form {FORMS[scheme]}",
            )
        )
    rules.append(
        (f"!self.uri.matches({_quoted(_TRAVERSAL)})", "spec.model.uri must not climb with '..'"),
    )
    return rules


CEL_RULES = _cel_rules()


def checked(uri: str) -> str:
    """Return the URI unchanged, or raise ValueError with the sentence that the apiserver would have said."""
    scheme = next((known for known in SCHEMES if uri.startswith(known)), None)
    if scheme is None:
        raise ValueError(f"spec.model.uri must begin with one of {', '.join(SCHEMES)}")
    if not re.fullmatch(PATTERNS[scheme].strip("^$"), uri):
        raise ValueError(f"spec.model.uri must have the form {FORMS[scheme]}")
    if re.search(_TRAVERSAL, uri):
        raise ValueError("spec.model.uri must not climb with '..'")
    return uri


@dataclass(frozen=True, slots=True)
class RegistryReference:
    """A name in the model registry with a version, or an alias that stands for one."""

    name: str
    version: str | None
    alias: str | None


def registry_reference(uri: str) -> RegistryReference | None:
    """Read a `models:/` URI; None when the URI is a plain location that resolves to itself."""
    if not uri.startswith("models:/"):
        return None
    path = uri.removeprefix("models:/")
    if "@" in path:
        name, alias = path.rsplit("@", 1)
        return RegistryReference(name=name, version=None, alias=alias)
    name, version = path.rsplit("/", 1)
    return RegistryReference(name=name, version=version, alias=None)
