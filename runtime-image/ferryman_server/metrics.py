"""Every metric of the server, declared once, with its labels bound before the first request.

Buckets begin at half a millisecond, because a small model answers in one.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_MODEL = ("model", "version", "revision")
PROTOCOLS = ("v1", "v2", "invocations", "grpc")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model these numbers are about."""

    model: str
    version: str
    revision: str

    @property
    def values(self) -> tuple[str, str, str]:
        """In the order of the labels."""
        return self.model, self.version, self.revision


class Metrics:
    """One process's numbers, in a registry of their own."""

    def __init__(self, identity: Identity) -> None:
        self.registry = CollectorRegistry()
        self._identity = identity
        labels = (*_MODEL, "protocol")
        self._requests = Counter(
            "ferryman_requests",
            "Prediction requests, by protocol and HTTP status code.",
            (*labels, "code"),
            registry=self.registry,
        )
        duration = Histogram(
            "ferryman_request_duration_seconds",
            "From the last byte of a request to the first of its answer.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        in_flight = Gauge(
            "ferryman_requests_in_flight", "Prediction requests being answered now.", labels, registry=self.registry
        )
        self._durations = {name: duration.labels(*identity.values, name) for name in PROTOCOLS}
        self._in_flight = {name: in_flight.labels(*identity.values, name) for name in PROTOCOLS}
        self._codes: dict[tuple[str, int], Counter] = {}
        self._predict = self._histogram(
            "ferryman_predict_duration_seconds", "One run of the model, for one batch.", _SECONDS
        )
        self._queue = self._histogram(
            "ferryman_queue_duration_seconds", "How long a request waited for the model.", _SECONDS
        )
        self._rows = self._histogram("ferryman_batch_rows", "Rows that went through the model at once.", _ROWS)
        self._fetch = self._gauge("ferryman_fetch_seconds", "How long the artefact took to arrive.")
        self._artifact = self._gauge("ferryman_artifact_bytes", "The size of the artefact.")
        self._load = self._gauge("ferryman_load_seconds", "How long the model took to load.")
        self._warmup = self._gauge("ferryman_warmup_seconds", "How long the warm-up predictions took.")
        self._ready = self._gauge("ferryman_ready", "1 while the server takes traffic.")
        self._info = Gauge(
            "ferryman_model_info",
            "Always 1; what is served.",
            (*_MODEL, "platform", "digest"),
            registry=self.registry,
        )

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, words, _MODEL, buckets=buckets, registry=self.registry).labels(*self._identity.values)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, _MODEL, registry=self.registry).labels(*self._identity.values)

    # --- requests ---

    def began(self, protocol: str) -> None:
        """A prediction request has come."""
        self._in_flight[protocol].inc()

    def ended(self, protocol: str, code: int, seconds: float) -> None:
        """It was answered."""
        self._in_flight[protocol].dec()
        self._durations[protocol].observe(seconds)
        counter = self._codes.get((protocol, code))
        if counter is None:
            counter = self._requests.labels(*self._identity.values, protocol, str(code))
            self._codes[protocol, code] = counter
        counter.inc()

    # --- the model (dataplane.batch.Observer) ---

    def executed(self, rows: int, seconds: float) -> None:
        """The model ran once."""
        self._predict.observe(seconds)
        self._rows.observe(rows)

    def waited(self, seconds: float) -> None:
        """A request left the queue."""
        self._queue.observe(seconds)

    # --- the start ---

    def fetched(self, seconds: float, size: int) -> None:
        """What the init step measured."""
        self._fetch.set(seconds)
        self._artifact.set(size)

    def loaded(self, seconds: float, platform: str, digest: str) -> None:
        """The model is in memory."""
        self._load.set(seconds)
        self._info.labels(*self._identity.values, platform, digest).set(1)

    def warmed(self, seconds: float) -> None:
        """The warm-up is over."""
        self._warmup.set(seconds)

    def ready(self, *, now: bool) -> None:
        """Readiness, as the probe tells it."""
        self._ready.set(int(now))

    def page(self) -> bytes:
        """What /metrics answers."""
        return generate_latest(self.registry)
