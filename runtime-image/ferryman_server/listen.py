"""Binds the ports that this server was told, and says which one is taken."""

import os
import socket

from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Settings

_BACKLOG = 2048


def rest(settings: Settings) -> socket.socket:
    """The REST port's socket."""
    words = f"Port {settings.port} cannot be listened on ({{why}}); free it, or set FERRYMAN_PORT."
    return on(settings.host, settings.port, words)


def grpc(settings: Settings) -> socket.socket:
    """The gRPC port's."""
    words = f"Port {settings.grpc_port} cannot be listened on for gRPC ({{why}}); free it, or set FERRYMAN_GRPC_PORT "
    return on(settings.host, settings.grpc_port, words + "(0 for none).")


def samples(settings: Settings, *, together: bool) -> socket.socket:
    """The internal port's; `together` where several processes of one pod have it."""
    words = f"Port {settings.sample_port} cannot be listened on for samples ({{why}}); free it, or set "
    return on(settings.host, settings.sample_port, words + "FERRYMAN_SAMPLE_PORT.", together=together)


def on(host: str, port: int, words: str, *, together: bool = False) -> socket.socket:
    """A socket on a port, of both families where no host is said; `words` tell what to do if it is taken."""
    try:
        if host == "" and socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG, reuse_port=together
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, reuse_port=together)
    except OSError as error:
        raise FatalError(Reason.LOAD_FAILED, words.format(why=os.strerror(error.errno or 0))) from error
