"""What the cluster tests share: one installation, one pool of registered models, a served model for each module."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from cluster import figures, lanes
from cluster import served as serving
from cluster.quiet import Quiet, children
from cluster.served import Served

from ferrydemo import patience, stage
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, is_ready
from ferrydemo.stage import Registered
from localcluster import paths

POOL = ("centroid", "regression", "tuned", "unloadable", "lost", "raising", "hanging", "pickled")
QUIET = "quiet"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be one of the two lanes."""
    parser.addoption("--lane", choices=lanes.LANES, help="run only this part, beside or after the others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the lane's tests; put what looks back on the whole run at its end, and what it looks back to first."""
    lane = config.getoption("--lane", None)
    ours = [item for item in items if lanes.chosen(item.path.name, lane)]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = sorted(ours, key=lambda item: (item.path.name in lanes.LAST, item.path.name != lanes.FIRST))


@pytest.fixture(scope="session")
def kube() -> Kube:
    """The local cluster."""
    if not paths.kubeconfig().exists():
        pytest.fail(f"there is no cluster ({paths.kubeconfig()}); `make test-cluster` brings one up", pytrace=False)
    return Kube(paths.kubeconfig())


@pytest.fixture(scope="session")
def installed(kube: Kube) -> Kube:
    """The cluster with MLflow, the gateway and the operator from its chart."""
    with lanes.alone():
        stage.tracking(kube)
        stage.operator(kube, poll_seconds=2)
        stage.rolled_out(kube, "ml", "mlflow", 240)
        stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, 120)
    return kube


@pytest.fixture(scope="session")
def models(installed: Kube) -> Registered:
    """Versions of one model: three that serve, one that loads nowhere, one without files, two that fail asked."""
    with lanes.alone():
        pool = stage.train(installed, "pool", *POOL)
        stage.in_tracking_pod(installed, "rm", "-rf", pool.of("lost").artifacts)
    return pool


@pytest.fixture(scope="session")
def quiet(models: Registered, installed: Kube) -> Iterator[Quiet]:
    """A model that converged early in the run and that nobody touches again."""
    stage.fresh_namespace(installed, QUIET)
    installed.apply(serving.manifest(QUIET, models.of("regression").uri))
    deployment = ModelDeployment(installed, QUIET, "fraud")
    deployment.wait("to serve", is_ready, serving.START_SECONDS)
    patience.until("its children to settle", lambda: _unmoved(installed), serving.ACT_SECONDS)
    yield Quiet(deployment=deployment, since=time.monotonic(), children=children(installed, QUIET))
    installed.kubectl("delete", "namespace", QUIET, "--wait=false")


@pytest.fixture
def namespace(installed: Kube) -> Iterator[str]:
    """An empty namespace of the test's own."""
    name = f"test-{secrets.token_hex(3)}"
    stage.fresh_namespace(installed, name)
    yield name
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def served_module(installed: Kube, models: Registered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served model with a client, for a whole module; a module that needs another one overrides this."""
    with serving.serve(installed, models, tmp_path_factory.mktemp("served") / "requests.tsv") as served:
        yield served


@pytest.fixture
def served(served_module: Served, request: pytest.FixtureRequest) -> Iterator[Served]:
    """The module's served model, as good as new; no request of the whole test may fail."""
    served_module.since = served_module.prober.mark()
    served_module.settle()
    yield served_module
    window = served_module.prober.window(served_module.since)
    figures.asked(request.node.name, window.requests, len(window.failures))
    assert not served_module.failures()


def _unmoved(kube: Kube) -> bool:
    """Tell whether nothing moves for two seconds."""
    before = children(kube, QUIET)
    time.sleep(2)  # how long nothing may move is what is being looked at
    return before == children(kube, QUIET)
