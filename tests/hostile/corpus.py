"""The model URIs that must be refused, and those that must be taken, for each of the three places that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Hostile:
    """One URI, the group that says why, and what the fetching pod does with it."""

    uri: str
    group: str
    fetch: Literal["unread", "unreached", "harmless"]


def hostile() -> list[Hostile]:
    """Return every URI that must be refused."""
    return [
        Hostile(_text(uri), group["name"], group["fetch"])
        for group in yaml.safe_load((FOLDER / "uris.yaml").read_text(encoding="utf-8"))
        for uri in group["uris"]
    ]


def plain() -> list[str]:
    """Return every URI that must be taken."""
    return list(yaml.safe_load((FOLDER / "plain.yaml").read_text(encoding="utf-8")))


def _text(written: Any) -> str:
    if isinstance(written, dict):
        return str(written["head"]) + str(written["repeat"]) * int(written["times"]) + str(written["tail"])
    assert isinstance(written, str), f"{written!r} is no text: quote it"
    return written
