"""The fetch step, for somebody who watches: the same process that a pod runs before its server.

A process of its own, because MLflow's client is imported there without NumPy, which the model will want.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ferryman_server import manifest as manifests
from ferryman_server.command import status
from ferryman_server.command.place import Place
from ferryman_server.fetch import digest, progress
from ferryman_server.reason import FatalError, Reason


def fetch(place: Place, env: Mapping[str, str], *, refresh: bool) -> None:
    """See to it that the model lies in its room of the cache."""
    plain = place.uri.partition("?")[0]
    here = manifests.read(place.path)
    if here and here.uri == plain and not refresh:
        _say(f"Using the copy of {plain} that was fetched {_ago(place.path)} ago; --refresh fetches it again.")
        return
    host = urlsplit(place.uri).hostname or ""
    wanted = {
        "FERRYMAN_PRIVATE_HOSTS": host,  # who types an address may go there
        **env,
        "FERRYMAN_MODEL_NAME": place.name,
        "FERRYMAN_MODEL_URI": place.uri,
        "FERRYMAN_MODEL_DIR": str(place.path),
    }
    with _set_aside(place.path / manifests.NAME), status.Status(lambda: f"Fetching {plain} {_so_far(place.path)}"):
        step("ferryman_server.fetch", wanted, f"Fetching {plain}")
    found = manifests.read(place.path)
    if found and sys.stderr.isatty():  # elsewhere the step has said so itself
        _say(f"Fetched {plain}: {len(found.files)} files, {progress.size(found.bytes)} in {found.seconds:.1f} s")


def step(module: str, env: Mapping[str, str], what: str, *arguments: str) -> str:
    """Run one of our own programs to its end; what it printed, or the reason that it left."""
    with tempfile.TemporaryDirectory() as scratch:
        last_words, noise = Path(scratch, "last-words"), Path(scratch, "stderr")
        variables = {
            **env,
            "FERRYMAN_TERMINATION_LOG": str(last_words),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        with noise.open("wb") as sink:
            quiet = sink if sys.stderr.isatty() else None
            command = [sys.executable, "-m", module, *arguments]
            ended = subprocess.run(
                command,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=quiet,
                check=False,
                process_group=0,  # Ctrl-C is for us, who end it without its having a say
            )
        if ended.returncode == 0:
            return ended.stdout.decode().strip()
        raise _reason(last_words, noise, f"{what} ended with exit code {ended.returncode}")


def _reason(last_words: Path, noise: Path, otherwise: str) -> FatalError:
    with contextlib.suppress(OSError, ValueError, KeyError):
        words = json.loads(last_words.read_text(encoding="utf-8"))
        return FatalError(Reason(words["reason"]), words["message"])
    lines = noise.read_text(encoding="utf-8", errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return FatalError(Reason.ARTIFACT_UNREACHABLE, f"{otherwise}: {said}" if said else f"{otherwise}.")


@contextlib.contextmanager
def _set_aside(note: Path) -> Iterator[None]:
    """Hide what says that a copy is here; it is put back if there is no newer one."""
    aside = note.with_name(f"{note.name}.before")
    if note.exists():
        note.rename(aside)
    try:
        yield
    except BaseException:
        if aside.exists():
            aside.rename(note)
        raise
    aside.unlink(missing_ok=True)


def _so_far(room: Path) -> str:
    with contextlib.suppress(OSError):  # a file moved while we counted
        arriving = [one for one in room.iterdir() if one.is_dir() and one.name != manifests.ARTIFACT]
        return progress.size(sum(sum(digest.files(one).values()) for one in arriving))
    return ""


def _ago(room: Path) -> str:
    seconds = max(0.0, time.time() - (room / manifests.NAME).stat().st_mtime)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
