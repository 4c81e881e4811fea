"""One object in trouble costs the others nothing: writes that fail or hang, an apiserver that is weary, poison."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign.faults import Answer, Hold, Requests
from campaign.proxy import FaultProxy
from campaign.tape import Exchange

from api_tier import installation
from api_tier.kubectl import Kubectl, until
from api_tier.kubelet import Kubelet
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served, body
from api_tier.test_supervision import Behind
from localcluster import controlplane, pki

V1 = "s3://models/v1"
UNDISTURBED = 20.0
"""Within which a model serves that has nothing to do with the trouble; it takes 3 s on an idle machine."""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    with controlplane.ControlPlane(tmp_path_factory.mktemp("apart")) as running, Kubelet(running.kubeconfig):
        yield running


@pytest.fixture(scope="module")
def admin(plane: controlplane.ControlPlane) -> Kubectl:
    return installation.admin_of(plane)


class Rest(Behind):
    """An operator behind the fault proxy, and what it asked for."""

    def asked(self, name: str, verb: str | None = None) -> list[Exchange]:
        tape = list(self._proxy.tape.exchanges)
        return [each for each in tape if each.name == name and verb in (None, each.verb)]


@pytest.fixture
def silent() -> Iterator[str]:
    """A registry that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def behind(plane: controlplane.ControlPlane, admin: Kubectl, silent: str, tmp_path: Path) -> Iterator[Rest]:
    rights = plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)
    proxy = FaultProxy(rights, pki.Authority(plane.directory / "pki"), tmp_path)
    ports = controlplane.free_ports(2)
    operator = OperatorProcess(
        proxy.kubeconfig, tmp_path / "log", ports, drain_seconds="1", tracking_uri=silent, workers="4"
    )
    one = Rest(proxy, operator)
    yield one
    one.end()


def served(kubectl: Kubectl, *names: str) -> list[Served]:
    """Apply models, all at once, and return them."""
    models = [Served(kubectl, name) for name in names]
    threads = [threading.Thread(target=model.apply, args=(V1,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return models


def front(name: str, *, count: int | None = 1) -> Requests:
    """The writes that make one model's front Service: its last before it serves."""
    return Requests(verb="patch", resource="services", name=name, count=count)


def test_an_apiserver_that_wants_a_rest_for_one_is_left_alone_with_it_and_others_go_on(
    behind: Rest, kubectl: Kubectl
) -> None:
    behind.start(Answer(on=front("weary"), status=429, retry_after=10))
    weary, brisk, lively = served(kubectl, "weary", "brisk", "lively")

    for model in (brisk, lively):
        model.rests("Stable", "100/0", within=UNDISTURBED)
    weary.rests("Stable", "100/0", within=40)

    [refused] = [each for each in behind.asked("weary") if each.status == 429]
    later = [each.at - refused.at for each in behind.asked("weary") if each.at > refused.at]
    assert min(later) >= 10 - 1, "the apiserver had its rest: what was under way ended, nothing else was asked"


def test_a_write_that_hangs_is_cut_off_and_others_go_on(behind: Rest, kubectl: Kubectl) -> None:
    behind.start(Hold(on=front("stuck"), least=300, most=300))
    stuck, brisk, lively = served(kubectl, "stuck", "brisk", "lively")

    for model in (brisk, lively):
        model.rests("Stable", "100/0", within=UNDISTURBED)
    assert stuck.status().get("traffic", {}).get("display") != "100/0", "it still hangs"
    stuck.rests("Stable", "100/0", within=60)
    assert "no answer in time" in behind.operator.log() or "imeout" in behind.operator.log()


def test_a_model_whose_writes_always_fail_says_so_and_slows_nobody(behind: Rest, kubectl: Kubectl) -> None:
    behind.start(Answer(on=front("ill", count=None), status=503))
    ill, *others = served(kubectl, "ill", *(f"well-{number}" for number in range(5)))
    began = time.monotonic()

    for model in others:
        model.rests("Stable", "100/0", within=UNDISTURBED)
    until(lambda: ill.condition("Ready").get("reason") == "ApiUnavailable", 20, "it says what fails")
    told = ill.condition("Ready")
    assert told["status"] == "Unknown"
    assert "apply Service ill" in told["message"]

    late = Served(kubectl, "late")
    late.apply(V1)
    late.rests("Stable", "100/0", within=UNDISTURBED)
    assert ill.condition("Ready") == told, "it is told once"
    attempts = len(behind.asked("ill", "patch"))
    assert attempts < 5 + (time.monotonic() - began), "it is tried ever more seldom"


def test_many_models_that_nobody_can_name_slow_nobody(behind: Rest, kubectl: Kubectl) -> None:
    def times(*names: str) -> list[float]:
        """Return how long each model takes to serve, one after another."""
        took = []
        for name in names:
            began = time.monotonic()
            [model] = served(kubectl, name)
            model.rests("Stable", "100/0", within=UNDISTURBED)
            took.append(time.monotonic() - began)
        return took

    behind.start()
    times("first")  # after which everything has been met once
    before = times("before-1", "before-2", "before-3")
    poison = [f"poison-{number}" for number in range(30)]
    kubectl.apply(*(body(name, f"models:/{name}@champion") for name in poison))
    during = times("one", "two", "three")
    last = Served(kubectl, poison[-1])
    until(lambda: last.condition("ModelResolved").get("reason") == "RegistryUnavailable", what="all have been seen")
    during += times("four", "five", "six")

    print(f"seconds to serve alone {before}, beside {len(poison)} that nobody can name {during}")
    for some in (during[:3], during[3:]):
        assert statistics.median(some) < 1.5 * max(before), "a registry that is silent has not every worker listening"
