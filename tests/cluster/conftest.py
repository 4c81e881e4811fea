"""What the cluster tests share: one installation, one pool of registered models, a served model for each module."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import httpx
import pytest
from cluster import served as serving
from cluster.quiet import Quiet, children
from cluster.served import Served

from ferrydemo import patience, stage
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, is_ready
from ferrydemo.prober import Prober
from ferrydemo.stage import Registered
from localcluster import paths

POOL = ("centroid", "regression", "tuned", "unloadable", "lost")
QUIET = "quiet"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what looks back on the whole run at its end."""
    items.sort(key=lambda item: item.path.name == "test_quiet.py")


@pytest.fixture(scope="session")
def kube() -> Kube:
    """The local cluster."""
    if not paths.kubeconfig().exists():
        pytest.fail(f"there is no cluster ({paths.kubeconfig()}); `make test-cluster` brings one up", pytrace=False)
    return Kube(paths.kubeconfig())


@pytest.fixture(scope="session")
def installed(kube: Kube) -> Kube:
    """The cluster with MLflow, the gateway and the operator from its chart."""
    stage.tracking(kube)
    stage.operator(kube, poll_seconds=2)
    stage.rolled_out(kube, "ml", "mlflow", 240)
    stage.rolled_out(kube, stage.SYSTEM_NAMESPACE, stage.OPERATOR, 120)
    return kube


@pytest.fixture(scope="session")
def models(installed: Kube) -> Registered:
    """Versions of one model: three that load, one that does not, one whose files are gone."""
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
def served_module(
    installed: Kube, models: Registered, quiet: Quiet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A served model with a client, for a whole module."""
    name = f"test-{secrets.token_hex(3)}"
    stage.fresh_namespace(installed, name)
    installed.apply(serving.manifest(name, models.of("centroid").uri))
    deployment = ModelDeployment(installed, name, "fraud")
    deployment.wait("to serve", is_ready, serving.START_SECONDS)
    patience.until("the first answer", lambda: _answers(name, models.rows), serving.ACT_SECONDS)
    record = tmp_path_factory.mktemp(name) / "requests.tsv"
    with Prober(serving.GATEWAY_URL, serving.host(name), models.rows, record) as prober:
        yield Served(deployment, prober, models)
    installed.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def served(served_module: Served) -> Iterator[Served]:
    """The module's served model, as good as new; no request of the whole test may fail."""
    served_module.since = served_module.prober.mark()
    served_module.settle()
    yield served_module
    assert not served_module.failures()


def _answers(namespace: str, rows: list[list[float]]) -> bool:
    try:
        answer = httpx.post(
            serving.GATEWAY_URL,
            json={"instances": rows},
            headers={"Host": serving.host(namespace)},
            timeout=5,
            trust_env=False,
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


def _unmoved(kube: Kube) -> bool:
    """Tell whether nothing moves for two seconds."""
    before = children(kube, QUIET)
    time.sleep(2)  # how long nothing may move is what is being looked at
    return before == children(kube, QUIET)
