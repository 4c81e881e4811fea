"""A line to a server that breaks: what is sent back on each connection ends after so many bytes."""

import contextlib
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Relay:
    """Where to connect instead, and what came of it; `cut` is called at each break, before anybody sees it."""

    address: str
    after: int
    cut: Callable[[], object] = field(default=lambda: None)
    cuts: int = 0

    def carry(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the server says, until it is too much."""
        passed = 0
        with contextlib.suppress(OSError), client, server:
            while said := server.recv(16 * 1024):
                client.sendall(said[: self.after - passed])
                passed += len(said)
                if passed >= self.after:
                    self.cuts += 1
                    self.cut()
                    client.shutdown(socket.SHUT_RDWR)
                    return


def _forward(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while asked := client.recv(16 * 1024):
            server.sendall(asked)


@contextlib.contextmanager
def before(address: str, *, after: int) -> Iterator[Relay]:
    """Stand before the server at an address, on a port of loopback."""
    upstream = urllib.parse.urlsplit(address)
    door = socket.create_server(("127.0.0.1", 0))
    relay = Relay(f"http://127.0.0.1:{door.getsockname()[1]}", after)

    def let_in() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = door.accept()
                server = socket.create_connection((upstream.hostname, upstream.port))
                threading.Thread(target=_forward, args=(client, server), daemon=True).start()
                threading.Thread(target=relay.carry, args=(client, server), daemon=True).start()

    threading.Thread(target=let_in, daemon=True).start()
    try:
        yield relay
    finally:
        door.close()
