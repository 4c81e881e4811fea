"""A model URI, read once: which kind of place it names, and where in it.

The operator has already resolved aliases, so a registry reference always carries a version.
"""

import enum
import re
import urllib.parse
from dataclasses import dataclass

from ferryman_server.reason import FatalError, Reason

# what two readers could read in two ways: control characters, spaces, other scripts, backslashes, and what decodes to
# them, to a percent sign, or to nothing
_ODD = re.compile(r"[^!-~]|[\\]|%(?![0-9A-Fa-f]{2})|%[01][0-9A-Fa-f]|%7[Ff]|%5[Cc]|%25|%[Cc][01]|%[Ee]0%[89]")
_LONGEST = 2048
_SEPARATORS = re.compile(r"[/;?]")
_VERSION = re.compile(r"[0-9]{1,9}")
_LOGGED = re.compile(r"m-[0-9a-f]{32}")


class Kind(enum.StrEnum):
    """The places a model can come from."""

    REGISTRY = "models"
    S3 = "s3"
    WEB = "https"
    VOLUME = "pvc"


@dataclass(frozen=True, slots=True)
class Source:
    """`place` is the registered model, bucket, host or claim; `path` the version, key or path in it.

    A model that was logged and need not be registered is its own place, without a path.
    """

    kind: Kind
    uri: str
    place: str
    path: str


def parse(uri: str, *, allow_http: bool = False) -> Source:
    """Read a URI; one that names no place, or that can be read in two ways, is refused with what would do."""
    scheme, _, rest = uri.partition(":")
    if fault := _ambiguous(uri, scheme, rest):
        raise _malformed(uri, fault)
    if scheme == "models":
        return _registered(uri, rest)
    parts = urllib.parse.urlsplit(uri)
    path = urllib.parse.unquote(parts.path).lstrip("/")
    match scheme:
        case "s3":
            if not parts.netloc or not path:
                raise _malformed(uri, "s3://bucket/key")
            return Source(Kind.S3, uri, parts.netloc, path)
        case "https" | "http":
            if scheme == "http" and not allow_http:
                raise FatalError(
                    Reason.ARTIFACT_FORBIDDEN,
                    f"{uri} would come over plain http, where anybody on the way can change it; use https.",
                )
            if not parts.netloc or not path:
                raise _malformed(uri, "https://host/path/to/model")
            return Source(Kind.WEB, uri, parts.netloc, path)
        case "pvc":
            if not parts.netloc:
                raise _malformed(uri, "pvc://claim/path")
            return Source(Kind.VOLUME, uri, parts.netloc, path)
        case _:
            raise _malformed(uri, "models:/, s3://, https:// or pvc://")


def _registered(uri: str, rest: str) -> Source:
    name, _, version = rest.removeprefix("//").removeprefix("/").partition("/")
    if _LOGGED.fullmatch(name) and not version and not rest.endswith("/"):
        return Source(Kind.REGISTRY, uri, name, "")
    if not name or not {"@", ":"}.isdisjoint(name) or not _VERSION.fullmatch(version):
        raise _malformed(
            uri, "models:/name/version, with a version number, or models:/m- and the id of a logged model"
        )
    return Source(Kind.REGISTRY, uri, urllib.parse.unquote(name), version)


def _ambiguous(uri: str, scheme: str, rest: str) -> str:
    """Return what to write in place of a URI that two readers could read in two ways; nothing for a plain one."""
    if len(uri) > _LONGEST:
        return f"at most {_LONGEST} characters"
    if _ODD.search(uri.replace(" ", "") if scheme == "models" else uri):
        return "printable ASCII, with what has to be encoded encoded once"
    if not {".", ".."}.isdisjoint(_SEPARATORS.split(urllib.parse.unquote(rest))):
        return "a path without . and .."
    if "#" in uri or "@" in rest.removeprefix("//").partition("/")[0]:
        return "an address without user, password and fragment"
    return ""


def _malformed(uri: str, wanted: str) -> FatalError:
    return FatalError(Reason.ARTIFACT_NOT_FOUND, f'"{uri}" is not a model address; write {wanted}.')
