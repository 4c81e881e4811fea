"""Which requests are chosen for a candidate whatever its share: by their headers, or by a cookie."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from ferryman.api.base import Model, rule, ruled, told

HEADER_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
HEADER_VALUE = r"^[!-~]([ -~]*[!-~])?$"
TAKEN = ("cookie", "host", "uri", "scheme", "method", "authority", "content-type")
"""What a match may not name as a header: the reasons stand in the rule of `Header`."""


def _free(name: str) -> str:
    """Hold an object that is older than the rule of the CRD to it."""
    if name in TAKEN:
        raise ValueError(f"a header's name must not be {name}: match another header")
    return name


HeaderName = Annotated[str, Field(pattern=HEADER_NAME, max_length=64), AfterValidator(_free), told(64)]
HeaderValue = Annotated[str, Field(pattern=HEADER_VALUE, min_length=1, max_length=256), told(256, minLength=1)]


class Header(Model):
    """A header with its value, or with how its value begins."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "has(self.exact) != has(self.prefix)",
                "a header must have either exact or prefix: to match two values, write two matches",
            ),
            rule(
                f"self.name.matches('{HEADER_NAME}')",
                "a header's name must be lower-case letters, digits and hyphens: so the mesh sees every name",
                ".name",
            ),
            rule(
                f"!has(self.exact) || self.exact.matches('{HEADER_VALUE}')",
                "a header's exact value must be printable ASCII without spaces at its ends",
                ".exact",
            ),
            rule(
                f"!has(self.prefix) || self.prefix.matches('{HEADER_VALUE}')",
                "a header's prefix must be printable ASCII without spaces at its ends",
                ".prefix",
            ),
            rule(
                f"!(self.name in [{', '.join(repr(name) for name in TAKEN)}])",
                "a header's name must not be cookie, which has a field of its own, nor host, uri, scheme, method or "
                "authority, which Istio does not match as headers, nor content-type, by which the route knows gRPC "
                "calls: match another header",
                ".name",
            ),
        )
    )

    name: HeaderName
    """The header's name in lower case."""
    exact: HeaderValue | None = None
    """The header's whole value."""
    prefix: HeaderValue | None = None
    """How the header's value begins."""


class Cookie(Model):
    """A cookie with its value."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
    """The cookie's name."""
    value: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)]
    """The cookie's whole value."""


class Match(Model):
    """One choice of requests: those that fulfil everything that is said here."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "has(self.cookie) || (has(self.headers) && self.headers.size() > 0)",
                "a match must name a header or a cookie: an empty one would mean every request",
            ),
        )
    )

    headers: Annotated[
        list[Header],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = []
    """Headers that a request must carry, each of them."""
    cookie: Cookie | None = None
    """A cookie that a request must carry."""
