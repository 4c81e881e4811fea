"""How the way to a cluster is chosen, and what the way through kind would run."""

import pytest
import yaml

from localcluster import driver, errors, images, kind, network, paths


def test_without_docker_the_cluster_is_made_from_source():
    assert driver.choose({}, docker_answers=lambda: False) is driver.Driver.SOURCE


def test_where_docker_answers_it_is_made_in_kind():
    assert driver.choose({}, docker_answers=lambda: True) is driver.Driver.KIND


@pytest.mark.parametrize("asked", list(driver.Driver))
def test_the_environment_decides_without_asking_docker(asked):
    def never():
        raise AssertionError("docker was asked")

    assert driver.choose({"CLUSTER": asked.value}, never) is asked


def test_an_unknown_way_is_refused_with_the_known_ones():
    with pytest.raises(errors.ClusterError, match=r"CLUSTER=minikube .* kind or source"):
        driver.choose({"CLUSTER": "minikube"}, lambda: False)


@pytest.fixture
def no_builds(monkeypatch, tmp_path):
    monkeypatch.setattr(kind.binaries, "path", lambda program: tmp_path / program)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.usefixtures("no_builds")
def test_kind_writes_to_a_kubeconfig_of_the_project_s_own():
    command = kind.create()

    assert command[1:3] == ("create", "cluster")
    assert f"--kubeconfig={paths.kubeconfig()}" in command
    assert ".kube" not in str(paths.kubeconfig())


def test_kind_lets_only_this_machine_in_at_the_gateway_s_port():
    config = yaml.safe_load(kind.config())

    (mapping,) = config["nodes"][0]["extraPortMappings"]

    assert mapping["hostPort"] == network.GATEWAY_PORT
    assert mapping["listenAddress"] == "127.0.0.1"


def test_the_manifests_for_kind_are_whole(monkeypatch, tmp_path):
    crds = tmp_path / "crds.yaml"
    crds.write_text("apiVersion: v1\nkind: List\n")
    monkeypatch.setattr(kind.istio, "crds_path", lambda: crds)

    documents = [d for d in yaml.safe_load_all(kind.manifests()) if d]

    by_name = {(d["kind"], d.get("metadata", {}).get("name")): d for d in documents}
    settings = by_name["ConfigMap", "ferryman-local-istio"]["data"]
    bootstrap = yaml.safe_load(settings["envoy.yaml"])
    (port,) = by_name["Service", "istio-ingressgateway"]["spec"]["ports"]
    assert yaml.safe_load(settings["mesh"])["enableAutoMtls"] is False
    assert bootstrap["node"]["id"].startswith("router~@POD_IP@~istio-ingressgateway.istio-system~")
    assert (port["port"], port["nodePort"]) == (80, network.GATEWAY_PORT)
    assert by_name["Deployment", "istiod"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert ("APIService", "v1beta1.metrics.k8s.io") in by_name


def test_docker_builds_on_the_public_base(tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")

    command = kind.build_image(images.Image("ferryman.dev/server:dev", tmp_path, {"GPU": "1"}))

    assert command[1:3] == ("build", "--tag=ferryman.dev/server:dev")
    assert f"--build-arg=BASE_IMAGE={images.DOCKER_BASE}" in command
    assert "--build-arg=GPU=1" in command


def test_a_missing_dockerfile_is_named(tmp_path):
    with pytest.raises(errors.ClusterError, match=r"ferryman.dev/server:dev: there is no .*Dockerfile"):
        kind.build_image(images.Image("ferryman.dev/server:dev", tmp_path))
