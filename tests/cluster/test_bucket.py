"""Versions whose files MLflow keeps in a bucket: fetched from there by the account that a Secret gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster import bucket
from cluster import served as serving
from cluster.bucket import Bucket
from cluster.served import ACT_SECONDS, START_SECONDS

from ferrydemo import patience
from ferrydemo.kube import Kube
from ferrydemo.modeldeployment import ModelDeployment, condition, is_ready
from ferrydemo.stage import Registered

SECRET = "store"  # the name of one


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with bucket.opened(tmp_path_factory.mktemp("bucket")) as opened:
        yield opened


@pytest.fixture(scope="module")
def uri(installed: Kube, models: Registered, store: Bucket) -> str:
    """A version that lies in the bucket."""
    return store.keep(installed, models.of("regression"), "fraud/1")


def test_a_version_in_a_bucket_is_fetched_from_there_and_serves(
    installed: Kube, models: Registered, store: Bucket, uri: str, namespace: str
):
    installed.apply(store.secret(SECRET, namespace))
    installed.apply(serving.manifest(namespace, uri, model={"uri": uri, "secretName": SECRET}))
    fraud = ModelDeployment(installed, namespace, "fraud")

    status = fraud.wait("to serve", is_ready, START_SECONDS)

    patience.until("an answer", lambda: serving.ask(namespace, models.rows), ACT_SECONDS)
    assert status["stable"]["model"]["location"] == f"s3://{bucket.NAME}/fraud/1"
    assert store.password not in str(fraud.read())


def test_a_bucket_that_refuses_the_account_is_named_and_so_is_what_to_do(
    installed: Kube, store: Bucket, uri: str, namespace: str
):
    installed.apply(store.secret(SECRET, namespace, password="planted-0451"))
    installed.apply(serving.manifest(namespace, uri, model={"uri": uri, "secretName": SECRET}))
    fraud = ModelDeployment(installed, namespace, "fraud")

    status = fraud.wait(
        "the refusal to be told",
        lambda said: condition(said, "CandidateHealthy").get("reason") == "ArtifactForbidden",
        START_SECONDS,
    )

    told = condition(status, "CandidateHealthy")["message"]
    assert "secretName" in told or "Secret" in told
    assert "planted-0451" not in str(status)
