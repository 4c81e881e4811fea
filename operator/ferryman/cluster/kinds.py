"""Where each kind lives in the API: the one table of groups, versions and plurals."""

from __future__ import annotations

from dataclasses import dataclass

from ferryman.api import modeldeployment


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object and its address."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """Return the kind's apiVersion as it stands in YAML."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of an object, or of the list of them; of every namespace's list if none is given."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part is not None]
        return "/" + "/".join(parts)


ISTIO_GROUP = "networking.istio.io"

MODEL_DEPLOYMENT = Kind(modeldeployment.KIND, modeldeployment.GROUP, modeldeployment.VERSION, modeldeployment.PLURAL)
DEPLOYMENT = Kind("Deployment", "apps", "v1", "deployments")
SERVICE = Kind("Service", "", "v1", "services")
AUTOSCALER = Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")
VIRTUAL_SERVICE = Kind("VirtualService", ISTIO_GROUP, "v1", "virtualservices")
DESTINATION_RULE = Kind("DestinationRule", ISTIO_GROUP, "v1", "destinationrules")
REPLICA_SET = Kind("ReplicaSet", "apps", "v1", "replicasets")
POD = Kind("Pod", "", "v1", "pods")
NODE = Kind("Node", "", "v1", "nodes")
EVENT = Kind("Event", "events.k8s.io", "v1", "events")
LEASE = Kind("Lease", "coordination.k8s.io", "v1", "leases")

CHILDREN = (DEPLOYMENT, SERVICE, AUTOSCALER)
MESH_CHILDREN = (VIRTUAL_SERVICE, DESTINATION_RULE)

_BY_NAME = {kind.name: kind for kind in (*CHILDREN, *MESH_CHILDREN)}


def of(body: dict[str, object]) -> Kind:
    """Return the kind of a child; a kind that is not in the table is a fault of ours."""
    return _BY_NAME[str(body["kind"])]
