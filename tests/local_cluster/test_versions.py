"""Each version is pinned once; what builds it must say the same."""

import re

import pytest

from localcluster import binaries, errors, paths, versions

COMPONENTS = [component for component in versions.components().values() if component.module]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_go_mod_requires_the_pinned_version(component):
    text = (paths.MODULES / component.folder / "go.mod").read_text()

    required = re.search(rf"^\s*(?:require )?{re.escape(component.module)} (\S+)", text, re.MULTILINE)

    assert required
    assert required[1] == component.version


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_go_sum_holds_the_pinned_version(component):
    text = (paths.MODULES / component.folder / "go.sum").read_text()

    assert f"{component.module} {component.version} h1:" in text


def test_kubernetes_libraries_are_those_of_its_own_version():
    text = (paths.MODULES / "kubernetes" / "go.mod").read_text()
    wanted = versions.components()["kubernetes"].version.replace("v1.", "v0.")

    replaced = re.findall(r"^\s*(k8s\.io/\S+) => \1 (\S+)", text, re.MULTILINE)

    assert len(replaced) > 25
    assert {version for _, version in replaced} == {wanted}


def test_istio_s_release_is_that_of_its_api():
    text = (paths.MODULES / "addons" / "go.mod").read_text()
    release = versions.components()["istio"].release

    assert f"istio.io/api => istio.io/api v{release}" in text


def test_a_program_is_found_by_its_name():
    assert versions.of_program("kubectl").name == "kubernetes"
    assert versions.of_program("helm").name == "helm"


def test_an_unknown_program_is_answered_with_the_known_ones():
    with pytest.raises(errors.ClusterError, match="kube-apiserver"):
        versions.of_program("kubeadm")


def test_a_version_at_the_end_of_a_package_is_not_the_program_s_name():
    assert binaries.go_name("go.etcd.io/etcd/server/v3") == "server"
    assert binaries.go_name("helm.sh/helm/v3/cmd/helm") == "helm"
    assert binaries.go_name("./coredns") == "coredns"


def test_a_change_of_version_asks_for_a_new_build(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    helm = versions.components()["helm"]
    folder = binaries.folder(helm)
    folder.mkdir(parents=True)
    (folder / "helm").write_text("program")

    (folder / ".inputs").write_text("what an older list of versions said")

    assert not binaries.built(helm)
