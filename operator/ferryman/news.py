"""News of registered models, passed on at once, but not at every move of a busy alias."""

from __future__ import annotations

from collections.abc import Callable

CALM_SECONDS = 10.0
"""After news, more of the same model is put together for so long: an alias that is moved a hundred times in a minute
is followed a few times, and the last time to where it came to rest."""

Later = Callable[[float, Callable[[], None]], object]
"""Does something after so many seconds: an event loop's `call_later`."""


class News:
    """What was told of which model, until it is passed on."""

    def __init__(self, tell: Callable[[str], None], later: Later) -> None:
        """`tell` hears the name of a model that is to be asked for again."""
        self._tell = tell
        self._later = later
        self._more: dict[str, bool] = {}
        """The models of which there was news lately, and whether there was more since."""

    def heard(self, model: str) -> None:
        """Take in news of a model."""
        if model in self._more:
            self._more[model] = True
            return
        self._more[model] = False
        self._later(CALM_SECONDS, lambda: self._calm(model))
        self._tell(model)

    def _calm(self, model: str) -> None:
        if self._more.pop(model):
            self.heard(model)
