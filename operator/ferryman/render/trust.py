"""Whose pickled models may be loaded: what the installation says, read for one model."""

from __future__ import annotations

from ferryman.settings import Settings


def trusted(uri: str, settings: Settings) -> bool:
    """Tell whether the installation lets pickled models from this URI be loaded."""
    return any(_below(uri, prefix) for prefix in settings.trusted_sources)


def _below(uri: str, prefix: str) -> bool:
    """Tell whether a URI is a place or below it: `s3://models` is a bucket, and `s3://models-too` another."""
    return uri.startswith(prefix) and (prefix.endswith("/") or uri.removeprefix(prefix)[:1] in {"", "/", "@"})
