"""What the operator measures of itself and of what it looks after, in one place.

Labels come from small sets; the names of ModelDeployments are the only open one, and are forgotten with them.
"""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram

from ferryman.api.status import ModelDeploymentStatus, Phase

RECONCILE_SECONDS = Histogram(
    "ferryman_reconcile_seconds",
    "How long one look at a ModelDeployment took, from reading it to the last write.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECONCILE_ERRORS = Counter(
    "ferryman_reconcile_errors_total",
    "Looks at a ModelDeployment that failed and were repeated, by class of error.",
    ["error"],
)
WRITES = Counter("ferryman_writes_total", "Writes to the apiserver, by verb and kind of object.", ["verb", "kind"])
QUEUE_DEPTH = Gauge("ferryman_queue_depth", "ModelDeployments that are due to be looked at and wait for a worker.")
ACTING = Gauge("ferryman_acting", "1 in the operator that acts, 0 in one that stands by.")
LOST_EVENTS = Counter(
    "ferryman_lost_events_total",
    "Changes that the sweep found and of which no watch had told, by kind of object.",
    ["kind"],
)
DELIVERIES = Counter(
    "ferryman_webhook_deliveries_total",
    "Deliveries of MLflow's webhooks, by what became of them: heard, refused, or sent to an operator that stands by.",
    ["outcome"],
)
TRAFFIC = Gauge(
    "ferryman_traffic_weight_percent",
    "The share of live traffic of a ModelDeployment's stable and candidate revision, as its route says.",
    ["namespace", "name", "track"],
)
PHASE = Gauge(
    "ferryman_phase",
    "Where a ModelDeployment's rollout stands: 1 for the phase that it is in.",
    ["namespace", "name", "phase"],
)


def serve(port: int) -> None:
    """Answer Prometheus on a port, from a thread of its own."""
    prometheus_client.start_http_server(port)


def act(queue_depth: Callable[[], float]) -> None:
    """Tell that this operator acts, and how much it has to do."""
    ACTING.set(1)
    QUEUE_DEPTH.set_function(queue_depth)


def wrote(verb: str, kind: str) -> None:
    """Count a write."""
    WRITES.labels(verb, kind).inc()


def lost_event(kind: str) -> None:
    """Count a change that no watch told of."""
    LOST_EVENTS.labels(kind).inc()


def failed(error: BaseException) -> None:
    """Count a look that failed."""
    RECONCILE_ERRORS.labels(type(error).__name__).inc()


def tell(namespace: str, name: str, status: ModelDeploymentStatus) -> None:
    """Set what is known of one ModelDeployment."""
    if status.traffic is not None:
        TRAFFIC.labels(namespace, name, "stable").set(status.traffic.stable)
        TRAFFIC.labels(namespace, name, "candidate").set(status.traffic.candidate)
    for phase in Phase:
        PHASE.labels(namespace, name, phase.value).set(1 if phase is status.phase else 0)


def forget(namespace: str, name: str) -> None:
    """Stop telling of a ModelDeployment that is gone."""
    one = {"namespace": namespace, "name": name}
    TRAFFIC.remove_by_labels(one)
    PHASE.remove_by_labels(one)
