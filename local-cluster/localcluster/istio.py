"""Istio's control plane: its resource definitions, its mesh settings and istiod beside the cluster."""

import pathlib

from localcluster import access, binaries, paths, plane, process, templates, versions

NAMESPACE = "istio-system"
XDS = ("127.0.0.1", 15010)
# What stock Envoy cannot do (Istio's own filters) and what one gateway does not need (a mesh's certificates).
ENVIRONMENT = {
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_CERT_PROVIDER": "none",
    "ENABLE_CA_SERVER": "false",
    "CLUSTER_ID": "Kubernetes",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "POD_NAMESPACE": NAMESPACE,
    "GOGC": "60",
}


def crds_path() -> pathlib.Path:
    """Istio's CustomResourceDefinitions, as one YAML file."""
    component = versions.components()["istio"]
    copy = binaries.folder(component) / "crds.yaml"
    if not copy.exists():
        source = binaries.module_folder(component) / "manifests/charts/base/files/crd-all.gen.yaml"
        copy.parent.mkdir(parents=True, exist_ok=True)
        fresh = copy.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.replace(copy)
    return copy


def istiod(plan: plane.Plan) -> process.Daemon:
    """The program that turns routes into Envoy's configuration."""
    mesh = templates.render("mesh.yaml", plan.directory / "config" / "mesh.yaml")
    config = plan.kubeconfig_of("istiod", "istiod", plane.MASTERS)
    health = "127.0.0.1:15080"
    return process.Daemon(
        name="istiod",
        argv=(
            str(binaries.path("pilot-discovery")),
            "discovery",
            f"--kubeconfig={config}",
            f"--meshConfig={mesh}",
            f"--networksConfig={paths.TEMPLATES / 'networks.yaml'}",
            f"--grpcAddr={XDS[0]}:{XDS[1]}",
            f"--httpAddr={health}",
            "--monitoringAddr=127.0.0.1:15014",
            "--httpsAddr=",
            "--secureGRPCAddr=",
            "--ctrlz_port=15076",
            "--log_output_level=default:warn",
        ),
        env=ENVIRONMENT,
        inputs=(mesh,),
        ready=lambda: access.answers(f"http://{health}/ready"),
    )
