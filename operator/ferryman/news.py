"""News of registered models, passed on at once, but not at every move of a busy alias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIRST_CALM, LAST_CALM = 2.0, 16.0
"""Seconds after news in which more of the same model is put together; each time that there was more, twice as long.
An alias that is moved a hundred times in a minute is followed a few times, at last to where it came to rest.
"""

Later = Callable[[float, Callable[[], None]], object]
"""Does something after so many seconds: an event loop's `call_later`."""


@dataclass(slots=True)
class _Calm:
    seconds: float
    more: bool = False


class News:
    """What was told of which model, until it is passed on."""

    def __init__(self, tell: Callable[[str], None], later: Later) -> None:
        """`tell` hears the name of a model that is to be asked for again."""
        self._tell = tell
        self._later = later
        self._calms: dict[str, _Calm] = {}
        """The models of which there was news lately."""

    def heard(self, model: str) -> None:
        """Take in news of a model."""
        calm = self._calms.get(model)
        if calm is not None:
            calm.more = True
        else:
            self._pass_on(model, FIRST_CALM)

    def _pass_on(self, model: str, calm: float) -> None:
        self._calms[model] = _Calm(calm)
        self._later(calm, lambda: self._over(model))
        self._tell(model)

    def _over(self, model: str) -> None:
        calm = self._calms.pop(model)
        if calm.more:
            self._pass_on(model, min(2 * calm.seconds, LAST_CALM))
