"""Keeps what is chosen (witness.Witnesses)."""

import time
from collections.abc import Mapping

from ferryman_server import log
from ferryman_server.dataplane.guest import Asked, Told
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.reason import first_line
from ferryman_server.sampling import choice, entry
from ferryman_server.sampling.ring import Ring

_ID = b"x-request-id"
_LONGEST = 256
_GONE = 499
_SHARE = 16
"""An answer may take this part of all the bytes; a larger one is kept as its digest."""


class Sampler:
    """Belongs to one event loop."""

    def __init__(self, percent: float, ring: Ring, most_bytes: int) -> None:
        self._below = choice.below(percent)
        self._ring = ring
        self._largest = most_bytes // _SHARE

    def of(self, protocol: str, _path: str, headers: Mapping[bytes, bytes]) -> "Sample | None":
        """A witness for those whose id says so; who has none is not chosen."""
        given = headers.get(_ID)
        if not given or len(given) > _LONGEST:
            return None
        key = choice.key(given)
        if int.from_bytes(key, "big") >= self._below:
            return None
        return Sample(self._ring, protocol, given.decode("latin-1"), key, self._largest)


class Sample:
    """Of one request."""

    def __init__(self, ring: Ring, protocol: str, request_id: str, key: bytes, largest: int) -> None:
        self._ring = ring
        self._head = {"id": request_id, "key": key.hex()}
        self._protocol = protocol
        self._largest = largest
        self._asked = ""
        self.answer: Answer | Told | None = None

    def plane(self, plane: DataPlane, body: bytes) -> DataPlane:
        """The same, and the answer is noted."""
        self._asked = entry.digest(body)
        return _Noting(plane, self)

    def ended(self, status: int) -> None:
        """Kept, if somebody was there to get it."""
        if status == _GONE or not self._asked:
            return
        now = time.time()
        head = {**self._head, "time": round(now, 3), "protocol": self._protocol, "input": self._asked}
        answer = self.answer if status < 400 else None
        try:
            kept = entry.written({**head, "status": status, **entry.said(answer, self._largest)})
        except Exception as error:  # noqa: BLE001 - the request has been answered, whatever its answer is made of
            log.line(f"No sample is kept of request {self._head['id']}: {type(error).__name__}: {first_line(error)}")
        else:
            self._ring.put(now, kept)


class _Noting(DataPlane):
    def __init__(self, plane: DataPlane, sample: Sample) -> None:
        self.model = plane.model
        self.guest = plane.guest
        self._plane = plane
        self._sample = sample

    def at_once(self, rows: Rows) -> Answer | None:
        answer = self._sample.answer = self._plane.at_once(rows)
        return answer

    async def predict(self, rows: Rows) -> Answer:
        answer = self._sample.answer = await self._plane.predict(rows)
        return answer

    async def ask(self, asked: Asked) -> Told:
        told = self._sample.answer = await self._plane.ask(asked)
        return told
