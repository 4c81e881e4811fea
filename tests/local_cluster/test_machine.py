"""What the cluster asks of the machine, and how it gives it back."""

import pytest

from localcluster import errors, network, tools

DUMP = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-ABC - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A KUBE-SERVICES -d 10.87.128.1/32 -p tcp -j KUBE-SEP-ABC
COMMIT
*filter
:INPUT ACCEPT [0:0]
-A INPUT -p tcp --dport 22 -j ACCEPT
COMMIT
"""


def test_missing_tools_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr(tools, "missing_packages", lambda _: ("buildah", "runc"))

    with pytest.raises(errors.ClusterError, match="apt-get install buildah runc"):
        tools.require(("buildah", "runc"))


def test_only_our_pods_links_are_taken_away():
    shown = """[
        {"ifname": "eth0", "addr_info": [{"local": "192.0.2.2"}]},
        {"ifname": "veth04e9", "addr_info": [{"local": "10.87.1.1"}]},
        {"ifname": "veth77aa", "addr_info": [{"local": "172.17.0.1"}]},
        {"ifname": "ferry-node", "addr_info": [{"local": "10.87.0.1"}]}
    ]"""

    links = network.pod_links(shown)

    assert links == ["veth04e9"]


def test_buildah_gets_a_network_of_either_kind(monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "CNI", tmp_path)
    monkeypatch.setattr(tools, "NETAVARK", tmp_path / "netavark")

    missing = tools.missing_packages(("buildah",), has=lambda _: True)

    assert missing == ("containernetworking-plugins", "netavark")


@pytest.mark.parametrize(
    ("said", "enough"),
    [("go version go1.26.8 linux/amd64", True), ("go version go1.19.8 linux/amd64", False), ("", False)],
)
def test_a_go_that_is_missing_or_too_old_is_not_taken(said, enough):
    assert tools.go_is_new_enough(said) is enough


def test_a_package_is_asked_for_once_though_it_brings_two_tools(monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "CNI", tmp_path)
    (tmp_path / "ptp").touch()

    packages = tools.missing_packages(tools.NODE, has=lambda program: program not in ("containerd", "ctr"))

    assert packages == ("containerd",)


def test_missing_network_plugins_are_a_package_too(monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "CNI", tmp_path)

    packages = tools.missing_packages(tools.NODE, has=lambda _: True)

    assert packages == ("containernetworking-plugins",)


def test_every_tool_has_a_package_that_brings_it():
    assert set(tools.NODE + tools.IMAGES) <= set(tools.PACKAGES)


def test_only_the_chains_of_kubernetes_are_removed():
    script = network.without_kubernetes(DUMP)

    assert script.splitlines() == [
        "*nat",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-SEP-ABC - [0:0]",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-X KUBE-SERVICES",
        "-X KUBE-SEP-ABC",
        "COMMIT",
    ]


def test_a_machine_without_such_chains_is_left_alone():
    assert network.without_kubernetes(DUMP.replace("KUBE-", "OTHER-")) == ""


@pytest.mark.parametrize("rule", network.RULES, ids=str)
def test_every_packet_rule_carries_the_cluster_s_mark(rule):
    argv = rule.argv("-C")

    assert argv[argv.index("--comment") + 1] == network.COMMENT
    assert argv[-2] == "-j"


def test_the_gateway_s_port_is_closed_before_it_is_opened_for_this_machine():
    inserted = [rule.match[-1] for rule in network.RULES if rule.chain == "INPUT"]

    assert inserted == ["DROP", "ACCEPT", "ACCEPT"]  # each goes on top of the one before
