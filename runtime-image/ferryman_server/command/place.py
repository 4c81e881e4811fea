"""Where the model lies that a person named: here, or elsewhere and then in a cache; and what to call it."""

import hashlib
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ferryman_server import manifest
from ferryman_server.fetch import archive
from ferryman_server.load import detect
from ferryman_server.reason import FatalError, Reason

_URI = re.compile(r"([a-z][a-z0-9+.-]*):/")
_ENDINGS = (*archive.SUFFIXES, *(suffix for suffixes in detect.SUFFIXES.values() for suffix in suffixes))
_NO_NAME = {"artifact", "artifacts"}  # what MLflow calls every model's directory
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Place:
    """`path` is what to serve; where `uri` is not empty it has to be fetched to there first."""

    path: Path
    name: str
    uri: str = ""
    version: str = ""


def find(given: str, env: Mapping[str, str]) -> Place:
    """A path as it lies, or a room in the cache for a URI."""
    scheme = _URI.match(given)
    path = Path(given).expanduser()
    if path.exists() or not scheme:
        return _here(path)
    if scheme[1] == "file":
        return _here(Path(urllib.parse.unquote(urllib.parse.urlsplit(given).path)))
    return _away(given, scheme[1], env)


def cache(env: Mapping[str, str]) -> Path:
    """Where what can be had again is kept."""
    root = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "ferryman"


def _here(path: Path) -> Place:
    path = path.absolute()
    if not path.exists():
        raise FatalError(Reason.ARTIFACT_NOT_FOUND, f"There is nothing at {path}; name a file, a directory or a URI.")
    path = _only_model(path)
    parts = [part for part in reversed(path.resolve().parts) if part not in _NO_NAME]
    return Place(path, _name(parts[0]))


def _only_model(path: Path) -> Path:
    """The path itself, or the one MLflow model below it: of a run, of an experiment, of all of `mlruns`."""
    if path.is_file() or (path / detect.MLMODEL).is_file() or (path / manifest.NAME).is_file():
        return path
    models = sorted(detect.models(path), key=lambda model: model.stat().st_mtime, reverse=True)
    if all(model.is_file() for model in models):
        return path  # whoever loads it says which of its files is the model
    if len(models) > 1:
        shown = "".join(f"\n  {_spoken(model)}" for model in models[:_MOST_SHOWN])
        more = f"\n  and {len(models) - _MOST_SHOWN} more" if len(models) > _MOST_SHOWN else ""
        raise FatalError(
            Reason.UNKNOWN_FORMAT,
            f"{_spoken(path)} holds {len(models)} models; name one of them, the newest first:{shown}{more}",
        )
    return models[0]


def _spoken(path: Path) -> str:
    """As a person would type it from where they are."""
    below = path.is_relative_to(Path.cwd()) and path != Path.cwd()
    return os.path.relpath(path) if below else str(path)


def _away(uri: str, scheme: str, env: Mapping[str, str]) -> Place:
    plain = uri.partition("?")[0]  # the rest of a signed URL is a secret
    name, version = _registered(plain) if scheme == "models" else (_name(plain.rstrip("/").rpartition("/")[2]), "")
    digest = hashlib.sha256("\n".join((plain, *_whose(scheme, env))).encode()).hexdigest()[:12]
    return Place(cache(env) / "models" / f"{name}-{digest}", name, uri, version)


def _whose(scheme: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Which registry or store the address is in: the same words mean another model elsewhere."""
    if scheme == "s3":
        return (env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or "",)
    if scheme == "models":
        registry = env.get("MLFLOW_REGISTRY_URI") or env.get("MLFLOW_TRACKING_URI") or ""
        return (registry, "" if registry.startswith("http") else str(Path.cwd()))  # a file, perhaps of this directory
    return ()


def _registered(uri: str) -> tuple[str, str]:
    name, _, version = uri.removeprefix("models:").lstrip("/").partition("/")
    return _name(name), version


def _name(last: str) -> str:
    """What can stand in a URL, made from the last part of a path."""
    last = urllib.parse.unquote(last)
    ending = next((one for one in _ENDINGS if last.lower().endswith(one)), "")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last[: len(last) - len(ending)]).strip("-._") or "model"
