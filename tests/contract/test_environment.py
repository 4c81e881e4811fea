"""What one side writes into an environment the other reads: chart and operator, operator and server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pure.simulation import START, Cluster, serving

from ferryman import settings as operator_settings
from ferryman.api import conditions
from ferryman.api.modeldeployment import Format, ModelDeploymentSpec, ObjectMeta
from ferryman.api.revision import ResolvedModel
from ferryman.cluster import obstacle
from ferryman.render import environment as rendered
from ferryman.render import pod as pods
from ferryman.render import revision as revisions
from ferryman.render import trust
from ferryman_server import audience, manifest, reason
from ferryman_server import settings as server_settings

CHART = Path(__file__).parents[2] / "charts" / "ferryman"
URI = "models:/fraud@champion"
LOGGING = "FERRYMAN_LOG_LEVEL"  # read before there are settings


def test_the_chart_sets_every_setting_and_no_other() -> None:
    told = re.findall(r"name: (FERRYMAN_\w+)", (CHART / "templates" / "deployment.yaml").read_text())

    known = [f"FERRYMAN_{name.upper()}" for name in operator_settings.Settings.model_fields]
    assert sorted(told) == sorted([*known, LOGGING])


def test_the_defaults_of_the_chart_are_those_of_the_operator() -> None:
    values, chosen = yaml.safe_load((CHART / "values.yaml").read_text()), operator_settings.read({})

    assert (values["server"]["image"], values["server"]["gpuImage"]) == (chosen.server_image, chosen.server_gpu_image)
    assert tuple(values["server"]["trustedSources"]) == chosen.trusted_sources
    assert values["server"]["tracing"] == {"endpoint": chosen.trace_endpoint, "percent": chosen.trace_percent}
    assert values["mlflow"] == {
        "trackingUri": chosen.tracking_uri,
        "pollSeconds": chosen.registry_poll_seconds,
        "timeoutSeconds": chosen.registry_timeout_seconds,
        "registries": list(chosen.registries),
        "writeBack": chosen.write_back,
        "webhook": {"enabled": bool(chosen.webhook_port), "secretName": chosen.webhook_secret, "secretKey": "secret"},
    }
    assert values["rollout"] == {"drainSeconds": chosen.drain_seconds}
    assert tuple(values["watchNamespaces"]) == chosen.namespaces
    assert values["cluster"] == {"domain": chosen.cluster_domain}
    simple = [values[name] for name in ("workers", "resyncSeconds", "sweepSeconds")]
    assert simple == [chosen.workers, chosen.resync_seconds, chosen.sweep_seconds]


def pod(**spec: object) -> dict[str, object]:
    cluster = Cluster()
    cluster.patch(**spec)
    cluster.settle()
    return cluster.children["Deployment", cluster.revision(cluster.spec["model"]["uri"])]["spec"]["template"]["spec"]


def environment(container: dict[str, object]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


@pytest.mark.parametrize("containers", ["initContainers", "containers"])
def test_the_server_understands_what_the_operator_tells_it(containers: str) -> None:
    body = pod(
        model={"uri": "pvc://weights/resnet", "format": "onnx", "digest": "sha256:" + "a" * 64},
        server={
            "batching": {"maxBatchSize": 7},
            "warmup": {"requests": 3},
            "optimize": "off",
            "workers": 2,
            "sampling": {"percent": 5},
        },
    )

    told = server_settings.from_environment(environment(body[containers][0]))

    assert told.model_name == "fraud"
    assert told.revision.startswith("fraud-")
    assert told.model_uri == "pvc://weights/resnet"
    assert told.model_format == "onnx"
    assert told.model_digest == "sha256:" + "a" * 64
    assert str(told.model_dir) == rendered.MODEL_DIR
    assert str(told.pvc_mount) == rendered.PVC_MOUNT
    assert told.allow_pickle is False
    assert told.optimize is False
    assert told.workers == 2
    assert told.sample_percent == 5
    assert (told.port, told.warmup_requests, told.max_batch_size, told.drain_seconds) == (8080, 3, 7, 2)


def test_the_fetching_step_is_told_where_a_registered_version_lies_and_by_what_it_is_known() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": {"uri": URI}})
    place = "s3://models/1/models/m-7/artifacts"
    digest = "sha256:" + "a" * 64
    model = ResolvedModel(uri="models:/fraud/7", requested=URI, version="7", location=place, digest=digest)
    owner = ObjectMeta(name="fraud", namespace="ml", uid="u", generation=1, resource_version="1")
    revision = revisions.wished("fraud", spec, model, operator_settings.Settings(), START)

    body = pods.spec(owner, revision, operator_settings.Settings())

    for container in (body["initContainers"][0], body["containers"][0]):
        told = server_settings.from_environment(environment(container))
        assert (told.model_location, told.model_digest) == (place, digest)


def test_the_server_remembers_answers_where_and_for_as_long_as_the_spec_says() -> None:
    secret = {"name": "redis", "key": "url"}
    body = pod(
        model={"uri": "s3://models/fraud"},
        server={"cache": {"memory": "64Mi", "ttlSeconds": 60, "redisSecret": secret}},
    )

    (redis,) = [entry for entry in body["containers"][0]["env"] if entry["name"] == "FERRYMAN_CACHE_REDIS"]
    assert redis == {"name": "FERRYMAN_CACHE_REDIS", "valueFrom": {"secretKeyRef": secret}}
    told = server_settings.from_environment(environment(body["containers"][0]))
    assert (told.cache_bytes, told.cache_ttl_seconds) == (64 * 1024 * 1024, 60)
    assert not [name for name in environment(body["initContainers"][0]) if "CACHE" in name]


def test_a_server_has_as_many_workers_as_it_has_room_for_unless_somebody_says_how_many() -> None:
    told = server_settings.from_environment(environment(pod(model={"uri": "models:/fraud/1"})["containers"][0]))

    assert told.workers == 0


def test_a_guest_is_told_where_the_fetching_step_puts_the_model() -> None:
    guest = {"image": "example.com/theirs", "container": {"protocol": "V2"}}
    containers = pod(model={"uri": "s3://models/fraud"}, server=guest)

    fetched = server_settings.from_environment(environment(containers["initContainers"][0])).model_dir
    told = environment(containers["containers"][0])["FERRYMAN_MODEL_DIR"]
    assert told == str(fetched / manifest.ARTIFACT)


def test_no_answer_is_remembered_unless_somebody_asks_for_it() -> None:
    told = server_settings.from_environment(environment(pod(model={"uri": "models:/fraud/1"})["containers"][0]))

    assert (told.cache_bytes, told.cache_redis) == (0, "")


def test_the_ports_of_the_pod_are_those_that_the_server_listens_on() -> None:
    server = pod(model={"uri": "models:/fraud/1"})["containers"][0]

    told = server_settings.from_environment(environment(server))
    named = {port["name"]: port["containerPort"] for port in server["ports"]}
    assert named == {"http": told.port, "grpc": told.grpc_port}


def test_every_format_that_the_spec_may_name_is_one_that_the_server_reads() -> None:
    assert {each.value for each in Format} == {each.value for each in server_settings.Format}


def test_a_model_may_be_optimized_unless_somebody_says_no() -> None:
    told = environment(pod(model={"uri": "models:/fraud/1"})["containers"][0])

    assert "FERRYMAN_OPTIMIZE" not in told  # pods of an older operator stay as they are
    assert server_settings.from_environment(told).optimize is True


def test_a_registry_model_may_be_a_pickle_and_a_bucket_may_not() -> None:
    registry = pod(model={"uri": "models:/fraud/1"})
    bucket = pod(model={"uri": "s3://models/fraud"})

    assert server_settings.from_environment(environment(registry["containers"][0])).allow_pickle is True
    assert server_settings.from_environment(environment(bucket["containers"][0])).allow_pickle is False


@pytest.mark.parametrize(
    ("source", "uri", "trusted"),
    [
        ("s3://models", "s3://models/fraud", True),
        ("s3://models", "s3://models-of-mallory/fraud", False),
        ("s3://models/team-a/", "s3://models/team-a/fraud", True),
        ("s3://models/team-a", "s3://models/team-ab/fraud", False),
        ("https://models.example.com", "https://models.example.com/m.pkl", True),
        ("https://models.example.com", "https://models.example.com.evil.example.net/m.pkl", False),
        ("https://models.example.com", "https://models.example.com:8443/m.pkl", False),
        ("models:/", "models:/fraud/1", True),
        ("models:/fraud", "models:/fraud/1", True),
        ("models:/fraud", "models:/fraud-of-mallory/1", False),
    ],
)
def test_a_source_that_is_trusted_is_a_place_and_no_text(source: str, uri: str, trusted: bool) -> None:
    assert trust.trusted(uri, operator_settings.Settings(trusted_sources=(source,))) is trusted


def test_the_hosts_that_may_be_private_reach_the_fetch() -> None:
    owner = Cluster().resource().meta
    revision = serving().status.stable
    settings = operator_settings.Settings(private_hosts=("models.corp.example", ".storage.example"))

    body = pods.spec(owner, revision, settings)

    told = server_settings.from_environment(environment(body["initContainers"][0]))
    assert told.private_hosts == settings.private_hosts


def test_every_cause_that_the_server_can_give_is_a_reason_that_status_can_tell() -> None:
    assert {cause.value for cause in reason.Reason} <= {known.value for known in conditions.Reason}


def test_the_cause_crosses_the_seam(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"

    reason.publish(reason.FatalError(reason.Reason.LOAD_FAILED, "it does not load"), log)

    status = {"name": "server", "state": {"terminated": {"exitCode": 1, "message": log.read_text(encoding="utf-8")}}}
    pod = {"metadata": {"name": "fraud-1"}, "status": {"containerStatuses": [status]}}
    found = obstacle.of({}, [pod])
    assert found is not None
    assert found.reason is conditions.Reason.LOAD_FAILED
    assert "it does not load" in found.message


@pytest.mark.parametrize(
    ("ended", "told"),
    [("Error", conditions.Reason.CRASHED), ("OOMKilled", conditions.Reason.OUT_OF_MEMORY)],
)
def test_of_the_end_of_a_server_that_served_the_kubelet_may_know_more(
    tmp_path: Path, ended: str, told: conditions.Reason
) -> None:
    log = tmp_path / "termination-log"
    reason.publish(audience.crash("fraud", "worker 1", -9), log)

    state = {"exitCode": 137, "reason": ended, "message": log.read_text(encoding="utf-8")}
    status = {"name": "server", "state": {"terminated": state}}
    pod = {"metadata": {"name": "fraud-1"}, "spec": {}, "status": {"containerStatuses": [status]}}
    found = obstacle.of({}, [pod])

    assert found is not None
    assert found.reason is told
    assert "SIGKILL" in found.message or told is conditions.Reason.OUT_OF_MEMORY


@pytest.mark.parametrize(("percent", "argument"), [(1, "0.01"), (0.1, "0.001"), (100, "1")])
def test_traces_go_where_the_installation_says(percent: float, argument: str) -> None:
    settings = operator_settings.Settings(trace_endpoint="http://collector:4318", trace_percent=percent)

    told = environment({"env": rendered.traces(settings)})

    assert told["OTEL_TRACES_SAMPLER_ARG"] == argument
    assert server_settings.from_environment({"FERRYMAN_MODEL_NAME": "fraud", **told}).traces is True
    assert rendered.traces(operator_settings.Settings()) == []


def test_a_model_of_another_registry_is_fetched_from_there_and_is_another_revision() -> None:
    settings = operator_settings.Settings(tracking_uri="https://ours")
    spec = ModelDeploymentSpec.model_validate({"model": {"uri": URI}})
    owner = ObjectMeta(name="fraud", namespace="ml", uid="u", generation=1, resource_version="1")

    def told(registry: str | None) -> tuple[str, str]:
        model = ResolvedModel(uri="models:/fraud/7", requested=URI, registry=registry)
        revision = revisions.wished("fraud", spec, model, settings, START)
        variables = environment({"env": rendered.bundled(owner, revision, settings)})
        return revision.revision, variables["MLFLOW_TRACKING_URI"]

    (ours, our_server), (theirs, their_server) = told(None), told("https://theirs")
    assert (our_server, their_server) == ("https://ours", "https://theirs")
    assert ours != theirs
