"""What was used last stays, within a number of bytes and each for its time: a dictionary that forgets."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    value: Value
    size: int
    until: float


class Cache(Generic[Value]):
    """Decides; whoever puts something in says how large it is and for how many seconds it holds."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry[Value]] = OrderedDict()
        self.bytes = 0
        self.evictions = 0
        """How many had to leave before their time, to make room."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Value | None:
        """The value, if it is here and still holds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: bytes, value: Value, size: int, seconds: float) -> None:
        """Keep it, if it is smaller than the whole; what was used longest ago makes room."""
        if key in self._entries:
            self._drop(key)
        if size > self._most:
            return
        while self.bytes + size > self._most:
            self._drop(next(iter(self._entries)))
            self.evictions += 1
        self._entries[key] = _Entry(value, size, self._clock() + seconds)
        self.bytes += size

    def _drop(self, key: bytes) -> None:
        self.bytes -= self._entries.pop(key).size
