"""The cluster from source: every component a process of this machine, pods in a containerd of the cluster's own."""

import contextlib
import dataclasses
import fcntl
import shutil
from collections.abc import Callable, Iterator
from functools import partial

from localcluster import (
    access,
    addons,
    binaries,
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

COMPONENTS = ("kubernetes", "etcd", "istio", "coredns", "metrics-server", "helm", "pause")
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
    )


def build_steps() -> list[flow.Step]:
    """What has to be compiled, in the order in which the cluster wants it."""
    steps = []
    before: tuple[str, ...] = ()
    for name in COMPONENTS:
        component = versions.components()[name]
        if not binaries.built(component):
            steps.append(flow.Step(BUILDS[name], partial(binaries.build, component), before))
            before = (BUILDS[name],)
    return steps


def up(board: progress.Board, apiserver_args: tuple[str, ...] = ()) -> None:
    """Bring up what does not run, adopt what does; returns when the cluster serves."""
    with only_one():
        builds = build_steps()
        there = {step.name for step in builds}

        def built(*names: str) -> tuple[str, ...]:
            return tuple(BUILDS[name] for name in names if BUILDS[name] in there)

        mine = dataclasses.replace(plan(), apiserver_args=apiserver_args)
        flow.run(
            [
                flow.Step("tools", lambda say: tools.install(tools.NODE, say)),
                *builds,
                flow.Step("network", lambda _: network.up(), ("tools",)),
                flow.Step("certificates", lambda _: plane.prepare(mine)),
                daemon("containerd", mine, node.containerd, "tools", "certificates"),
                flow.Step("pause image", lambda _: runtime.ensure_pause(), ("containerd", *built("pause"))),
                daemon("etcd", mine, plane.etcd, "certificates", *built("etcd")),
                daemon("kube-apiserver", mine, plane.apiserver, "network", "etcd", *built("kubernetes")),
                daemon("kube-controller-manager", mine, plane.controller_manager, "kube-apiserver"),
                daemon("kube-scheduler", mine, addons.scheduler, "kube-apiserver"),
                daemon("kubelet", mine, node.kubelet, "kube-apiserver", "pause image"),
                daemon("kube-proxy", mine, node.kube_proxy, "kube-apiserver"),
                flow.Step("resource definitions", lambda _: apply(mine), ("kube-apiserver", *built("istio"))),
                daemon("istiod", mine, istio.istiod, "resource definitions", *built("istio")),
                daemon("envoy", mine, gateway.envoy, "istiod"),
                daemon("coredns", mine, addons.coredns, "kube-apiserver", *built("coredns")),
                daemon("metrics-server", mine, addons.metrics_server, "kubelet", *built("metrics-server")),
                flow.Step("node ready", lambda _: _wait_for_node(mine), ("kubelet",)),
            ],
            board,
        )


def down() -> None:
    """End everything and remove every trace but the cache."""
    with only_one():
        alive = process.running(paths.state())
        first = [r.pid for r in alive if r.name not in ("etcd", "kube-apiserver", "containerd")]
        process.end(first, grace=2.0)
        process.end([r.pid for r in alive if r.name == "kube-apiserver"], grace=0.2)
        runtime.end_pods()
        process.end([r.pid for r in process.running(paths.state())], grace=2.0)
        runtime.kill_pod_processes()
        runtime.clear()
        network.down()
        shutil.rmtree(paths.state(), ignore_errors=True)


def is_up() -> bool:
    """Whether anything of this cluster runs."""
    return bool(process.running(paths.state()))


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """One `up` or `down` at a time."""
    paths.cache().mkdir(parents=True, exist_ok=True)
    paths.state().mkdir(parents=True, exist_ok=True)
    with (paths.cache() / ".cluster.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.ClusterError("another `up` or `down` of this cluster is at work; wait for its end") from error
        yield


def daemon(name: str, mine: plane.Plan, make: Callable[[plane.Plan], process.Daemon], *needs: str) -> flow.Step:
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
