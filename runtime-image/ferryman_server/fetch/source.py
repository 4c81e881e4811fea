"""A model URI, read once: which kind of place it names, and where in it.

The operator has already resolved aliases, so a registry reference always carries a version.
"""

import enum
import urllib.parse
from dataclasses import dataclass
from pathlib import PurePosixPath

from ferryman_server.reason import FatalError, Reason


class Kind(enum.StrEnum):
    """The places a model can come from."""

    REGISTRY = "models"
    S3 = "s3"
    WEB = "https"
    VOLUME = "pvc"


@dataclass(frozen=True, slots=True)
class Source:
    """`place` is the registered model, bucket, host or claim; `path` the version, key or path in it."""

    kind: Kind
    uri: str
    place: str
    path: str


def parse(uri: str, *, allow_http: bool = False) -> Source:
    """Read a URI; one that names no place is refused with what would do."""
    scheme, _, rest = uri.partition(":")
    if scheme == "models":
        name, _, version = rest.removeprefix("//").strip("/").partition("/")
        if not name or not version.isdecimal():
            raise _malformed(uri, "models:/name/version, with a version number")
        return Source(Kind.REGISTRY, uri, urllib.parse.unquote(name), version)
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
            if not parts.netloc or ".." in PurePosixPath(path).parts:
                raise _malformed(uri, "pvc://claim/path, without ..")
            return Source(Kind.VOLUME, uri, parts.netloc, path)
        case _:
            raise _malformed(uri, "models:/, s3://, https:// or pvc://")


def _malformed(uri: str, wanted: str) -> FatalError:
    return FatalError(Reason.ARTIFACT_NOT_FOUND, f'"{uri}" is not a model address; write {wanted}.')
