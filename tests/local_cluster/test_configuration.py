"""The configuration files that the components read."""

import json
import pathlib
import tomllib

import pytest
import yaml

from localcluster import access, gateway, network, node, paths, pki, plane, templates


@pytest.fixture
def plan(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(plane.binaries, "path", lambda program: tmp_path / program)
    monkeypatch.setattr(node.tools, "find", lambda program: f"/usr/bin/{program}")
    paths.state().mkdir(parents=True)
    made = plane.Plan(paths.state(), network.NODE, 6443, 12379, 12380, network.SERVICES)
    plane.prepare(made)
    return made


def test_containerd_has_a_root_state_and_socket_of_its_own(plan):
    daemon = node.containerd(plan)

    config = tomllib.loads(daemon.inputs[0].read_text())
    criteria = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["root"] == str(node.image_store())
    assert config["grpc"]["address"] == str(node.SOCKET)
    assert len(str(node.SOCKET)) < 108
    assert criteria["restrict_oom_score_adj"] is True
    assert criteria["sandbox_image"] == node.PAUSE
    assert criteria["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False


def test_pods_get_their_addresses_from_the_cluster_s_range(plan):
    node.containerd(plan)

    (file,) = (plan.directory / "config" / "cni").iterdir()
    (plugin,) = json.loads(file.read_text())["plugins"]

    assert plugin["type"] == "ptp"
    assert plugin["ipam"]["ranges"] == [[{"subnet": network.PODS}]]


def test_the_kubelet_runs_on_either_cgroup_version_and_keeps_images(plan):
    daemon = node.kubelet(plan)

    config = yaml.safe_load(daemon.inputs[0].read_text())
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["failCgroupV1"] is False
    assert config["failSwapOn"] is False
    assert config["imageGCHighThresholdPercent"] == 100
    assert config["address"] == config["healthzBindAddress"] == network.NODE


def test_kube_proxy_leaves_the_machine_s_connection_tracking_alone(plan):
    daemon = node.kube_proxy(plan)

    config = yaml.safe_load(daemon.inputs[0].read_text())
    assert config["mode"] == "iptables"
    assert config["conntrack"]["maxPerCore"] == 0


def test_the_gateway_says_that_it_is_an_istio_router():
    bootstrap = yaml.safe_load(gateway.bootstrap("10.87.0.1", ("127.0.0.1", 15010)))

    assert bootstrap["node"]["id"].startswith("router~10.87.0.1~")
    assert bootstrap["node"]["metadata"]["LABELS"]["istio"] == "ingressgateway"
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_the_apiserver_listens_on_one_address_and_checks_roles(plan):
    argv = plane.apiserver(plan).argv

    assert f"--bind-address={network.NODE}" in argv
    assert "--authorization-mode=Node,RBAC" in argv
    assert "--enable-aggregator-routing=true" in argv


def test_more_flags_for_the_apiserver_come_last(plan):
    plan = plane.Plan(plan.directory, "127.0.0.1", 1, 2, 3, "10.86.0.0/24", apiserver_args=("--audit-log-path=-",))

    assert plane.apiserver(plan).argv[-1] == "--audit-log-path=-"


def test_the_audited_users_requests_are_written_down_and_nobody_else_s(plan):
    plan = plane.Plan(plan.directory, "127.0.0.1", 1, 2, 3, "10.86.0.0/24", audited=("them",))

    flags = dict(flag.split("=", 1) for flag in plane.audit(plan))

    assert flags["--audit-log-path"] == str(plan.audit_log)
    rules = yaml.safe_load(pathlib.Path(flags["--audit-policy-file"]).read_text())["rules"]
    assert rules == [{"level": "Metadata", "users": ["them"]}, {"level": "None"}]


def test_certificates_are_kept_from_one_start_to_the_next(tmp_path):
    first = [
        file.read_bytes() for file in pki.Authority(tmp_path).issue("server", "server", hosts=("10.0.0.1", "a.b"))
    ]

    second = [file.read_bytes() for file in pki.Authority(tmp_path).issue("server", "server")]

    assert first == second


def test_a_kubeconfig_can_be_read_by_its_owner_alone(tmp_path):
    file = access.write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", pki.Authority(tmp_path), "me")

    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_did_not_change_is_not_touched(tmp_path):
    file = templates.write(tmp_path / "config.yaml", "a: 1\n")
    before = file.stat().st_mtime_ns, file.stat().st_ino

    templates.write(file, "a: 1\n")

    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
