"""The contract under every order of events: a state machine over the real planner and the simulated cluster.

Users patch, revert and name third revisions; pods become ready, vanish, or never come; the operator dies between any
two writes; the clock runs. The simulated cluster checks the promises at each write; here it is checked that every
journey ends, quietly, where a run without trouble ends.
"""

from __future__ import annotations

import contextlib
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pure.simulation import Cluster, KilledError

from ferryman.api.status import Phase

MODELS = ["s3://models/v1", "s3://models/v2", "s3://models/v3"]
EXAMPLES = int(os.environ.get("FERRYMAN_EXAMPLES", "300"))


class Rollouts(RuleBasedStateMachine):
    @initialize(mesh=st.booleans(), minimum=st.integers(1, 4))
    def begin(self, mesh: bool, minimum: int) -> None:
        self.cluster = Cluster(mesh=mesh)
        self.cluster.patch(scaling={"minReplicas": minimum, "maxReplicas": 8})

    @rule(uri=st.sampled_from(MODELS))
    def name_a_model(self, uri: str) -> None:
        self.cluster.model(uri)

    @rule(
        percent=st.sampled_from([None, 0, 1, 10, 50, 99, 100]),
        shadow=st.sampled_from([None, None, 0, 50, 100]),
    )
    def change_the_policy(self, percent: int | None, shadow: int | None) -> None:
        rollout: dict[str, object] = {"deadlineSeconds": 60}
        if percent is not None:
            rollout["canary"] = {"trafficPercent": percent}
        if shadow is not None:
            rollout["shadow"] = {"percent": shadow}
        self.cluster.patch(rollout=rollout)

    @rule(minimum=st.integers(1, 6))
    def change_the_scale(self, minimum: int) -> None:
        self.cluster.patch(scaling={"minReplicas": minimum, "maxReplicas": 8})

    @rule(uri=st.sampled_from(MODELS[1:]))
    def break_or_mend_a_model(self, uri: str) -> None:
        self.cluster.broken ^= {uri}

    @rule()
    def let_pods_become_ready(self) -> None:
        self.cluster.ready()

    @rule(data=st.data())
    def let_some_pods_become_ready(self, data: st.DataObject) -> None:
        for name, wanted in sorted(self.cluster.desired.items()):
            if self.cluster.model_of(name) not in self.cluster.broken:
                self.cluster.available[name] = data.draw(st.integers(0, wanted))

    @rule(data=st.data())
    def lose_all_pods_of_a_revision(self, data: st.DataObject) -> None:
        if self.cluster.available:
            self.cluster.lose(data.draw(st.sampled_from(sorted(self.cluster.available))))

    @rule(data=st.data())
    def delete_a_child_by_hand(self, data: st.DataObject) -> None:
        if self.cluster.children:
            kind, name = data.draw(st.sampled_from(sorted(self.cluster.children)))
            self.cluster.delete_by_hand(kind, name)

    @rule()
    def reconcile(self) -> None:
        self.cluster.reconcile()

    @rule(writes=st.integers(0, 8))
    def die_between_two_writes(self, writes: int) -> None:
        with contextlib.suppress(KilledError):
            self.cluster.reconcile(die_after=writes)

    @rule()
    def lose_the_status(self) -> None:
        if self.cluster.status.phase in (Phase.STABLE, Phase.CANARY):
            self.cluster.status = type(self.cluster.status)()
            self.cluster.reconcile()

    @rule(seconds=st.sampled_from([1, 5, 11, 61]))
    def let_time_pass(self, seconds: int) -> None:
        self.cluster.wait(seconds)

    @invariant()
    def the_stable_revision_keeps_its_pods(self) -> None:
        cluster = getattr(self, "cluster", Cluster())
        stable = cluster.status.stable
        if stable is not None and stable.revision not in cluster.deleted_by_hand:
            assert ("Deployment", stable.revision) in cluster.children

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        cluster = self.cluster
        cluster.broken.clear()
        cluster.settle(limit=200)
        before = cluster.writes
        for _ in range(3):
            cluster.wait(301)
            cluster.reconcile()
        assert cluster.writes == before, "it writes although nothing changed"
        status = cluster.status
        assert status.stable is not None
        asked = cluster.spec["model"]["uri"]
        held = status.rejected is not None or status.withdrawn is not None
        assert held or asked in (cluster.stable, cluster.candidate)
        assert not status.retiring
        running = {cluster.model_of(name) for kind, name in cluster.children if kind == "Deployment"}
        assert running == {cluster.stable, cluster.candidate} - {None}, "a needless pod"


Rollouts.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_every_order_of_events_keeps_the_contract = Rollouts.TestCase
