"""What parent and worker say to each other: messages over a Unix socket, some with an open connection in them."""

import array
import enum
import socket
from dataclasses import dataclass

_LARGEST = 1 << 17
_INT = array.array("i").itemsize
USED = b"used"
"""Said with a connection whose client has already been heard, by another worker."""


class Kind(enum.Enum):
    """The first byte of a message."""

    SETTINGS = b"s"
    """To the worker, once: what it must know to start."""
    REST = b"r"
    """A connection of the REST port: to the worker to be answered, to the parent to be given to another."""
    GRPC = b"g"
    """A connection of the gRPC port."""
    TAKEN = b"t"
    """To the parent: one more connection has arrived."""
    PART_REST = b"p"
    """To the worker: give up so many connections."""
    PART_GRPC = b"q"
    READY = b"y"
    """To the parent: the model answers."""
    FAILED = b"f"
    """To the parent: why it will not."""


@dataclass(frozen=True, slots=True)
class Message:
    """One."""

    kind: Kind
    body: bytes = b""
    descriptor: int = -1


class Channel:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """The parent's end, which never blocks, and the worker's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        return cls(ours), theirs

    def fileno(self) -> int:
        """For the event loop."""
        return self._end.fileno()

    def send(self, message: Message) -> bool:
        """False if the other does not listen now, or never will again."""
        rights = [] if message.descriptor < 0 else [array.array("i", [message.descriptor])]
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, right) for right in rights]
        try:
            self._end.sendmsg([message.kind.value, message.body], ancillary)
        except OSError:
            return False
        return True

    def receive(self) -> Message | None:
        """None if the other has gone; `BlockingIOError` if it has said nothing."""
        try:
            data, ancillary = self._next()
        except ConnectionResetError:  # it left something unread; what it said before can still be heard
            data, ancillary = self._next()
        if not data:
            return None
        found = array.array("i")
        for level, kind, given in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found.frombytes(given[: len(given) - len(given) % _INT])
        return Message(Kind(data[:1]), data[1:], found[0] if found else -1)

    def _next(self) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        return self._end.recvmsg(_LARGEST, socket.CMSG_LEN(_INT), socket.MSG_CMSG_CLOEXEC)[:2]

    def nonblocking(self) -> None:
        """From now on."""
        self._end.setblocking(False)

    def close(self) -> None:
        """Say no more."""
        self._end.close()
