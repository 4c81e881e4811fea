"""What the operator tells of its own doings: decisions, what it waits for, how a run ended, what became of a verb."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict

from ferryman.api.base import Model


class Cause(StrEnum):
    """What a rollout may wait for."""

    MODEL = "Model"
    """For the registry, to say which bytes the spec means."""
    ROOM = "Room"
    """For room for a candidate that may not even have its first pod."""
    PODS = "Pods"
    """For the candidate's pods, to start or to carry a larger share."""
    STEADINESS = "Steadiness"
    """For a candidate that lost all its pods, to keep one for a while."""
    ROUTE = "Route"
    """For the route, to say what was decided."""
    PAUSE = "Pause"
    """For the time of a step."""
    PERSON = "Person"
    """For somebody, to say that it may go on, or what is to be done."""
    NUMBER = "Number"
    """For the spec's number, which holds the candidate at its share, to move."""
    DRAIN = "Drain"
    """For the pods of a revision that left, to end."""


class Waiting(Model):
    """What a rollout waits for, since when, and what would unblock it."""

    model_config = ConfigDict(extra="ignore")

    cause: str
    """What it waits for, in one word."""
    message: str
    """The same in a sentence, with its numbers."""
    since: datetime
    """Since when it waits for that."""
    until: datetime | None = None
    """When the wait ends by itself, or is given up; absent where neither will happen."""
    unblocked_by: str
    """What would end the wait, and who can do it."""


class Numbers(Model):
    """What a decision was made on. Shares in percent, pods as counted by availability."""

    model_config = ConfigDict(extra="ignore")

    weight: int = 0
    """The candidate's share of live traffic, as the route said."""
    wanted: int = 0
    """The share that it was to have."""
    pods: int = 0
    """The candidate's available pods."""
    needed: int = 0
    """The pods that the wanted share needs."""
    stable_pods: int = 0
    """The stable revision's available pods."""


class Decision(Model):
    """One decision: when, by which rule, on which numbers, and what was waited for next."""

    model_config = ConfigDict(extra="ignore")

    time: datetime
    """When it was made."""
    rule: str
    """The signal that made it, as in docs/status.md; `Weighed` when only the share moved."""
    phase: str
    """The phase that it led to."""
    revision: str = ""
    """The candidate that it was about, or the revision that it made stable."""
    numbers: Numbers = Numbers()
    """What it was made on."""
    waits_for: str = ""
    """What was waited for next, and since this decision."""
    unblocked_by: str = ""
    """What would end that wait."""


class Outcome(StrEnum):
    """How a run ended."""

    PROMOTED = "Promoted"
    """The candidate became stable."""
    ROLLED_BACK = "RolledBack"
    """The candidate left, and the stable revision has all traffic."""
    SUPERSEDED = "Superseded"
    """Another revision took the candidate's place before it was promoted."""


class LastRollout(Model):
    """How the last run ended."""

    model_config = ConfigDict(extra="ignore")

    revision: str
    """The candidate of that run."""
    uri: str = ""
    """The model that the candidate served, or was to serve."""
    registry: str | None = None
    """The tracking server that the model is of, where it is not the installation's own."""
    replaced: str = ""
    """The revision that was stable when it ended."""
    outcome: Outcome
    """How it ended."""
    reason: str
    """Why, in one word."""
    message: str
    """Why, in a sentence."""
    started: datetime
    """When the candidate was named."""
    finished: datetime
    """When the run ended."""


class Command(Model):
    """What became of a verb in the annotations. It is acted upon once; another value is another request."""

    model_config = ConfigDict(extra="ignore")

    verb: str
    """The annotation without its prefix."""
    value: str
    """The annotation's value when it was read."""
    outcome: Literal["Done", "Refused"]
    """Whether it was carried out."""
    message: str
    """What was done, or why nothing was."""
    time: datetime
    """When."""
