"""Who hears how a server's life goes: a pod's log and termination log, or somebody else in their place."""

import signal
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from ferryman_server import log, reason
from ferryman_server import settings as contract

if TYPE_CHECKING:  # it brings NumPy, which a parent of workers does without
    from ferryman_server.serving import Serving


class Audience(Protocol):
    """Told by `life`, on the event loop."""

    def loading(self, serving: "Serving") -> AbstractContextManager[object]:
        """Around the load and the warm-up."""

    def ready(self, serving: "Serving") -> None:
        """The model answers."""

    def told(self) -> None:
        """The process was asked to stop, once or again."""

    def failed(self, error: reason.FatalError) -> None:
        """There will be no answers; the process ends."""

    def stopped(self) -> None:
        """It ends as it was asked to."""


class Kubelet:
    """What the operator reads when a pod has ended."""

    def __init__(self, settings: contract.Settings) -> None:
        self._model = settings.model_name
        self._termination_log = settings.termination_log

    def loading(self, serving: "Serving") -> AbstractContextManager[object]:
        """Native code can abort the process, and then nobody is left to say why: so it is said before."""
        reason.publish(sudden_end(self._model), self._termination_log)
        return nullcontext()

    def ready(self, serving: "Serving") -> None:
        """Those were not the last words; these are, unless somebody says otherwise."""
        reason.publish(crash(self._model), self._termination_log)

    def told(self) -> None:
        """It knows: it asked."""
        reason.retract(self._termination_log)

    def failed(self, error: reason.FatalError) -> None:
        """Why the pod has ended."""
        log.line(str(error))
        reason.publish(error, self._termination_log)

    def stopped(self) -> None:
        """Nothing was wrong."""
        reason.retract(self._termination_log)


def crash(model: str, who: str = "the server process", code: int | None = None) -> reason.FatalError:
    """What ended while it was serving; `code` as subprocess has it, None where nobody is left who would know it."""
    if code is None:
        how = "ended suddenly"
        hint = "exit code 137 is a kill, as the kernel does where memory runs out, 134 and 139 are native code's"
    elif code == -signal.SIGKILL:
        how, hint = "was ended by SIGKILL", "the kernel does that where memory runs out: give the pod more"
    else:
        how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
        hint = "its log has its last words"
    return reason.FatalError(reason.Reason.CRASHED, f'Model "{model}": {who} {how} while it was serving; {hint}.')


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time ones have no name
        return f"signal {number}"


def sudden_end(model: str) -> reason.FatalError:
    """What is true if nothing else is ever said after a load has begun."""
    return reason.FatalError(
        reason.Reason.LOAD_FAILED,
        f'Model "{model}" ended the server process while it was being opened; its file is damaged, or it needs '
        "more memory than its pod may use.",
    )
