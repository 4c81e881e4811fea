"""When one request's rows came to the model, for whoever asks for it before: nobody, unless requests are traced."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Times:
    """Seconds on `time.perf_counter`; 0 for what has not happened."""

    queued: float = 0.0
    began: float = 0.0
    ended: float = 0.0

    def ran(self, began: float, ended: float) -> None:
        """The model ran; also once more, if a batch failed together."""
        self.queued = self.queued or began
        self.began, self.ended = began, ended


current: ContextVar[Times | None] = ContextVar("times", default=None)
"""Of the request that is being answered."""
