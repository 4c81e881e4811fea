"""The one thread that the model lives in: it loads there, and predicts there, one call at a time.

One thread, because most models are not safe in two and some remember the thread that configured
them; its own queue rather than an executor's, because that halves the cost of handing a row over.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any


def tame(error: BaseException) -> Exception:
    """A model may call `sys.exit` or leak StopIteration; neither may end, or confuse, the event loop."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"it raised {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class Worker:
    """Runs functions one after another, off the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any, BaseException | None], None]]]
        self._jobs = queue.SimpleQueue()
        # A daemon, so that a model stuck in native code cannot keep a finished server alive.
        threading.Thread(target=self._run, name="model", daemon=True).start()

    def submit(self, job: Callable[[], Any], done: Callable[[Any, BaseException | None], None]) -> None:
        """Run `job` in the thread; call `done(result, error)` back on the loop."""
        self._jobs.put((job, done))

    async def call(self, job: Callable[[], Any]) -> Any:
        """The same, awaited."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.submit(job, done)
        return await future

    def _run(self) -> None:
        while True:
            job, done = self._jobs.get()
            result, error = None, None
            try:
                result = job()
            except BaseException as raised:  # noqa: BLE001 - it is the caller's to judge, on its own thread
                error = tame(raised)
            try:
                self._loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:  # the loop has closed: the process is on its way out
                return
