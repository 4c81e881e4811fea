"""Every metric of the server, declared once; what is counted for each request is kept as a tally.

Buckets begin at a tenth of a millisecond, because a small model answers in less than one.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ferryman_server.dataplane.model import Optimization
from ferryman_server.tally import Numbers, Spread

_MILLISECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_SECONDS = tuple(bound / 1000 for bound in _MILLISECONDS)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_CODES = 600  # one cell for each that HTTP has
_MODEL = ("model", "version", "revision")
STEPS = ("preprocess", "postprocess")
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


class Metrics(Collector):
    """A pod's numbers, in a registry of their own; what requests cause is told from the event loop alone.

    `numbers` are the workers' together where there are several; each takes its cells in the same order.
    """

    def __init__(self, identity: Identity, numbers: Numbers | None = None) -> None:
        self.registry = CollectorRegistry()
        self.numbers = numbers or Numbers()
        self.before: list[Callable[[], None]] = []
        """Called before the page is written, by those who keep their numbers elsewhere."""
        self.steps: dict[str, Spread] = {}
        """How long the model's own took, by their names in `STEPS`."""
        self.identity = identity
        self._durations = {name: Spread(_SECONDS, self.numbers) for name in PROTOCOLS}
        self._in_flight = {name: self.numbers.living(1) for name in PROTOCOLS}
        self._codes = {name: self.numbers.lasting(_CODES) for name in PROTOCOLS}
        self._going = {name: cells.own for name, cells in self._in_flight.items()}
        self._coded = {name: cells.own for name, cells in self._codes.items()}
        self._predict, self._queue = Spread(_SECONDS, self.numbers), Spread(_SECONDS, self.numbers)
        self._rows = Spread(_ROWS, self.numbers)
        self._load, self._warmup, self._refused, self._ready = (self.numbers.living(1) for _ in range(4))
        self._each = {which: self.numbers.living(1) for which in ("first", "median", "slowest")}
        self._fetch = self._gauge("ferryman_fetch_seconds", "How long the artefact took to arrive.")
        self._artifact = self._gauge("ferryman_artifact_bytes", "The size of the artefact.")
        self._info = Gauge(
            "ferryman_model_info",
            "Always 1; what is served.",
            (*_MODEL, "platform", "digest"),
            registry=self.registry,
        )
        self._optimized = Gauge(
            "ferryman_model_optimized",
            "1 where a converted graph answers for the model, 0 where the model itself does, and why.",
            (*_MODEL, "precision", "why"),
            registry=self.registry,
        )
        self.registry.register(self)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, _MODEL, registry=self.registry).labels(*self.identity.values)

    # --- requests ---

    def began(self, protocol: str) -> None:
        """A prediction request has come."""
        self._going[protocol][0] += 1

    def ended(self, protocol: str, code: int, seconds: float) -> None:
        """It was answered."""
        self._going[protocol][0] -= 1
        self._durations[protocol].observe(seconds)
        self._coded[protocol][code] += 1

    def answered(self, protocol: str, code: int, seconds: float) -> None:
        """A request has come and was answered, and nobody could look in between."""
        self._durations[protocol].observe(seconds)
        self._coded[protocol][code] += 1

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

    def loaded(self, seconds: float, platform: str, digest: str, optimization: Optimization | None) -> None:
        """The model is in memory."""
        self._load.own[0] = seconds
        self._info.labels(*self.identity.values, platform, digest).set(1)
        if optimization is not None:
            runs = int(optimization.runtime == "onnx")
            self._optimized.labels(*self.identity.values, optimization.precision, optimization.why).set(runs)

    def warmed(self, seconds: float, each: Sequence[float] = (), refused: int = 0) -> None:
        """The warm-up is over; what each of its predictions took, and how many recorded ones the model refused."""
        self._warmup.own[0] = seconds
        self._refused.own[0] = refused
        if each:
            for which, took in (("first", each[0]), ("median", statistics.median(each)), ("slowest", max(each))):
                self._each[which].own[0] = took

    def ready(self, *, now: bool) -> None:
        """Readiness, as the probe tells it."""
        self._ready.own[0] = int(now)

    # --- the page ---

    def collect(self) -> Iterator[Metric]:
        """The tallies by the names that others know (prometheus_client's Collector)."""
        labels, values = (*_MODEL, "protocol"), self.identity.values
        requests = CounterMetricFamily(
            "ferryman_requests", "Prediction requests, by protocol and status code.", labels=(*labels, "code")
        )
        for protocol in PROTOCOLS:
            for code, count in enumerate(self._codes[protocol].sums()):
                if count:
                    requests.add_metric((*values, protocol, str(code)), count)
        durations = HistogramMetricFamily(
            "ferryman_request_duration_seconds",
            "From the last byte of a request to the first of its answer.",
            labels=labels,
        )
        in_flight = GaugeMetricFamily(
            "ferryman_requests_in_flight", "Prediction requests being answered now.", labels=labels
        )
        for protocol in PROTOCOLS:
            durations.add_metric((*values, protocol), *self._durations[protocol].read())
            in_flight.add_metric((*values, protocol), self._in_flight[protocol].sums()[0])
        yield from (requests, durations, in_flight)
        for name, words, spread in (
            ("ferryman_predict_duration_seconds", "One run of the model, for one batch.", self._predict),
            ("ferryman_queue_duration_seconds", "How long a request waited for the model.", self._queue),
            ("ferryman_batch_rows", "Rows that went through the model at once.", self._rows),
        ):
            yield self._histogram(name, words, spread)
        yield from self._aliases()
        for name, words, cells in (
            ("ferryman_load_seconds", "How long the model took to load.", self._load),
            ("ferryman_warmup_seconds", "How long the warm-up predictions took.", self._warmup),
            (
                "ferryman_warmup_refused",
                "Recorded requests that the model did not take in its warm-up.",
                self._refused,
            ),
            ("ferryman_ready", "1 while the server takes traffic.", self._ready),
        ):
            gauge = GaugeMetricFamily(name, words, labels=_MODEL)
            gauge.add_metric(values, cells.most())
            yield gauge
        warmup = GaugeMetricFamily(
            "ferryman_warmup_prediction_seconds",
            "What the first, the median and the slowest warm-up prediction took.",
            labels=(*_MODEL, "which"),
        )
        for which, cells in self._each.items():
            warmup.add_metric((*values, which), cells.most())
        yield warmup

    def _aliases(self) -> Iterator[Metric]:
        """The names that dashboards made for KServe look for. A model without such a step takes no time for it."""
        counts, _ = self._queue.read()
        nothing = [(bound, counts[-1][1]) for bound, _ in counts], 0.0
        before, after = (self.steps[name].read() if name in self.steps else nothing for name in STEPS)
        for name, words, read in (
            ("request_preprocess_seconds", "The model's own preprocess.", before),
            ("request_predict_seconds", "One run of the model.", self._predict.read()),
            ("request_postprocess_seconds", "The model's own postprocess.", after),
        ):
            alias = HistogramMetricFamily(name, words, labels=("model_name",))
            alias.add_metric((self.identity.model,), *read)
            yield alias

    def _histogram(self, name: str, words: str, spread: Spread) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, words, labels=_MODEL)
        family.add_metric(self.identity.values, *spread.read())
        return family

    def page(self) -> bytes:
        """What /metrics answers."""
        for bring_up_to_date in self.before:
            bring_up_to_date()
        return generate_latest(self.registry)
