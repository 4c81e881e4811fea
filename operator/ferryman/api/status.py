"""What the operator answers: the status of a ModelDeployment.

Two kinds of field live here. Decisions (`phase`, `stable`, `candidate`, `run`, `challenger`, `retiring`, `history`,
`rejected`, `withdrawn`, `commands`, `lastRollout`) cannot be recomputed from the spec and the cluster: they are
written before their first effect and are the operator's only memory. Facts (`traffic`, pod counts, `waiting`, `url`,
conditions) are what was observed, never what was wished for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import Model
from ferryman.api.conditions import Condition
from ferryman.api.journal import Command, Decision, LastRollout, Waiting
from ferryman.api.revision import Rejected, ResolvedModel, Retiring, Revision
from ferryman.api.run import Run


class Phase(StrEnum):
    """Where a rollout stands. `docs/status.md` draws how one leads to another."""

    PENDING = "Pending"
    """No revision serves yet; the first one is starting."""
    STABLE = "Stable"
    """One revision serves, and nothing else is under way."""
    STARTING = "Starting"
    """A candidate's pods are starting; it has no traffic."""
    DARK = "Dark"
    """The candidate is ready and unrouted, as the spec asks."""
    SHADOWING = "Shadowing"
    """The candidate gets a copy of live traffic; its answers are thrown away."""
    CANARY = "Canary"
    """The candidate has a share of live traffic."""
    PROMOTING = "Promoting"
    """All traffic is moving to the candidate."""
    ROLLING_BACK = "RollingBack"
    """All traffic is moving back to the stable revision."""


class Traffic(Model):
    """How the route splits live traffic, in percent, as read back from it."""

    model_config = ConfigDict(extra="ignore")

    stable: int = 0
    """The stable revision's share."""
    candidate: int = 0
    """The candidate's share."""
    shadow: int = 0
    """The share of live requests that is copied to the candidate."""
    challenger: int = 0
    """The share of live requests that is copied to the challenger."""
    matched: bool = False
    """Whether the requests that `rollout.canary.match` chooses go to the candidate."""
    display: str = ""
    """The stable revision's share and that of all others, for `kubectl get`."""
    shadow_display: str = ""
    """The mirrored shares of candidate and challenger, for `kubectl get`."""


class ModelDeploymentStatus(Model):
    """What the operator decided and saw."""

    model_config = ConfigDict(extra="ignore")

    observed_generation: int | None = None
    """The generation of the spec that this status speaks of."""
    phase: Phase | None = None
    """Where the rollout stands, in one word."""
    url: str | None = None
    """Where clients find the model."""
    reason: str | None = None
    """The reason of the Ready condition, for `kubectl get -o wide`."""
    stable: Revision | None = None
    """The revision that serves, and to which a rollback returns."""
    candidate: Revision | None = None
    """The revision that is being rolled out."""
    run: Run | None = None
    """How the candidate is being rolled out, and how far it has come."""
    challenger: Revision | None = None
    """The revision that gets copies of live requests, as `rollout.shadow.uri` asks, and that is never served."""
    retiring: list[Retiring] = []
    """Revisions that are leaving for good."""
    history: list[Retiring] = []
    """Revisions that were stable before, the latest first, to which `ferryman.dev/rollback` can return."""
    rejected: Rejected | None = None
    """The last revision that the operator or a person rolled back, while the spec still asks for it."""
    withdrawn: str | None = None
    """The revision that the spec took back to 0 after it had traffic; raising the number brings it back."""
    commands: Annotated[
        list[Command],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["verb"]}),
    ] = []
    """What became of the verbs that stand in the object's annotations."""
    last_rollout: LastRollout | None = None
    """How the last run ended."""
    written_back: list[str] | None = None
    """What the registry was told, as far as it is still to be so: versions' tags, and aliases."""
    traffic: Traffic | None = None
    """How the route splits live traffic, as read back from it."""
    waiting: Waiting | None = None
    """What the rollout waits for now; absent when nothing is under way."""
    decisions: list[Decision] = []
    """The last decisions, the newest last."""
    conditions: Annotated[
        list[Condition],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = []
    """What is true of this object now, in terms that `kubectl wait` understands."""

    def is_about(self, name: str) -> bool:
        """Tell whether every revision that is remembered here is one of a ModelDeployment's own."""
        return all(each.revision.startswith(f"{name}-") for each in self._remembered())

    def models(self) -> list[ResolvedModel]:
        """Return the models of all revisions that are remembered here."""
        return [each.model for each in self._remembered()]

    def _remembered(self) -> list[Revision]:
        kept = [each.revision for each in (*self.retiring, *self.history)]
        return [each for each in (self.stable, self.candidate, self.challenger, *kept) if each is not None]
