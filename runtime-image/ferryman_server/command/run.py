"""The story of `python -m ferryman_server --model ...`: find it, fetch it if it is elsewhere, serve it here."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from ferryman_server import settings as contract
from ferryman_server import threads
from ferryman_server.command import alias, fetching, options, place, port, status, words
from ferryman_server.reason import FatalError

_NAME = "FERRYMAN_MODEL_NAME"
_WIDEST = 100
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C; the exit code."""
    wish = options.read(arguments)
    try:
        return _serve(wish)
    except FatalError as error:
        _tell(words.told(error))
        return 1
    except KeyboardInterrupt:  # while it was fetched; a server hears of it otherwise
        return _INTERRUPTED


def _serve(wish: options.Wish) -> int:
    env = wish.environment(os.environ)
    asked = contract.from_environment({_NAME: "model", **env})  # what cannot be meant is said before anything slow
    chosen = port.chosen(asked.host, asked.port)
    found = _found(wish)
    if found.uri:
        fetching.fetch(found, env, refresh=wish.refresh)
    settings = replace(
        asked,
        model_name=env.get(_NAME) or found.name,
        model_version=asked.model_version or found.version,
        model_dir=found.path,
        port=chosen,
    )
    examples = place.cache(os.environ) / "examples"
    if settings.workers > 1:
        from ferryman_server.command import several  # noqa: PLC0415 - only where they are asked for

        return several.live(settings, examples)
    threads.limit(os.environ, threads.allowed(settings.cpu_request))
    from ferryman_server.command import session  # noqa: PLC0415 - after the thread limits: it imports NumPy

    return session.live(settings, examples)


def _found(wish: options.Wish) -> place.Place:
    """The model's place; an alias is asked for what it means today."""
    uri = wish.model
    if alias.moves(uri):
        with status.Status(lambda: f"Asking the registry for {uri}"):
            uri = fetching.step("ferryman_server.command.alias", os.environ, f"Asking for {uri}", uri)
    return place.find(uri, os.environ)


def _tell(said: str) -> None:
    """A sentence or more, on their own, as wide as they can be read."""
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    lines = (textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in said.splitlines())
    print("\n".join(lines), file=sys.stderr, flush=True)
