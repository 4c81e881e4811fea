"""How many bytes a model may have, counted while they arrive: a listing may be wrong about them, or not know."""

import threading

from ferryman_server.fetch import progress
from ferryman_server.reason import FatalError, Reason


class Budget:
    """What is left of them; several files may take from it at once."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = self._left = limit
        self._lock = threading.Lock()

    def foresee(self, total: int) -> None:
        """Refuse what is said to be too large before a byte of it comes."""
        if total > self._limit:
            raise self._exceeded()

    def take(self, count: int) -> None:
        """Count what came, before it is written."""
        with self._lock:
            self._left -= count
            if self._left < 0:
                raise self._exceeded()

    def give_back(self, count: int) -> None:
        """Forget what was thrown away."""
        with self._lock:
            self._left += count

    def _exceeded(self) -> FatalError:
        return FatalError(
            Reason.ARTIFACT_CORRUPT,
            f"{self._name} is larger than {progress.size(self._limit)}, which is the most a model may be.",
        )
