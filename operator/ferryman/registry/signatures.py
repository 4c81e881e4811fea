"""What a version is, takes and gives, from the file that was logged with it: MLmodel.

The tracking server hands it out whatever store it lies in, as it does to its own pages, so the operator needs no
credentials of a store. A version never changes, so each is asked for once. That nothing is known is an answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ferryman.api import reference
from ferryman.api.reference import RegistryReference
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Unresolved
from ferryman.registry import answers, client
from ferryman.registry.several import Registries
from ferryman.rollout import compatibility
from ferryman.rollout.compatibility import Released, Signature, Value
from ferryman.settings import Settings

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C, where there is one: a file of the size below would keep Python busy for seconds."""
MOST_BYTES = 1024 * 1024
"""A signature of ten thousand columns is smaller."""
MOST_PARTS, DEEPEST = 20_000, 32
"""So many keys, words and lists, and so deep, are in no such file that MLflow writes."""
MOST_KNOWN = 1024
MOST_SAID = 16
MOST_TEXT = 128
"""So many flavours, inputs or outputs are told one by one, each in so many characters."""
REMEMBER_FAILURE_SECONDS = 60.0
"""So long a look is not held up again by a version of which nobody can say anything."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Described:
    """What a version's MLmodel file says."""

    flavors: tuple[str, ...] = ()
    signature: Signature | None = None


class Signatures:
    """The signatures of registered versions."""

    def __init__(self, settings: Settings, clock: Callable[[], float], registries: Registries | None = None) -> None:
        """Ask as the registries do that look-ups use, if there are some."""
        self._settings = settings
        self._clock = clock
        self._registries = registries or Registries(settings, clock)
        self._known: dict[tuple[str, str], Described] = {}
        self._failed: set[tuple[str, str]] = set()
        """Those that could not be read once, and are asked for once more."""
        self._again_at: dict[tuple[str, str], float] = {}
        """When it may be asked again for those of whom nobody could say anything."""

    async def of(self, uri: str, registry: str | None = None) -> Signature | None:
        """Return what a version takes and gives; None where it does not say, or nobody can be asked now."""
        found = await self._read(uri, registry, uri)
        return found.signature if isinstance(found, Described) else None

    async def described(self, model: ResolvedModel, *others: ResolvedModel) -> ResolvedModel | Unresolved:
        """Return a version together with what was logged with it, as far as that is to be had at all.

        Unresolved if it, or what it will be compared with, has to wait for its turn.
        """
        found, *beside = [await self._read(each.uri, each.registry, model.requested) for each in (model, *others)]
        if any(isinstance(each, Unresolved) for each in (found, *beside)):
            return answers.later(model.requested)
        if not isinstance(found, Described):
            return model
        signature = found.signature or Signature()
        sides = {"inputs": signature.inputs, "outputs": signature.outputs}
        said = {side: _said([_in_words(value) for value in values or ()]) for side, values in sides.items()}
        return model.model_copy(update={"flavors": _said(list(found.flavors)), **said})

    async def _read(self, uri: str, registry: str | None, wanted: str) -> Described | Unresolved | None:
        """Read a version's file for who follows a URI; None where nobody can, an Unresolved if it has to wait."""
        named, server = reference.registry_reference(uri), registry or self._settings.tracking_uri
        if named is None or named.version is None or not server:
            return None
        key = (server, uri)
        if key in self._known or self._clock() < self._again_at.get(key, 0.0):
            return self._known.get(key)
        asked = self._registries.at(registry)
        found = await asked.read(wanted, uri, _ask, server, named)
        if isinstance(found, Unresolved) and key not in self._failed and not asked.files.ails():
            self._failed.add(key)  # one hiccup lets no version through that breaks its callers
            asked.owe(wanted)
            found = None
        if found is None:
            return answers.later(wanted)
        self._failed.discard(key)
        if isinstance(found, Unresolved):
            self._ask_later(key)
            log.info("nobody says what %s takes: %s", uri, found.message)
            return None
        if found == Described():  # or a proxy says so while the server is away: no answer for ever
            self._ask_later(key)
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = found
        return found

    def _ask_later(self, key: tuple[str, str]) -> None:
        now = self._clock()
        self._again_at = {other: at for other, at in self._again_at.items() if at > now}
        self._again_at[key] = now + REMEMBER_FAILURE_SECONDS

    async def breaks(self, stable: ResolvedModel, wished: ResolvedModel) -> tuple[str, ...] | None:
        """Return what a version breaks for those who call another; None where nobody can tell."""
        if stable.version is not None and stable.same_bytes(wished):
            return ()
        signatures = await asyncio.gather(*(self.of(model.uri, model.registry) for model in (stable, wished)))
        releases = (stable.release, wished.release)
        old, new = (Released(*each) for each in zip(signatures, releases, strict=True))
        found = compatibility.difference(old, new)
        return found.breaks if found.known or found.breaks else None

    def close(self) -> None:
        """Let the threads go; a question under way is not waited for."""
        self._registries.close()


def _ask(tracking: str, named: RegistryReference) -> Described:
    """Fetch a version's MLmodel, from a thread."""
    query = {"name": named.name, "version": str(named.version), "path": "MLmodel"}
    answer = client.get(tracking, "/model-versions/get-artifact", query)
    if answer is None:
        return Described()
    if len(answer) > MOST_BYTES:
        raise ValueError(f"its MLmodel has more than {MOST_BYTES} bytes")
    return read(answer)


def read(mlmodel: bytes) -> Described:
    """Read an MLmodel file (https://mlflow.org/docs/latest/ml/model, and .../model/signatures)."""
    _shallow(mlmodel)
    body = yaml.load(mlmodel, Loader=LOADER)  # noqa: S506 it is a safe one
    body = body if isinstance(body, Mapping) else {}
    said, flavors = body.get("signature"), body.get("flavors")
    signature = None
    if isinstance(said, Mapping):
        signature = Signature(_values(said.get("inputs")), _values(said.get("outputs")))
    named = flavors.items() if isinstance(flavors, Mapping) else ()
    return Described(tuple(_flavor(*each) for each in named), signature)


def _shallow(mlmodel: bytes) -> None:
    """Refuse a file that takes far more to read than it is long: of a deep one the loader in C dies, and we do."""
    depth = 0
    for parts, event in enumerate(yaml.parse(mlmodel, Loader=LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if parts > MOST_PARTS or depth > DEEPEST:
            raise ValueError("its MLmodel has too many parts, or too deep ones")


def _flavor(name: str, about: Any) -> str:
    version = about.get(f"{name}_version") if isinstance(about, Mapping) else None
    return f"{name} {version}" if isinstance(version, str | float | int) else str(name)


def _in_words(value: Value) -> str:
    named = f"{value.name}: {value.type}" if value.name else value.type
    return named if value.required else f"{named} (optional)"


def _said(words: list[str]) -> list[str] | None:
    """Return what fits into a status; None where there is nothing to say."""
    more = [f"and {len(words) - MOST_SAID} more"] if len(words) > MOST_SAID else []
    return [word[:MOST_TEXT] for word in words[:MOST_SAID]] + more or None


def _values(said: Any) -> tuple[Value, ...] | None:
    """Return a side of a signature, which MLflow writes as JSON in a text.

    YAML is not read there: its parts may stand for each other, and could, written out, be larger than any memory.
    """
    listed = json.loads(said) if isinstance(said, str) else None
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        return None
    return tuple(Value(str(one.get("name") or ""), _type(one), required=_required(one)) for one in listed)


def _required(one: Mapping[str, Any]) -> bool:
    """Tell whether a value must be there; MLflow before 2.10 said which are `optional`."""
    return one.get("required", one.get("optional") is not True) is not False


def _type(one: Mapping[str, Any]) -> str:
    """Return a value's type in one text; of what is nested, all of it."""
    kind = one.get("type")
    if kind == "tensor" and isinstance(one.get("tensor-spec"), Mapping):
        spec = one["tensor-spec"]
        return f"{spec.get('dtype')} {json.dumps(spec.get('shape'), separators=(',', ':'))}"
    rest = {key: value for key, value in one.items() if key not in ("name", "required", "optional", "type")}
    return f"{kind} {json.dumps(rest, sort_keys=True, separators=(',', ':'))}" if rest else str(kind)
