"""What the registry is told of releases: once each, whatever happens to the operator, and only what is so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pure.simulation import SETTINGS, Cluster

from ferryman import plan as planner
from ferryman.api.conditions import Reason
from ferryman.api.revision import ResolvedModel
from ferryman.outcome import Alias, Plan, Told, Unresolved

V7, V8 = "models:/fraud/7", "models:/fraud/8"
FOLLOWED = "models:/fraud@champion"
ALLOWED = SETTINGS.model_copy(update={"write_back": True})
AWAY = Unresolved(Reason.REGISTRY_UNAVAILABLE, "MLflow did not answer")


@dataclass
class Registered(Cluster):
    """A cluster beside a registry that takes what it is told, unless it is down."""

    champion: str = "7"
    aliases: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """What each version bears under `ferryman.ml.fraud`."""
    taken: list[str] = field(default_factory=list)
    down: bool = False
    allowed: bool = True
    known: Told = field(default_factory=Told)

    def resolved(self) -> ResolvedModel | Unresolved:
        asked = self.spec["model"]["uri"]
        return ResolvedModel(uri=asked.replace("@champion", f"/{self.champion}"), requested=asked)

    def plan(self) -> Plan:
        settings = ALLOWED if self.allowed else SETTINGS
        return planner.plan(self.resource(), self.observed(), self.resolved(), settings, self.now, told=self.known)

    def reconcile(self, die_after: int | None = None) -> Plan:
        plan = super().reconcile(die_after)
        done: set[str] = set()
        for entry in () if self.down else plan.entries:
            done.add(entry.said)
            self.taken.append(entry.said)
            if not isinstance(entry, Alias):
                assert entry.key == "ferryman.ml.fraud"
                self.tags[entry.version] = entry.value
            elif entry.alias != "champion":
                self.aliases[entry.alias] = entry.version
            elif self.champion == entry.instead_of:
                self.champion = entry.version
        self.known = Told(frozenset(done), AWAY if self.down and plan.entries else None)
        return plan


def following(policy: dict[str, Any] | None = None, **rollout: Any) -> Registered:
    """Return a cluster in which version 7 serves, as the champion."""
    cluster = Registered()
    registry = {"writeBack": True} if policy is None else policy
    cluster.patch(model={"uri": FOLLOWED, "registry": registry}, rollout={"deadlineSeconds": 60, **rollout})
    cluster.settle()
    return cluster


def release(cluster: Registered, version: str) -> None:
    """Move the alias, as a data scientist does."""
    cluster.champion = version
    cluster.settle()


def at(moment: datetime | None) -> str:
    assert moment is not None
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_a_promotion_is_told_to_both_versions() -> None:
    cluster = following()
    first = cluster.revision(V7)
    assert cluster.tags == {"7": f"Promoted {at(cluster.status.stable and cluster.status.stable.since)} as {first}"}

    release(cluster, "8")

    second, last = cluster.revision(V8), cluster.status.last_rollout
    assert last is not None
    assert cluster.tags == {
        "7": f"Replaced {at(last.finished)} for {second}",
        "8": f"Promoted {at(last.finished)} as {second}",
    }
    assert cluster.condition("RegistryUpdated") == ("True", "WrittenBack")


def test_the_stable_alias_names_what_serves_after_a_promotion_and_after_its_rollback() -> None:
    cluster = following({"writeBack": True, "stableAlias": "in-production"})
    assert cluster.aliases == {"in-production": "7"}

    release(cluster, "8")
    assert cluster.aliases == {"in-production": "8"}

    cluster.annotate("rollback", "previous")
    cluster.settle()
    assert cluster.aliases == {"in-production": "7"}
    assert cluster.tags["8"].startswith("RolledBack ")
    assert cluster.tags["7"].startswith("Promoted ")
    assert cluster.champion == "8", "the alias that is followed is its owner's"


def test_a_candidate_that_fails_is_told_with_its_reason_and_the_alias_is_left_where_it_is() -> None:
    cluster = following(canary={"trafficPercent": 10})
    cluster.broken.add(V8)

    release(cluster, "8")

    rejected = cluster.status.rejected
    assert rejected is not None
    assert cluster.tags["8"] == f"RolledBack {at(rejected.time)} as {rejected.revision} (LoadFailed)"
    assert cluster.champion == "8"
    assert cluster.condition("Ready") == ("False", "LoadFailed")


def test_a_candidate_that_fails_gives_the_alias_back_where_that_is_the_policy() -> None:
    cluster = following({"writeBack": True, "onRollback": "Restore"}, canary={"trafficPercent": 10})
    cluster.broken.add(V8)

    release(cluster, "8")

    assert cluster.champion == "7"
    assert cluster.status.rejected is None, "the spec does not ask for it any more"
    assert cluster.condition("Ready") == ("True", "Ready")
    assert cluster.tags["8"].endswith("(LoadFailed)")
    assert sum("champion" in said for said in cluster.taken) == 1


def test_an_alias_that_somebody_has_moved_on_is_not_given_back() -> None:
    cluster = following({"writeBack": True, "onRollback": "Restore"}, canary={"trafficPercent": 10})
    cluster.broken.add(V8)
    cluster.champion, cluster.down = "8", True
    cluster.settle()

    release(cluster, "9")
    cluster.down = False
    cluster.settle()

    assert cluster.champion == "9"


def test_nothing_is_told_twice_and_a_wiped_status_tells_the_same_again() -> None:
    cluster = following({"writeBack": True, "stableAlias": "in-production"})
    release(cluster, "8")
    told = len(cluster.taken)
    for _ in range(5):
        cluster.reconcile()
        cluster.wait(60)
    assert len(cluster.taken) == told

    before = dict(cluster.tags)
    cluster.wipe()
    cluster.settle()
    assert cluster.tags == before
    assert len(cluster.taken) > told


def test_what_was_told_before_is_told_again_when_it_becomes_true_again() -> None:
    cluster = following({"writeBack": True, "stableAlias": "in-production"})
    for version in ("8", "7", "8"):
        release(cluster, version)
        assert cluster.aliases == {"in-production": version}


def test_a_registry_that_is_away_holds_nothing_up_and_is_told_when_it_is_back() -> None:
    cluster = following()
    cluster.down = True
    release(cluster, "8")
    cluster.reconcile()

    assert cluster.stable == V8
    assert cluster.condition("Ready") == ("True", "Ready")
    assert cluster.condition("RegistryUpdated") == ("False", "RegistryUnavailable")
    assert "8" not in cluster.tags

    cluster.down = False
    cluster.settle()
    cluster.reconcile()
    assert cluster.tags["8"].startswith("Promoted ")
    assert cluster.condition("RegistryUpdated") == ("True", "WrittenBack")


def test_an_installation_that_does_not_allow_it_says_so_and_tells_nothing() -> None:
    cluster = Registered(allowed=False)
    cluster.patch(model={"uri": FOLLOWED, "registry": {"writeBack": True}})
    cluster.settle()

    assert cluster.taken == []
    assert cluster.condition("RegistryUpdated") == ("False", "WriteBackNotAllowed")
    assert cluster.condition("Ready") == ("True", "Ready")


def test_who_does_not_ask_for_it_hears_nothing_of_it() -> None:
    cluster = following({})

    assert cluster.taken == []
    assert "RegistryUpdated" not in {condition.type for condition in cluster.status.conditions}


def test_another_pod_for_the_same_version_that_fails_leaves_the_version_promoted() -> None:
    cluster = following(canary={"trafficPercent": 10})
    cluster.broken.add(V7)

    cluster.patch(server={"warmup": {"requests": 1}})
    cluster.settle()

    assert cluster.status.rejected is not None
    assert cluster.tags["7"].startswith("Promoted ")
