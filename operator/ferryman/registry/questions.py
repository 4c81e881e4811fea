"""What is asked of MLflow, and what its answers and refusals mean."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ferryman.api.conditions import Reason
from ferryman.api.modeldeployment import DIGEST
from ferryman.api.reference import RegistryReference
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import client
from ferryman.registry.secrecy import HIDDEN, PASSWORD, redacted
from ferryman.rollout.compatibility import RELEASE

NUMBER = re.compile(r"[0-9]{1,9}")
MOST_PLACE = 2048
"""So many characters an address may have: a status and a pod hold it."""
REFUSED = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"})
MOST_RELEASE = 64
MOST_TAGS = 16
MOST_TEXT = 128
"""So many characters of a tag's value are kept."""
OTHERS = ("mlflow.", "ferryman.")
"""How tags begin that nobody gave the version by hand."""
PAGE = 100
"""With so many models on a page an answer stays far below its bound."""

TOO_LONG = "an answer of more than"
"""What `bounds` says of an answer that it cuts off."""

Page = dict[RegistryReference, tuple[str, ResolvedModel | None]]
"""Aliases with the version that each stands for, and all that is to be known of it if the page says that, too."""

log = logging.getLogger(__name__)


def look_up(tracking: str, uri: str, name: RegistryReference) -> ResolvedModel | Unresolved:
    """Ask MLflow which bytes a name means, from a thread."""
    mlflow, failure = client.connected(tracking)
    try:
        if name.logged is not None:
            return _logged(tracking, mlflow.get_logged_model(name.logged), uri, name.logged)
        found = (
            mlflow.get_model_version_by_alias(name.name, name.alias)
            if name.alias is not None
            else mlflow.get_model_version(name.name, str(name.version))
        )
        return _version(tracking, found, uri, name)
    except failure as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}:
            return _unknown(mlflow, failure, tracking, name, error)
        return _refused(tracking, str(error)) if error.error_code in REFUSED else away(tracking, str(error.message))
    except Exception as error:  # noqa: BLE001 what a broken registry can raise, or make of an answer, has no end
        return away(tracking, f"{type(error).__name__}: {error}")


def _version(tracking: str, found: Any, uri: str, name: RegistryReference) -> ResolvedModel | Unresolved:
    """Return a registered version, of whose record nothing is believed that cannot be meant."""
    # an answer of nothing, or of another question, would read as a version without a number
    number, source = str(found.version), str(found.source or "")
    if found.name != name.name or number != (name.version or number) or not NUMBER.fullmatch(number):
        return away(tracking, f"an answer that does not speak of {uri}")
    if len(source) > MOST_PLACE:
        return away(tracking, f"an answer with a source of {len(source)} characters")
    return _resolved(uri, found, _location(tracking, name.name, number, source))


def _resolved(uri: str, found: Any, location: str | None) -> ResolvedModel:
    """Return a registered version as it was found."""
    number = str(found.version)
    return ResolvedModel(
        uri=f"models:/{found.name}/{number}",
        requested=uri,
        version=number,
        source=_public(str(found.source or "")),
        location=location,
        run_id=str(found.run_id or "")[:MOST_TEXT] or None,
        digest=_digest(found.tags or {}),
        release=_release(found.tags or {}),
        registered=_moment(found.creation_timestamp),
        registered_by=str(found.user_id or "")[:MOST_TEXT] or None,
        tags=_tags(found.tags or {}),
    )


@functools.lru_cache(maxsize=4096)
def _location(tracking: str, name: str, version: str, source: str) -> str | None:
    """Return where a version's files lie: MLflow 3 calls a logged model its source, and knows the place behind it.

    A logged model never moves, so each is asked for once. Where that cannot be had the pods ask.
    """
    place = source
    if source.startswith("models:/"):
        mlflow, failure = client.connected(tracking)
        try:
            place = str(mlflow.get_model_version_download_uri(name, version))
        except failure:
            return None
    return _safe(place)


def _safe(place: str) -> str | None:
    """Return an address that may stand in a status and in a pod; None for another."""
    return place if place and place == _public(place) and len(place) <= MOST_PLACE else None


def _public(place: str | None) -> str | None:
    """Return an address without its password: some stores have theirs in it."""
    return PASSWORD.sub(f"://{HIDDEN}@", place) if place else None


def _release(tags: Mapping[str, str]) -> str | None:
    """Return the semantic version that a tag gives."""
    said = str(tags.get("version", ""))
    return said if RELEASE.match(said) and len(said) <= MOST_RELEASE else None


def _digest(tags: Mapping[str, str]) -> str | None:
    """Return the digest that a tag gives: the registry itself knows none."""
    said = str(tags.get("digest", ""))
    return said if re.match(DIGEST, said) else None


def _tags(tags: Mapping[str, str]) -> dict[str, str] | None:
    """Return the first of somebody's own tags, in their order by name; None if there are none."""
    own = sorted((name, value) for name, value in tags.items() if not name.startswith(OTHERS))
    return {name[:MOST_TEXT]: str(value)[:MOST_TEXT] for name, value in own[:MOST_TAGS]} or None


def _moment(milliseconds: int | None) -> datetime | None:
    """Return when something was; None for what no calendar has."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(milliseconds // 1000, UTC) if milliseconds else None
    return None


def aliases(tracking: str, token: str | None, size: int) -> tuple[Page, str | None] | None:
    """Ask for a page of the aliases of all models, from a thread; return their versions, and what asks for the next.

    Nothing, and no next page, where that cannot be had: each is asked for itself then. None for a page that is longer
    than an answer may be, and has to be asked for in smaller ones.
    """
    found: Page = {}
    try:
        mlflow, _ = client.connected(tracking)
        page = mlflow.search_registered_models(max_results=size, page_token=token)
    except Exception as error:  # noqa: BLE001 what a broken registry can raise has no end
        if TOO_LONG in str(error) and size > 1:
            return None
        log.info("MLflow at %s does not list its aliases: %s", tracking, redacted(str(error)))
        return found, None
    for model in page:
        latest = {str(each.version): each for each in model.latest_versions or ()}
        for alias, version in (model.aliases or {}).items():
            whole, name = latest.get(str(version)), RegistryReference(name=model.name, alias=alias)
            found[name] = (str(version), _listed(f"models:/{model.name}@{alias}", whole) if whole else None)
    return found, page.token or None


def _listed(uri: str, found: Any) -> ResolvedModel | None:
    """Return a version as a list has it; None if it has to be asked for by itself.

    Where a logged model lies would be one more question for each, so the pods ask.
    """
    source = str(found.source or "")
    if len(source) > MOST_PLACE or not NUMBER.fullmatch(str(found.version)):
        return None
    return _resolved(uri, found, None if source.startswith("models:/") else _safe(source))


def _logged(tracking: str, model: Any, uri: str, wanted: str) -> ResolvedModel | Unresolved:
    """Return a logged model, which never changes: its id is as good as a version."""
    if model.model_id != wanted:
        return away(tracking, f"an answer that does not speak of {uri}")
    place = str(model.artifact_location or "")
    if len(place) > MOST_PLACE:
        return away(tracking, f"an answer with a place of {len(place)} characters")
    return ResolvedModel(
        uri=uri,
        requested=uri,
        source=_public(place),
        location=_safe(place),
        run_id=model.source_run_id or None,
    )


def _unknown(mlflow: Any, failure: type[Exception], tracking: str, name: RegistryReference, error: Any) -> Unresolved:
    """Tell a missing version or alias from a missing model."""
    if name.logged is not None:
        return Unresolved(
            Reason.MODEL_NOT_FOUND,
            f'MLflow at {tracking} has no logged model "{name.logged}"; log it, or correct spec.model.uri',
        )
    try:
        mlflow.get_registered_model(name.name)
    except failure as missing:
        if getattr(missing, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            return away(tracking, str(missing))
        return Unresolved(
            Reason.MODEL_NOT_FOUND,
            f'MLflow at {tracking} has no registered model "{name.name}"; register it, or correct spec.model.uri',
        )
    if name.alias is not None:
        return Unresolved(
            Reason.ALIAS_NOT_FOUND,
            f'model "{name.name}" has no alias "{name.alias}" in MLflow; set it, or correct spec.model.uri',
        )
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return Unresolved(
            Reason.VERSION_NOT_FOUND,
            f'model "{name.name}" has no version {name.version} in MLflow; register it, or correct spec.model.uri',
        )
    return away(tracking, str(error))


def _refused(tracking: str, detail: str) -> Unresolved:
    """Return that the registry does not know the operator's account, or lets it see nothing."""
    return Unresolved(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow at {tracking} refuses the operator's account ({_brief(detail)}); set MLFLOW_TRACKING_TOKEN, or "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in the chart's extraEnv, or the tokenSecret of this "
        "server in mlflow.registries; what was resolved before serves on",
    )


def away(tracking: str, detail: str) -> Unresolved:
    """Return that the registry did not answer, with what it did instead."""
    return Unresolved(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow at {tracking} did not answer ({_brief(detail)}); it is asked again, and what was resolved before "
        "serves on",
    )


def _brief(detail: str) -> str:
    return " ".join(redacted(detail).split())[:300]
