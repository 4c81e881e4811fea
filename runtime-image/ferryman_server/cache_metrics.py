"""The numbers of the cache, on the page only where there is one: tallies, as the other metrics are."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ferryman_server.dataplane.cache import Cache
from ferryman_server.dataplane.rows import Answer
from ferryman_server.metrics import Identity
from ferryman_server.tally import Cells, Numbers, Spread

_MODEL = ("model", "version", "revision")
_MILLISECONDS = (0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 7, 10, 20)
_PLACES = ("memory", "redis", "flight")


class CacheMetrics(Collector):
    """Told by the plane and by the store (remembering.Observer, store.Observer), from the event loop alone."""

    def __init__(self, identity: Identity, memory: Cache[Answer], numbers: Numbers, *, shared: bool) -> None:
        self._identity = identity
        self._memory = memory
        self._shared = shared
        self._hits = {where: numbers.lasting(1) for where in (_PLACES if shared else ("memory", "flight"))}
        self._misses, self._evictions, self._unwritten = (numbers.lasting(1) for _ in range(3))
        self._bytes, self._entries, self._connected = (numbers.living(1) for _ in range(3))
        self._reads = Spread([bound / 1000 for bound in _MILLISECONDS], numbers)
        self._evicted = 0

    def remembered(self, where: str) -> None:
        """A question had an answer already."""
        self._hits[where].own[0] += 1

    def asked(self) -> None:
        """The model had to be asked."""
        self._misses.own[0] += 1

    def read(self, seconds: float) -> None:
        """A request waited this long for Redis."""
        self._reads.observe(seconds)

    def unwritten(self) -> None:
        """An answer was not shared."""
        self._unwritten.own[0] += 1

    def connected(self, *, now: bool) -> None:
        """Whether Redis is being asked."""
        self._connected.own[0] = int(now)

    def weigh(self) -> None:
        """Ask the cache for what only it knows."""
        self._bytes.own[0], self._entries.own[0] = self._memory.bytes, len(self._memory)
        self._evictions.own[0] += self._memory.evictions - self._evicted
        self._evicted = self._memory.evictions

    def collect(self) -> Iterator[Metric]:
        """By the names of the documentation (prometheus_client's Collector)."""
        hits = CounterMetricFamily(
            "ferryman_cache_hits",
            "Answers that the model was not asked for, by where they were.",
            labels=(*_MODEL, "where"),
        )
        for where, cells in self._hits.items():
            hits.add_metric((*self._identity.values, where), cells.sums()[0])
        yield hits
        yield self._counter("ferryman_cache_misses", "Answers that the model was asked for.", self._misses)
        yield self._counter("ferryman_cache_evictions", "Answers dropped early, for room.", self._evictions)
        yield self._gauge("ferryman_cache_bytes", "Memory of the remembered answers.", self._bytes)
        yield self._gauge("ferryman_cache_entries", "How many answers are remembered.", self._entries)
        if self._shared:
            up = GaugeMetricFamily("ferryman_cache_redis_up", "1 while Redis is asked.", labels=_MODEL)
            up.add_metric(self._identity.values, self._connected.most())
            yield up
            yield self._counter("ferryman_cache_redis_unwritten", "Answers Redis did not take.", self._unwritten)
            reads = HistogramMetricFamily(
                "ferryman_cache_redis_read_seconds", "How long a request waited for Redis.", labels=_MODEL
            )
            reads.add_metric(self._identity.values, *self._reads.read())
            yield reads

    def _counter(self, name: str, words: str, cells: Cells) -> CounterMetricFamily:
        family = CounterMetricFamily(name, words, labels=_MODEL)
        family.add_metric(self._identity.values, cells.sums()[0])
        return family

    def _gauge(self, name: str, words: str, cells: Cells) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, words, labels=_MODEL)
        family.add_metric(self._identity.values, cells.sums()[0])
        return family
