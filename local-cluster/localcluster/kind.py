"""The cluster in kind, where there is a Docker engine: one node, istiod and the gateway as pods in it.

Everything that follows the cluster's start (kubeconfig, kubectl, helm, manifests) is shared with the other way.
"""

import functools
import json

from localcluster import (
    binaries,
    flow,
    gateway,
    images,
    istio,
    network,
    paths,
    progress,
    shell,
    templates,
    tools,
    versions,
)

CLUSTER = "ferryman"
CLUSTER_STEP = "kind"
COMPONENTS = ("kubernetes", "helm", "kind")  # of kubernetes, kubectl alone is used here
NODE_PORT = network.GATEWAY_PORT
XDS = ("istiod.istio-system.svc", 15010)


def config() -> str:
    """One node that lets this machine in at the gateway's port."""
    return templates.text("kind.yaml", port=NODE_PORT)


def create() -> tuple[str, ...]:
    """The command that makes the cluster; the kubeconfig is ours, nobody's own is touched."""
    return (
        *(str(binaries.path("kind")), "create", "cluster", f"--name={CLUSTER}", "--wait=120s"),
        *(f"--kubeconfig={paths.kubeconfig()}", f"--config={paths.state() / 'kind.yaml'}"),
    )


def exists() -> bool:
    """Whether the cluster is there."""
    return CLUSTER in shell.attempt(str(binaries.path("kind")), "get", "clusters").stdout.split()


def manifests() -> str:
    """Istio's definitions, istiod and the gateway."""
    release = versions.components()["istio"].release
    mesh = templates.text("mesh.yaml")
    inside = templates.text(
        "manifests/kind-istio.yaml",
        istiod_image=f"docker.io/istio/pilot:{release}",
        envoy_image=f"docker.io/envoyproxy/envoy:v{gateway.envoy_version()}",
        node_port=NODE_PORT,
        port=NODE_PORT,
        environment=json.dumps([{"name": name, "value": value} for name, value in istio.ENVIRONMENT.items()]),
        mesh=_indented(mesh),
        bootstrap=_indented(gateway.bootstrap("@POD_IP@", XDS)),
    )
    metrics = templates.text("manifests/kind-metrics.yaml", version=versions.components()["metrics-server"].version)
    return "\n---\n".join((istio.crds_path().read_text(), inside, metrics))


def build_steps() -> list[flow.Step]:
    """What has to be compiled here; all else comes as images."""
    wanted = [versions.components()[name] for name in COMPONENTS]
    return [
        flow.Step(f"build {component.name}", functools.partial(binaries.build, component))
        for component in wanted
        if not binaries.built(component)
    ]


def up_steps() -> list[flow.Step]:
    """Make the cluster, or adopt it, and what belongs in it."""
    paths.state().mkdir(parents=True, exist_ok=True)
    builds = build_steps()
    templates.write(paths.state() / "kind.yaml", config())

    def ensure(_: progress.Say) -> None:
        if exists():
            export = (str(binaries.path("kind")), "export", "kubeconfig", f"--name={CLUSTER}")
            shell.run(*export, f"--kubeconfig={paths.kubeconfig()}")
        else:
            shell.run(*create(), seconds=600)

    kubectl = (str(binaries.path("kubectl")), f"--kubeconfig={paths.kubeconfig()}")

    def apply(_: progress.Say) -> None:
        shell.run(*kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifests())

    def wait(_: progress.Say) -> None:
        for name in ("istiod", gateway.NAME):
            target = f"deployment/{name}"
            shell.run(*kubectl, "rollout", "status", target, "-n", istio.NAMESPACE, "--timeout=300s", seconds=310)

    return [
        *builds,
        flow.Step(CLUSTER_STEP, ensure, tuple(step.name for step in builds)),
        flow.Step("istio manifests", apply, (CLUSTER_STEP,)),
        flow.Step("istiod and gateway", wait, ("istio manifests",)),
    ]


def down() -> None:
    """Delete the cluster."""
    if exists():
        kind = (str(binaries.path("kind")), "delete", "cluster", f"--name={CLUSTER}")
        shell.run(*kind, f"--kubeconfig={paths.kubeconfig()}")
    paths.kubeconfig().unlink(missing_ok=True)


def build_image(image: images.Image) -> tuple[str, ...]:
    """The command that builds an image with Docker, on the public base."""
    images.require_dockerfile(image)
    arguments = {"BASE_IMAGE": images.DOCKER_BASE, **image.build_args}
    build_args = (f"--build-arg={key}={value}" for key, value in arguments.items())
    return (tools.find("docker") or "docker", "build", f"--tag={image.reference}", *build_args, str(image.context))


def load_image(reference: str) -> tuple[str, ...]:
    """The command that brings an image into the node."""
    return (str(binaries.path("kind")), "load", "docker-image", reference, f"--name={CLUSTER}")


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
