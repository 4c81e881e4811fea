"""An operator whose watches fail: what it does not hear it finds, and when it is deaf it ends, and says why."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign.faults import Answer, Break, Events, Fault, Hide, Plan, Requests, Swallow
from campaign.proxy import FaultProxy

from api_tier import installation
from api_tier.kubectl import Kubectl, until
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served
from ferryman import watchdog
from localcluster import controlplane, pki

SWEEP = 3.0
V1, V2 = "s3://models/v1", "s3://models/v2"
TEN = {"canary": {"trafficPercent": 10}}
ALL_CHANGES = Events(resource="modeldeployments", type="MODIFIED", count=None)


class Behind:
    """An operator behind the fault proxy, which has a thread of its own."""

    def __init__(self, proxy: FaultProxy, operator: OperatorProcess) -> None:
        self.operator = operator
        self._proxy = proxy
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self, *faults: Fault) -> None:
        self._thread.start()
        self._do(self._proxy.start())
        self._do(self._load(Plan(name="test", workload="none", faults=faults)))
        self.operator.start(self._born)

    def start_anew(self, *faults: Fault) -> None:
        """Start the operator once more, as a kubelet does with one that has ended; from now on with these faults."""
        if faults:
            self._do(self._load(Plan(name="test", workload="none", faults=faults)))
        self.operator.start(self._born)

    def end(self) -> None:
        self.operator.stop()
        self._do(self._proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def lost(self) -> float:
        """Return how many lost events the operator has found."""
        return sum(_values(self.operator.metrics(), "ferryman_lost_events_total"))

    def writes(self) -> float:
        return sum(_values(self.operator.metrics(), "ferryman_writes_total"))

    def _born(self, pid: int) -> None:
        self._do(self._bear(pid))

    async def _load(self, plan: Plan) -> None:
        self._proxy.load(plan)

    async def _bear(self, pid: int) -> None:
        self._proxy.born(pid)

    def _do(self, what: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(20)


def _values(metrics: str, name: str) -> Iterator[float]:
    return (float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name + "{"))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    with controlplane.ControlPlane(tmp_path_factory.mktemp("deaf")) as running, Kubelet(running.kubeconfig):
        yield running


@pytest.fixture(scope="module")
def admin(plane: controlplane.ControlPlane) -> Kubectl:
    return installation.admin_of(plane)


@pytest.fixture
def behind(plane: controlplane.ControlPlane, admin: Kubectl, tmp_path: Path) -> Iterator[Behind]:
    rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
    proxy = FaultProxy(rights, pki.Authority(plane.directory / "pki"), tmp_path)
    operator = OperatorProcess(
        proxy.kubeconfig,
        tmp_path / "log",
        controlplane.free_ports(2),
        drain_seconds="1",
        sweep_seconds=str(SWEEP),
        lease_namespace=installation.OPERATOR_NAMESPACE,
    )
    one = Behind(proxy, operator)
    yield one
    one.end()


@pytest.mark.parametrize(
    "fault", [Swallow(on=ALL_CHANGES), Break(on=ALL_CHANGES, how="freeze")], ids=["swallowed", "frozen"]
)
def test_a_change_that_no_watch_tells_of_is_found(behind: Behind, kubectl: Kubectl, fault: Fault) -> None:
    behind.start(fault)
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0", within=60)
    until(lambda: _is_quiet(behind), 60, "nothing is due that would look by itself")
    found = behind.lost()

    fraud.apply(V2, rollout=TEN)
    applied = time.monotonic()

    until(lambda: fraud.revision("candidate"), SWEEP + 10, "the candidate is recorded")
    print(f"found {time.monotonic() - applied:.1f} s after it was lost, with a sweep each {SWEEP:g} s")
    fraud.rests("Canary", "90/10", within=60)
    until(lambda: behind.lost() > found, SWEEP + 10, "the sweep says what it found, even where a look was first")


def test_a_child_whose_deletion_no_watch_tells_of_is_made_anew(behind: Behind, kubectl: Kubectl) -> None:
    behind.start(Swallow(on=Events(resource="services", type="DELETED", count=None)))
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    until(lambda: _is_quiet(behind), 60, "nothing is written any more")
    found = behind.lost()

    kubectl("delete", "service", "fraud")

    until(lambda: kubectl.get("service", "fraud"), SWEEP + 10, "the Service is there again")
    until(lambda: behind.lost() > found, SWEEP + 10, "the sweep has found that one is gone")


def test_the_sweep_finds_and_writes_nothing_where_nothing_is_lost(behind: Behind, kubectl: Kubectl) -> None:
    behind.start()
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")
    until(lambda: _is_quiet(behind), 60, "nothing is written any more")
    writes = behind.writes()

    kubectl("label", "mdep", "fraud", "somebody=was-here")  # an event that is heard, and nothing to do
    _let_pass(3 * SWEEP)

    assert behind.lost() == 0
    assert behind.writes() == writes


def test_an_operator_of_which_a_watch_died_ends_and_says_which(behind: Behind, kubectl: Kubectl) -> None:
    behind.start(Break(on=Events(resource="services"), how="error", code=500))
    Served(kubectl, "fraud").apply(V1)

    until(lambda: behind.operator.exit_code() is not None, 30, "it ends")

    assert behind.operator.exit_code() == 70
    told = behind.operator.log()
    assert "stopping, to be started anew" in told
    by_kopf = "kopf ended" in told and "injected by the fault proxy" in told  # where it is quicker than the watchdog
    # one that died before the watchdog's first look took its starters along; kopf has said which it was
    early = "resource observer are gone" in told and "Watcher for services" in told
    assert "watcher for services" in told or by_kopf or early, told


def test_an_operator_that_was_denied_a_kind_when_it_began_ends_and_says_which(
    behind: Behind, kubectl: Kubectl
) -> None:
    behind.start(Answer(on=Requests(verb="discover", name="apps/v1"), status=404))
    Served(kubectl, "fraud").apply(V1)

    until(lambda: behind.operator.exit_code() is not None, watchdog.BEGIN_SECONDS + 30, "it ends")

    assert behind.operator.exit_code() == 70
    assert "there is no watcher for deployments.v1.apps" in behind.operator.log()


def test_what_a_route_leads_to_stays_while_an_apiserver_denies_istio(behind: Behind, kubectl: Kubectl) -> None:
    behind.start()
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1, rollout=TEN)
    fraud.rests("Stable", "100/0", within=60)
    fraud.apply(V2, rollout=TEN)
    fraud.rests("Canary", "90/10", within=60)
    stood = _services(kubectl)
    assert behind.operator.stop() == 0

    behind.start_anew(Hide(group="networking.istio.io", on=Requests(count=None, seconds=10)))
    until(lambda: "Istio is absent" in behind.operator.log(), 30, "it is told that there is no Istio")
    until(
        lambda: "Istio is served" in behind.operator.log().rpartition("Istio is absent")[2], 60, "and that there is"
    )
    fraud.canary(50)
    fraud.rests("Canary", "50/50", within=60)

    assert _services(kubectl) == stood


def _services(kubectl: Kubectl) -> dict[str, str]:
    """Return the identity of each Service: one that was deleted and made anew has another."""
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in kubectl.list("services")}


def test_credentials_that_are_refused_for_a_while_are_read_again(behind: Behind, kubectl: Kubectl) -> None:
    behind.start(Answer(on=Requests(verb="watch", count=12), status=401))
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1)

    fraud.rests("Stable", "100/0", within=60)
    kubectl("delete", "service", "fraud")

    def there_again() -> bool:
        if behind.operator.exit_code() is not None:
            # kopf closes its connections to log in anew, and may do so under a watch that has just begun: it dies
            assert "RuntimeError: Connection closed." in behind.operator.log(), behind.operator.log()
            behind.start_anew()
        return kubectl.get("service", "fraud") is not None

    until(there_again, 60, "the Service is there again")


def test_a_crd_that_was_deleted_and_made_anew_is_served_by_the_same_holder_anew(
    behind: Behind, admin: Kubectl, kubectl: Kubectl
) -> None:
    behind.start()
    fraud = Served(kubectl, "fraud")
    fraud.apply(V1)
    fraud.rests("Stable", "100/0")

    admin("delete", "crd", "modeldeployments.ferryman.dev")
    until(lambda: "waiting for the CRD" in behind.operator.log(), 30, "it begins anew without it")
    installation.install(admin)
    fraud.apply(V2)

    fraud.rests("Stable", "100/0", within=60)
    assert behind.operator.exit_code() is None
    assert "Lease is lost" not in behind.operator.log()


def test_a_holder_that_cannot_renew_acts_no_more_and_begins_anew(behind: Behind, kubectl: Kubectl) -> None:
    renewals = Requests(verb="update", resource="leases", first=3, count=None, seconds=20)
    behind.start(Answer(on=renewals, status=503))
    fraud = Served(kubectl, "fraud")

    until(lambda: "the Lease is lost" in behind.operator.log(), 30, "it begins anew")
    fraud.apply(V1)

    fraud.rests("Stable", "100/0", within=60)
    assert behind.operator.acts()
    assert behind.operator.exit_code() is None


def _is_quiet(behind: Behind) -> bool:
    before = behind.writes()
    _let_pass(3.0)
    return behind.writes() == before


def _let_pass(seconds: float) -> None:
    """Wait for something that must not happen."""
    threading.Event().wait(seconds)
