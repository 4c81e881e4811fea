"""Whether a port can be had, and which can where it cannot."""

import socket

from ferryman_server.reason import FatalError, Reason

_TRIED = 100


def chosen(host: str, port: int) -> int:
    """The port itself, any free one for 0; or a refusal that names one that is free."""
    free = _listened(host, port)
    if free:
        return free
    others = (_listened(host, other) for other in range(port + 1, min(port + _TRIED, 65536)))
    other = next((found for found in others if found), None) or _listened(host, 0)
    raise FatalError(Reason.LOAD_FAILED, f"Port {port} is taken; --port {other} is free.")


def _listened(host: str, port: int) -> int | None:
    """The number under which a socket could listen for a moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as door:
            return int(door.getsockname()[1])
    except PermissionError:
        raise FatalError(Reason.LOAD_FAILED, f"Port {port} is not for everybody; use one above 1023.") from None
    except OSError as error:
        if isinstance(error, socket.gaierror):
            raise FatalError(Reason.LOAD_FAILED, f'"{host}" is no address of this machine.') from None
        return None
