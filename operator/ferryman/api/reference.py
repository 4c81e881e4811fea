"""What a model URI may look like: one table, read once as CEL for the apiserver and once as Python for the operator.

The operator checks again because an object may predate a rule of the CRD. A reference names; it never carries
credentials, never leaves its own namespace, and never spells a name in another way than the plainest: what two
readers could read in two ways is refused. docs/decisions/0011-where-models-may-come-from.md says why each rule is
as it is, and what no rule about a text can know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEMES = ("models:/", "s3://", "https://", "pvc://")

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LAST_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
"""A host whose last label begins with a digit is an address in one of its many notations."""
_INSIDE = ("localhost", "local", "internal", "svc", "arpa")
"""Zones whose names mean something only inside a machine, a cloud or a cluster."""
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ENCODED = r"%(2[0-46-9A-DFa-df]|3[A-Fa-f]|40|5[BDEbde]|60|7[B-Db-d])"
"""Printable ASCII that may have to be encoded in a path: not `%` and `\\`, nor what never has to be, such as `.`."""
_PATH = r"(/[A-Za-z0-9!_.*'()=+,@-]+)+/?"
_WEB_PATH = rf"(/([A-Za-z0-9!_.*'()=+,@$&:;~-]|{_ENCODED})+)+/?"

FORMS = {
    "models:/": (
        r"models:/([A-Za-z0-9]([A-Za-z0-9 _.-]*[A-Za-z0-9_.-])?(/[1-9][0-9]{0,8}|@[A-Za-z0-9][A-Za-z0-9_-]*)|"
        r"m-[0-9a-f]{32})",
        "models:/NAME/VERSION, models:/NAME@ALIAS or models:/m-ID, the id of a logged model",
    ),
    "s3://": (rf"s3://{_LABEL}(\.{_LABEL})*{_PATH}", "s3://BUCKET/KEY"),
    "https://": (
        rf"https://({_LABEL}\.)+{_LAST_LABEL}(:{_PORT})?{_WEB_PATH}",
        "https://HOST/PATH, with a host's full name in lower case, and without user, query or fragment",
    ),
    "pvc://": (rf"pvc://{_LABEL}(\.{_LABEL})*{_PATH}", "pvc://CLAIM/PATH"),
}
"""Of each scheme, the whole text that it may be, and how people are told that."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that every URI beginning in one way must have, or must not have, and what is said otherwise."""

    begins: str
    pattern: str
    wanted: bool
    message: str

    def cel(self) -> str:
        """Return the rule as the apiserver evaluates it."""
        claim = f"self.uri.matches({_quoted(self.pattern)})"
        claim = claim if self.wanted else f"!{claim}"
        return f"!self.uri.startsWith('{self.begins}') || {claim}" if self.begins else claim

    def holds(self, uri: str) -> bool:
        """Tell whether a URI obeys the rule."""
        return not uri.startswith(self.begins) or (re.search(self.pattern, uri) is not None) is self.wanted


def _quoted(pattern: str) -> str:
    """Quote a pattern as a CEL string literal."""
    return "'" + pattern.replace("\\", "\\\\").replace("'", "\\'") + "'"


RULES = (
    Rule("", rf"^({'|'.join(SCHEMES)})", True, f"spec.model.uri must begin with one of {', '.join(SCHEMES)}"),
    # a line break at the end is caught here: Python's $ would let it pass
    Rule("", r"[^ -~]", False, "spec.model.uri must be printable ASCII"),
    *(
        Rule(scheme, f"^{text}$", True, f"spec.model.uri must have the form {told}")
        for scheme, (text, told) in FORMS.items()
    ),
    Rule("", r"(/|%2[Ff])\.\.?(/|%2[Ff]|;|%3[Bb]|$)", False, "spec.model.uri must not climb with '..'"),
    Rule(
        "https://",
        rf"^https://[^/]*\.({'|'.join(_INSIDE)})(:[0-9]+)?/",
        False,
        "spec.model.uri must not name a host inside the cluster or the cloud, such as NAME.svc or NAME.internal: "
        "use s3://, models:/ or pvc://, or the host's public name",
    ),
    Rule("s3://", r"^s3://[0-9]+(\.[0-9]+){3}/", False, "spec.model.uri must not have an address for a bucket"),
    Rule("s3://", r"^s3://([^/]{1,2}|[^/]{64,})/", False, "spec.model.uri must name a bucket of 3 to 63 characters"),
    Rule(
        "", r"^(https|pvc)://[^/:]{254,}", False, "spec.model.uri must name a host or claim of at most 253 characters"
    ),
)
CEL_RULES = [(rule.cel(), rule.message) for rule in RULES]


CHALLENGER = Rule(
    "", f"^{FORMS['models:/'][0]}$", True, f"spec.rollout.shadow.uri must have the form {FORMS['models:/'][1]}"
)
"""What a challenger's URI may look like: it comes from the registry."""


def challenger(uri: str) -> str:
    """Return a challenger's URI unchanged, or raise ValueError as the apiserver would have."""
    if not CHALLENGER.holds(uri) or uri.endswith("\n"):  # which Python's $ would let pass
        raise ValueError(CHALLENGER.message)
    return uri


def checked(uri: str) -> str:
    """Return the URI unchanged, or raise ValueError with the sentence that the apiserver would have said."""
    for rule in RULES:
        if not rule.holds(uri):
            raise ValueError(rule.message)
    return uri


@dataclass(frozen=True, slots=True)
class RegistryReference:
    """A name in the model registry with a version, or an alias that stands for one; or a logged model's own id."""

    name: str = ""
    version: str | None = None
    alias: str | None = None
    logged: str | None = None
    """The id of a model that was logged to MLflow 3, whether it is registered or not."""


def registry_reference(uri: str) -> RegistryReference | None:
    """Read a `models:/` URI; None when the URI is a plain location that resolves to itself."""
    if not uri.startswith("models:/"):
        return None
    path = uri.removeprefix("models:/")
    if "@" in path:
        name, alias = path.rsplit("@", 1)
        return RegistryReference(name=name, alias=alias)
    if "/" not in path:
        return RegistryReference(logged=path)
    name, version = path.rsplit("/", 1)
    return RegistryReference(name=name, version=version)


def names(uri: str, model: str) -> bool:
    """Tell whether a URI names a registered model."""
    named = registry_reference(uri)
    return named is not None and named.name == model


def moves(uri: str) -> bool:
    """Tell whether a URI is an alias, which may stand for another version tomorrow."""
    named = registry_reference(uri)
    return named is not None and named.alias is not None
