"""Scheduler, names and metrics: what makes a control plane and a node a cluster that one can use."""

import pathlib

from localcluster import access, binaries, network, plane, process, templates

METRICS_PORT = 4443


def scheduler(plan: plane.Plan) -> process.Daemon:
    """Chooses nodes for pods."""
    config = plan.kubeconfig_of("kube-scheduler", "system:kube-scheduler")
    return process.Daemon(
        name="kube-scheduler",
        argv=(
            str(binaries.path("kube-scheduler")),
            f"--kubeconfig={config}",
            "--leader-elect=false",
            f"--bind-address={network.NODE}",
            f"--cert-dir={plan.directory / 'scheduler'}",
            "--profiling=false",
        ),
        ready=lambda: access.answers(f"https://{network.NODE}:10259/healthz"),
    )


def coredns(plan: plane.Plan) -> process.Daemon:
    """Names of services; other names go to the machine's own resolvers."""
    upstream = pathlib.Path("/etc/resolv.conf")
    file = templates.render(
        "Corefile",
        plan.directory / "config" / "Corefile",
        address=network.NODE,
        kubeconfig=plan.kubeconfig_of("coredns", "coredns", plane.MASTERS),
        upstream=upstream if "nameserver" in upstream.read_text() else "127.0.0.1",
    )
    return process.Daemon(
        name="coredns",
        argv=(str(binaries.path("coredns")), "-conf", str(file)),
        inputs=(file,),
        ready=lambda: access.answers(f"http://{network.NODE}:8181/ready"),
    )


def metrics_server(plan: plane.Plan) -> process.Daemon:
    """CPU and memory of pods, for autoscalers and `kubectl top`."""
    config = plan.kubeconfig_of("metrics-server", "metrics-server", plane.MASTERS)
    return process.Daemon(
        name="metrics-server",
        argv=(
            str(binaries.path("metrics-server")),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            f"--bind-address={network.NODE}",
            f"--secure-port={METRICS_PORT}",
            f"--cert-dir={plan.directory / 'metrics-server'}",
            f"--kubelet-certificate-authority={plan.authority().certificate}",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ),
        ready=lambda: access.answers(f"https://{network.NODE}:{METRICS_PORT}/livez"),
    )
