"""The node: containerd, kubelet and kube-proxy, and what tests say about it (GPUs it has not)."""

import json
import pathlib

from localcluster import access, binaries, cgroups, network, paths, plane, process, shell, templates, tools

NAME = "ferry"
PAUSE = "ferryman.dev/pause:local"
SOCKET = paths.RUNTIME / "containerd.sock"
GPU = "nvidia.com/gpu"


def containerd(plan: plane.Plan) -> process.Daemon:
    """The container runtime, with its own root, state and socket."""
    config = plan.directory / "config"
    templates.render("cni.conflist", config / "cni" / "10-ferryman.conflist", leases=cni_leases(), pods=network.PODS)
    file = templates.render(
        "containerd.toml",
        config / "containerd.toml",
        root=image_store(),
        state=paths.RUNTIME / "containerd",
        socket=SOCKET,
        pause=PAUSE,
        cni_programs=tools.CNI,
        cni_config=config / "cni",
    )
    return process.Daemon(
        name="containerd",
        argv=(str(tools.find("containerd")), f"--config={file}", "--log-level=warn"),
        inputs=(file,),
        ready=lambda: SOCKET.exists() and shell.attempt("ctr", f"--address={SOCKET}", "version").returncode == 0,
    )


def kubelet(plan: plane.Plan) -> process.Daemon:
    """The node's agent."""
    folder, config = plan.directory / "kubelet", plan.directory / "config"
    authority = plan.authority()
    certificate, key = authority.issue("kubelet", f"system:node:{NAME}", hosts=(NAME, network.NODE))
    resolv = templates.write(config / "resolv.conf", f"nameserver {network.NODE}\n")
    file = templates.render(
        "kubelet.yaml",
        config / "kubelet.yaml",
        address=network.NODE,
        containerd=SOCKET,
        cgroup=cgroups.name(),
        ca=authority.certificate,
        certificate=certificate,
        key=key,
        resolv=resolv,
        pod_logs=paths.logs() / "pods",
        plugins=folder / "volume-plugins",
    )
    return process.Daemon(
        name="kubelet",
        argv=(
            str(binaries.path("kubelet")),
            f"--config={file}",
            f"--kubeconfig={plan.kubeconfig_of('kubelet', f'system:node:{NAME}', ('system:nodes',))}",
            f"--root-dir={folder}",
            f"--cert-dir={folder / 'pki'}",
            f"--hostname-override={NAME}",
            f"--node-ip={network.NODE}",
        ),
        env={"GOGC": "70"},
        inputs=(file,),
        ready=lambda: access.answers(f"http://{network.NODE}:10248/healthz"),
    )


def kube_proxy(plan: plane.Plan) -> process.Daemon:
    """Makes service addresses work, by iptables."""
    file = templates.render(
        "kube-proxy.yaml",
        plan.directory / "config" / "kube-proxy.yaml",
        kubeconfig=plan.kubeconfig_of("kube-proxy", "system:kube-proxy"),
        node=NAME,
        pods=network.PODS,
        address=network.NODE,
    )
    return process.Daemon(
        name="kube-proxy",
        argv=(str(binaries.path("kube-proxy")), f"--config={file}"),
        inputs=(file,),
        ready=lambda: access.answers(f"http://{network.NODE}:10256/healthz"),
    )


def is_ready(client: access.Client) -> bool:
    """Whether the node takes pods."""
    node = client.get(f"/api/v1/nodes/{NAME}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def advertise_gpus(count: int, kubeconfig: pathlib.Path | None = None) -> None:
    """Let every node claim GPUs that it has not, so that the scheduler and quotas treat them as real; 0 ends it."""
    config = str(kubeconfig or paths.kubeconfig())
    kubectl = (str(binaries.path("kubectl")), f"--kubeconfig={config}")
    names = shell.run(*kubectl, "get", "nodes", "-o", "name").split()
    value = str(count) if count else None
    change = json.dumps({"status": {"capacity": {GPU: value}, "allocatable": {GPU: value}}})
    for name in names:
        shell.run(*kubectl, "patch", name, "--subresource=status", "--type=merge", "-p", change)


def image_store() -> pathlib.Path:
    """Containerd's root: images outlive a cluster, so that the next one has them at once."""
    return paths.cache() / "containerd"


def cni_leases() -> pathlib.Path:
    """Which pod has which address."""
    return paths.state() / "cni"
