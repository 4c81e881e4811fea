"""The way to one tracking server, for one purpose: threads, a short patience, and what is known of its silence.

While the server keeps those who ask waiting in vain, one question at a time finds out whether it is back, and all
others have that answer at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ferryman.api.conditions import Reason
from ferryman.outcome import Unresolved
from ferryman.registry import questions
from ferryman.settings import Settings

REMEMBER_FAILURE_SECONDS = 4.0
SLOW = 0.8
"""The part of the timeout after which a failure is taken for silence."""
FAILURES = 3
"""So many failures in a row, of whatever kind, are taken for silence, too."""

Given = ParamSpec("Given")
Said = TypeVar("Said")


def away(answer: object) -> bool:
    """Tell whether an answer is that there is none."""
    return isinstance(answer, Unresolved) and answer.reason is Reason.REGISTRY_UNAVAILABLE


class Line:
    """Asks one server, from threads of its own."""

    def __init__(self, settings: Settings, clock: Callable[[], float], threads: int) -> None:
        self._server = settings.tracking_uri
        self._timeout = settings.registry_timeout_seconds
        self._clock = clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="registry")
        self._free = asyncio.Semaphore(threads)
        self._under_way = 0
        self._failures = 0
        """How many questions in a row were not answered."""
        self._silence: Unresolved | None = None
        self._again_at = 0.0

    def silence(self) -> Unresolved | None:
        """Return what is said of a server that keeps those who ask waiting in vain, while somebody else finds out."""
        return self._silence if self._under_way or self._clock() < self._again_at else None

    def ails(self) -> bool:
        """Tell whether the server was silent when it was last asked."""
        return self._silence is not None

    async def ask(
        self, question: Callable[Given, Said], *args: Given.args, **options: Given.kwargs
    ) -> Said | Unresolved:
        """Ask in a thread, for so long and no longer; an Unresolved where there is no answer."""
        return await self._asked(
            self._timeout + 1.0, lambda: question(*args, **options)
        )  # its own timeout tells more

    async def tell(
        self, question: Callable[Given, Said], *args: Given.args, **options: Given.kwargs
    ) -> Said | Unresolved:
        """Ask once a thread is free, and wait however long it takes: given up, it could come after what follows it.

        Of a server that is silent by then nothing is asked.
        """
        async with self._free:
            silence = self.silence()
            return silence if silence is not None else await self._asked(None, lambda: question(*args, **options))

    async def _asked(self, patience: float | None, question: Callable[[], Said]) -> Said | Unresolved:
        began = self._clock()
        answer: Said | Unresolved
        self._under_way += 1
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, question)
            answer = await asyncio.wait_for(asked, patience)
        except TimeoutError as error:
            answer = questions.away(self._server, str(error) or f"no answer within {patience:g} s")
        except Exception as error:  # noqa: BLE001 what a broken registry can raise has no end
            answer = questions.away(self._server, f"{type(error).__name__}: {error}")
        finally:
            self._under_way -= 1
        self._failures = self._failures + 1 if away(answer) else 0
        now = self._clock()
        slow = now - began >= SLOW * self._timeout
        in_vain = away(answer) and (slow or self._failures >= FAILURES)
        self._silence = answer if in_vain and isinstance(answer, Unresolved) else None
        self._again_at = now + REMEMBER_FAILURE_SECONDS if in_vain else 0.0
        return answer

    def close(self) -> None:
        """Let the threads go; a question under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
