"""A real Redis on loopback, which can be frozen, killed and started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from server import process


def program() -> str:
    """The redis-server of this environment, or else the machine's."""
    found = shutil.which("redis-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, "no redis-server: make venv"
    return found


class Redis:
    """One process on one port; what it holds is gone with it."""

    def __init__(self, scratch: Path, *options: str) -> None:
        self._scratch = scratch
        self._options = options
        self.port = process.free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [
            program(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
            "--dir", str(self._scratch), *self._options,
        ]  # fmt: skip
        with (self._scratch / "redis.log").open("ab") as sink:
            self._popen = subprocess.Popen(command, stdout=sink, stderr=sink)
        process.until(self._listens, "Redis listens")

    def _listens(self) -> bool:
        assert self._popen.poll() is None, (self._scratch / "redis.log").read_text()
        with contextlib.suppress(redis.ConnectionError):
            with contextlib.suppress(redis.AuthenticationError):
                self.hands().ping()
            return True
        return False

    def hands(self) -> redis.Redis:
        """To put things into it, and see what is there."""
        return redis.Redis(port=self.port, protocol=2, retry=Retry(NoBackoff(), 0))

    def freeze(self) -> None:
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()


@contextlib.contextmanager
def running(scratch: Path, *options: str) -> Iterator[Redis]:
    one = Redis(scratch, *options)
    try:
        yield one
    finally:
        one.kill()
