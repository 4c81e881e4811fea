"""API groups that are hidden from the operator, as if the cluster did not serve them."""

from __future__ import annotations

import json
import math
import time

from campaign import faults
from campaign.aim import Aim

SAID = b"404 page not found\n"
"""What the apiserver says where it serves nothing: not a Status."""


class Hiding:
    """Which groups are hidden, and until when."""

    def __init__(self) -> None:
        self._hidden: dict[str, tuple[Aim, float]] = {}

    def begin(self, aim: Aim, fault: faults.Hide) -> bool:
        """Hide a group from now on; tell whether that is new."""
        if fault.group in self._hidden:
            return False
        seconds = math.inf if fault.on.seconds is None else fault.on.seconds
        self._hidden[fault.group] = (aim, time.monotonic() + seconds)
        return True

    def covers(self, group: str) -> bool:
        """Tell whether a group is hidden now, of which something is asked."""
        aim, until = self._hidden.get(group, (None, 0.0))
        if aim is None or time.monotonic() >= until:
            return False
        aim.struck = True
        return True

    def without(self, text: bytes) -> bytes:
        """Return the list of groups without the hidden ones, in its short form or in that which tells their kinds."""
        listed = json.loads(text)
        for part, name in (("groups", _short), ("items", _long)):
            if part in listed:
                listed[part] = [group for group in listed[part] if not self.covers(name(group))]
        return json.dumps(listed).encode()


def _short(group: dict[str, str]) -> str:
    return group["name"]


def _long(group: dict[str, dict[str, str]]) -> str:
    return group["metadata"].get("name", "")
