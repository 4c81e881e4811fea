"""A route made by hand beside Ferryman's, to the same pods: what Kubernetes and Istio alone take for a split."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.served import ACT_SECONDS, GATEWAY_URL, Served

from ferrydemo import patience
from ferrydemo.prober import Prober

NAME = "by-hand"


@dataclass(frozen=True, slots=True)
class ByHand:
    """A VirtualService that nobody looks after, and its client."""

    served: Served
    stable: dict[str, Any]
    candidate: dict[str, Any]
    """The two destinations, as Ferryman's own route names them."""
    prober: Prober

    def patch(self, percent: int) -> None:
        """Move the split with kubectl, as a user without an operator does."""
        change = json.dumps({"spec": {"http": split(self.stable, self.candidate, percent)}}, separators=(",", ":"))
        namespace = self.served.deployment.namespace
        self.served.deployment.kube.type(
            f"kubectl -n {namespace} patch virtualservice {NAME} --type merge -p '{change}'"
        )


def split(stable: dict[str, Any], candidate: dict[str, Any], percent: int) -> list[dict[str, Any]]:
    """Return the rules of a route that sends so many percent to the candidate."""
    weights = ((stable, 100 - percent), (candidate, percent))
    return [{"route": [{"destination": where, "weight": weight} for where, weight in weights]}]


@contextlib.contextmanager
def route(served: Served, record: Path) -> Iterator[ByHand]:
    """Lead a host of its own to the two revisions of a canary that has a share, with a client; take it away after."""
    namespace, kube = served.deployment.namespace, served.deployment.kube
    path = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices"
    theirs = (kube.get(f"{path}/{served.deployment.name}") or {})["spec"]
    stable, candidate = (way["destination"] for way in theirs["http"][-1]["route"])
    host = f"{NAME}.{namespace}.example.com"
    kube.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": NAME, "namespace": namespace},
            "spec": {"hosts": [host], "gateways": theirs["gateways"][:1], "http": split(stable, candidate, 1)},
        }
    )
    with Prober(GATEWAY_URL, host, served.models.rows, record) as prober:
        began = prober.mark()
        patience.until(
            "the first answers by the route made by hand",
            lambda: any(not answer.fault for answer in prober.after(began)),
            ACT_SECONDS,
        )
        yield ByHand(served, stable, candidate, prober)
    kube.kubectl("-n", namespace, "delete", "virtualservice", NAME)
