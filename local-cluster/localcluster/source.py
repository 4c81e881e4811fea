"""The cluster from source: every component a process of this machine, pods in a containerd of the cluster's own."""

import dataclasses
import functools
import shutil
from collections.abc import Callable
from http import HTTPStatus

from localcluster import (
    access,
    addons,
    binaries,
    cgroups,
    errors,
    flow,
    gateway,
    istio,
    network,
    node,
    paths,
    plane,
    process,
    progress,
    runtime,
    shell,
    templates,
    tools,
    versions,
    waiting,
)

COMPONENTS = ("kubernetes", "etcd", "pause", "istio", "coredns", "metrics-server", "helm")
DAEMONS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
    "metrics-server",
    "istiod",
    "envoy",
)
AUDITED = ("system:serviceaccount:ferryman-system:ferryman",)
"""Whose requests are written down: the operator's, so that its rights can be held against what it does."""
IMAGES_WELCOME = "pause image"  # from this step on, images can be brought in
BUILDS = {name: f"build {name}" for name in COMPONENTS}


def plan() -> plane.Plan:
    """The one control plane of this machine's cluster."""
    return plane.Plan(
        directory=paths.state(),
        address=network.NODE,
        port=6443,
        etcd_port=12379,
        etcd_peer_port=12380,
        service_range=network.SERVICES,
        audited=AUDITED,
    )


def build_steps() -> list[flow.Step]:
    """What has to be compiled, in the order in which the cluster wants it."""
    steps = []
    before: tuple[str, ...] = ()
    for name in COMPONENTS:
        component = versions.components()[name]
        if not binaries.built(component):
            steps.append(flow.Step(BUILDS[name], functools.partial(binaries.build, component), before))
            before = (BUILDS[name],)
    return steps


def up_steps(apiserver_args: tuple[str, ...] = ()) -> list[flow.Step]:
    """Bring up what does not run, adopt what does; at the end the cluster serves."""
    paths.state().mkdir(parents=True, exist_ok=True)
    builds = build_steps()
    to_build = {step.name for step in builds}

    def built(*names: str) -> tuple[str, ...]:
        return tuple(BUILDS[name] for name in names if BUILDS[name] in to_build)

    mine = dataclasses.replace(plan(), apiserver_args=apiserver_args)
    return [
        flow.Step("tools", lambda say: tools.install(tools.NODE, say)),
        *builds,
        flow.Step("network", lambda _: network.up(), ("tools",)),
        flow.Step("certificates", lambda _: plane.prepare(mine)),
        _daemon("containerd", mine, node.containerd, "network", "certificates"),
        flow.Step(IMAGES_WELCOME, lambda _: runtime.ensure_pause(), ("containerd", *built("pause"))),
        _daemon("etcd", mine, plane.etcd, "certificates", *built("etcd")),
        _daemon("kube-apiserver", mine, plane.apiserver, "network", "etcd", *built("kubernetes")),
        _daemon("kube-controller-manager", mine, plane.controller_manager, "kube-apiserver"),
        _daemon("kube-scheduler", mine, addons.scheduler, "kube-apiserver"),
        flow.Step("control groups", lambda _: cgroups.create(), ("tools",)),
        _daemon("kubelet", mine, node.kubelet, "kube-apiserver", "control groups", IMAGES_WELCOME),
        _daemon("kube-proxy", mine, node.kube_proxy, "node ready"),  # it says that it is well once its node is known
        flow.Step("manifests", lambda _: apply(mine), ("kube-apiserver", *built("istio"))),
        _daemon("istiod", mine, istio.istiod, "manifests"),
        _daemon("envoy", mine, gateway.envoy, "istiod"),
        _daemon("coredns", mine, addons.coredns, "kube-apiserver", *built("coredns")),
        _daemon("metrics-server", mine, addons.metrics_server, "kubelet", *built("metrics-server")),
        flow.Step("node ready", lambda _: _wait_for_node(mine), ("kubelet",)),
        flow.Step("metrics served", lambda _: _wait_for_metrics(mine), ("metrics-server", "manifests", "node ready")),
    ]


def down() -> None:
    """End everything and remove every trace but the cache."""
    network.refuse_other_owner()
    alive = process.running(paths.state())
    first = [r.pid for r in alive if r.name not in ("etcd", "kube-apiserver", "containerd")]
    process.end(first, grace=2.0)
    process.end([r.pid for r in alive if r.name == "kube-apiserver"], grace=0.2)
    runtime.end_pods()
    process.end([r.pid for r in process.running(paths.state())], grace=2.0)
    cgroups.kill()
    runtime.clear()
    network.down()
    shutil.rmtree(paths.state(), ignore_errors=True)


def _daemon(name: str, mine: plane.Plan, make: Callable[[plane.Plan], process.Daemon], *needs: str) -> flow.Step:
    """A step that starts or adopts one daemon."""

    def action(_: progress.Say) -> None:
        process.ensure(make(mine), mine.directory, paths.logs() / f"{name}.log")

    return flow.Step(name, action, needs)


def apply(mine: plane.Plan) -> None:
    """Istio's definitions, and the services of what runs beside the cluster."""
    manifests = (
        templates.text("manifests/gateway.yaml", address=network.NODE, port=network.GATEWAY_PORT),
        templates.text("manifests/metrics-server.yaml", address=network.NODE, port=addons.METRICS_PORT),
        istio.crds_path().read_text(),
    )
    kubectl = (str(binaries.path("kubectl")), f"--kubeconfig={mine.kubeconfig}")
    text = "\n---\n".join(manifests)
    shell.run(*kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def _wait_for_node(mine: plane.Plan) -> None:
    client = access.Client(mine.kubeconfig)
    if not waiting.until(lambda: node.is_ready(client), seconds=60):
        raise errors.ClusterError(f"the node is not Ready after 60 s; see {paths.logs() / 'kubelet.log'}")


def _wait_for_metrics(mine: plane.Plan) -> None:
    client = access.Client(mine.kubeconfig)
    path = "/apis/metrics.k8s.io/v1beta1/nodes"
    if not waiting.until(lambda: client.status(path) == HTTPStatus.OK, seconds=60):
        raise errors.ClusterError(f"the metrics API does not answer; see {paths.logs() / 'metrics-server.log'}")
