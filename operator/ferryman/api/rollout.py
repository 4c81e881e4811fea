"""How a new revision takes over: the part of the spec that says who gets traffic, when, and how one rows back.

Nothing here makes a new revision. Shares are whole percents of live traffic.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from ferryman.api import reference
from ferryman.api.base import Model, rule, ruled, told
from ferryman.api.match import Match

Percent = Annotated[int, Field(ge=0, le=100)]

_UNITS = {"h": 3600, "m": 60, "s": 1}
DURATION = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"

Duration = Annotated[str, Field(pattern=DURATION, min_length=2, max_length=20), told(20)]


class Pause(Model):
    """What holds a step: a time, or a person."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                f"!has(self.duration) || (self.duration.size() > 0 && self.duration.matches('{DURATION}') && "
                "duration(self.duration) > duration('0s'))",
                "a pause's duration must be a time above 0 such as 90s, 10m or 1h30m, and at most 99999h: leave the "
                "duration out to wait for a person, or the pause out to go on at once",
                ".duration",
            )
        )
    )

    duration: Duration | None = None
    """How long the step's share is held from the moment the route shows it, such as `90s`, `10m` or `1h30m`.
    Without it the step is held until the annotation `ferryman.dev/resume` names the candidate."""

    def seconds(self) -> float | None:
        """Return the pause in seconds; None when a person ends it."""
        if self.duration is None:
            return None
        return float(sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9]+)([hms])", self.duration)))

    def length(self) -> timedelta | None:
        """Return the pause as a span of time; None when a person ends it."""
        seconds = self.seconds()
        return None if seconds is None else timedelta(seconds=seconds)


class Step(Model):
    """One step of a plan: a share, and what has to happen before the next."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "has(self.trafficPercent) != has(self.shadowPercent)",
                "a step must have either trafficPercent or shadowPercent: a revision is never mirrored to and "
                "weighted at once",
            ),
        )
    )

    traffic_percent: Percent | None = None
    """The candidate's share of live traffic in this step. 100 promotes it, 0 keeps it ready and unrouted."""

    shadow_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """The share of live requests that is copied to the candidate in this step, instead of any traffic."""

    pause: Pause | None = None
    """What holds the step once its share is reached. Without it the next step follows at once."""


class Canary(Model):
    """A share of live traffic for the candidate: one number that a person moves, or a plan of steps."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "has(self.trafficPercent) || (has(self.steps) && self.steps.size() > 0)",
                "spec.rollout.canary must have trafficPercent or steps: a trafficPercent of 0 keeps the candidate "
                "ready and gives it only what match chooses",
            ),
            rule(
                "!has(self.trafficPercent) || !has(self.steps) || self.steps.size() == 0",
                "spec.rollout.canary must not have both trafficPercent and steps: take one away (in a merge patch, "
                "set it to null)",
            ),
            rule(
                "!has(self.steps) || self.steps.map(step, has(step.trafficPercent) ? step.trafficPercent : 0)"
                ".isSorted()",
                "spec.rollout.canary.steps must not give the candidate less traffic than the step before: shadow "
                "steps come first, and shares rise",
                ".steps",
            ),
            rule(
                "!has(self.steps) || self.steps.size() == 0 || !has(self.steps[self.steps.size() - 1].pause)",
                "spec.rollout.canary.steps must not pause the last step, after which nothing comes: 100 promotes, "
                "and a lower share stays in force; put the pause on the step before it",
                ".steps",
            ),
            rule(
                "!has(self.steps) || self.steps.filter(step, has(step.trafficPercent) && step.trafficPercent == 100)"
                ".size() <= 1",
                "spec.rollout.canary.steps may hold 100 only once, as the last step: it promotes",
                ".steps",
            ),
        )
    )

    traffic_percent: Percent | None = None
    """The candidate's share of live traffic. 100 promotes it; 0 rolls it back once it had traffic, and keeps it
    ready and unrouted before that. The number stays in force for the next revision."""

    steps: Annotated[list[Step], Field(max_length=32)] = []
    """A plan that each candidate goes through by itself. It is pinned when the candidate is named: changing it
    changes the next run. The last step's share stays in force unless it is 100, which promotes."""

    match: Annotated[list[Match], Field(max_length=8)] = []
    """Requests that go to the candidate whatever its share, as soon as it is ready; one that fulfils any of these
    is chosen. Beta testers, for instance."""


class Shadow(Model):
    """A copy of live traffic for the candidate, or for a challenger. Its answers are thrown away."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(f"!has(self.uri) || {reference.CHALLENGER.cel()}", reference.CHALLENGER.message, ".uri")
        )
    )

    percent: Percent = 100
    """The share of live requests that are mirrored: to the candidate while it has no live traffic, or, with `uri`, to
    the challenger."""

    uri: Annotated[str, Field(max_length=1024), AfterValidator(reference.challenger)] | None = None
    """A challenger: a model of the registry that is mirrored to beside whatever is rolled out, and never served.
    `models:/NAME@ALIAS` follows the alias; `models:/NAME/VERSION` and `models:/m-ID` stay. Candidates are not
    mirrored to then, unless `canary.steps` says so."""


class Surge(StrEnum):
    """Whether a candidate's pods come beside stable's or in their place."""

    SURGE = "Surge"
    NO_SURGE = "NoSurge"


class Rollout(Model):
    """How a new revision takes over. Without `canary` and `shadow` it is promoted as soon as it is ready."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "!has(self.shadow) || has(self.shadow.uri) || !has(self.canary) || !has(self.canary.steps) || "
                "self.canary.steps.size() == 0",
                "spec.rollout.shadow must not stand beside spec.rollout.canary.steps: use a step with shadowPercent",
                ".shadow",
            ),
            rule(
                "!has(self.shadow) || !has(self.shadow.uri) || self.surge == 'Surge'",
                "spec.rollout.shadow.uri must not be set with surge: NoSurge, which says that there is no room for a "
                "second revision",
                ".shadow",
            ),
            rule(
                "!self.allowDowntime || self.surge == 'NoSurge'",
                "spec.rollout.allowDowntime needs spec.rollout.surge: NoSurge; with Surge nothing has to stop",
                ".allowDowntime",
            ),
            rule(
                "self.standbySeconds == 0 || self.surge == 'Surge'",
                "spec.rollout.standbySeconds must be 0 with surge: NoSurge, which says that there is no room for a "
                "second revision",
                ".standbySeconds",
            ),
            rule(
                "self.standbySeconds == 0 || self.history > 0",
                "spec.rollout.standbySeconds needs a spec.rollout.history of at least 1",
                ".standbySeconds",
            ),
        )
    )

    canary: Canary | None = None
    """Give the candidate a share of live traffic."""

    shadow: Shadow | None = None
    """Mirror live traffic to the candidate, before or instead of giving it any; or to a challenger, beside it."""

    promotion: Literal["Manual"] = "Manual"
    """Who promotes. `Manual`: the candidate waits until `canary.trafficPercent` is 100, its steps reach 100, or the
    annotation `ferryman.dev/promote` names it."""

    deadline_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    """How long a candidate may take to become ready before it is rolled back, with the cause in status."""

    surge: Surge = Surge.SURGE
    """`Surge`: a candidate's pods come beside stable's. `NoSurge`: there is no room for both, so stable gives up pod
    by pod as the candidate's become ready; meanwhile one pod fewer serves."""

    allow_downtime: bool = False
    """With `NoSurge` and a single pod, that pod has to stop before the candidate can start. Nothing serves
    meanwhile, so it is done only if this is true."""

    allow_breaking: bool = False
    """Roll out a candidate although it would break those who call stable: one whose MLflow signature takes or gives
    something else, or whose tag `version` is another major release. Without this it is held before it has a pod."""

    history: Annotated[int, Field(ge=0, le=10)] = 3
    """How many revisions that were stable before are kept, scaled to zero, for `ferryman.dev/rollback`."""

    standby_seconds: Annotated[int, Field(ge=0, le=604800)] = 0
    """How long the pods of a revision that was stable before are kept after a promotion: so long, going back takes
    no pod start."""

    @property
    def mirror(self) -> Shadow | None:
        """Return how a candidate is mirrored to, where no plan says it."""
        return self.shadow if self.shadow is not None and self.shadow.uri is None else None

    @property
    def challenger(self) -> Shadow | None:
        """Return which challenger is mirrored to, and how much."""
        return self.shadow if self.shadow is not None and self.shadow.uri is not None else None
