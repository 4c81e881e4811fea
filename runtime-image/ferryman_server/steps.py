"""What a `kserve.Model` does around its prediction, by KServe's own clock: `preprocess` and `postprocess`.

KServe times them where it calls them, in the model's thread, and keeps the numbers for one process. They are taken
over from there a second later at most, so that all workers of a pod tell them together. Other models have no such
steps, and tell that they took no time.
"""

import asyncio

from prometheus_client import Histogram
from prometheus_client.utils import floatToGoString

from ferryman_server.tally import Numbers, Spread

_SECOND = 1.0


class Steps:
    """Belongs to one event loop; asked for when a class of KServe's has been loaded and warmed up."""

    def __init__(self, numbers: Numbers) -> None:
        from kserve import metrics  # type: ignore[import-untyped]  # noqa: PLC0415 - the model has brought it

        histograms = {"preprocess": metrics.PRE_HIST_TIME, "postprocess": metrics.POST_HIST_TIME}
        self._steps = [_Step(histogram, numbers) for histogram in histograms.values()]
        self.spreads = dict(zip(histograms, (step.spread for step in self._steps), strict=True))
        """By the step's name."""
        self._loop = asyncio.get_running_loop()
        self._again()

    def catch_up(self) -> None:
        """Take over what has been added."""
        for step in self._steps:
            step.catch_up()

    def _again(self) -> None:
        self.catch_up()
        self._loop.call_later(_SECOND, self._again)


class _Step:
    def __init__(self, histogram: Histogram, numbers: Numbers) -> None:
        self._histogram = histogram
        self._seen = self._now()  # of the warm-up
        self.spread = Spread(Histogram.DEFAULT_BUCKETS[:-1], numbers)

    def _now(self) -> list[float]:
        """How many there were in each bucket, and the sum of all, by whatever names the class goes."""
        found = [0.0] * (len(Histogram.DEFAULT_BUCKETS) + 1)
        places = {floatToGoString(bound): at for at, bound in enumerate(Histogram.DEFAULT_BUCKETS)}  # type: ignore[no-untyped-call]
        below = 0.0
        for sample in next(iter(self._histogram.collect())).samples:
            if sample.name.endswith("_bucket"):
                at = places[sample.labels["le"]]
                below = below if at else 0.0
                found[at] += sample.value - below
                below = sample.value
            elif sample.name.endswith("_sum"):
                found[-1] += sample.value
        return found

    def catch_up(self) -> None:
        now = self._now()
        self.spread.add([new - old for new, old in zip(now, self._seen, strict=True)])
        self._seen = now
