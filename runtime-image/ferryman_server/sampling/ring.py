"""The newest samples, within a number of them and a number of bytes: what is older makes room."""

from collections import deque


class Ring:
    """Holds them as they are read: JSON."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._entries: deque[tuple[float, bytes]] = deque()
        self.bytes = 0
        self.kept = 0
        """How many there were, with those that have made room."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, time: float, entry: bytes) -> None:
        """Keep one, if it is smaller than the whole."""
        if len(entry) > self._most_bytes:
            return
        self.kept += 1
        self._entries.append((time, entry))
        self.bytes += len(entry)
        while len(self._entries) > self._most or self.bytes > self._most_bytes:
            self.bytes -= len(self._entries.popleft()[1])

    def since(self, time: float) -> list[tuple[float, bytes]]:
        """Those that ended after this time, the oldest first."""
        return [entry for entry in self._entries if entry[0] > time]
