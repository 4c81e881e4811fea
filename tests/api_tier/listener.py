"""A small kopf operator, for what is to be known of kopf itself: it says what it hears, one JSON line an event.

It watches ConfigMaps, and Services beside them, which show that the process is alive and not deaf altogether.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import Any

import kopf

from ferryman import handlers
from ferryman.watchdog import Watchdog, Watches

SHORT = (0.2, 0.2)
FAILED = 1
"""The exit code when kopf itself has ended with an error."""
FAULT = 70
"""The exit code when we saw that a watch is gone."""


def say(**what: Any) -> None:
    os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")  # in one piece: handlers run in threads


def index(name: str, **_: Any) -> dict[str, str]:
    return {name: name}


def heard(event: Any, name: str, resource: Any, index: Any = None, **_: Any) -> None:
    say(heard=resource.plural, type=event["type"], name=name, index=sorted(index or ()))


def failing(event: Any, name: str, resource: Any, **_: Any) -> None:
    heard(event, name, resource)
    raise RuntimeError("as it was told to")


def created(name: str, **_: Any) -> None:
    say(created=name)


async def daemon(name: str, stopped: Any, **_: Any) -> None:
    say(daemon=name)
    await stopped.wait()


DOORS: dict[str, tuple[Any, str, Any]] = {
    "index": (kopf.index, "configmaps", index),
    "event": (kopf.on.event, "configmaps", heard),
    "services": (kopf.on.event, "services", heard),
    "failing": (kopf.on.event, "configmaps", failing),
    "create": (kopf.on.create, "configmaps", created),
    "daemon": (kopf.daemon, "configmaps", daemon),
}


def doors(wished: list[str]) -> kopf.OperatorRegistry:
    """Return the handlers that are wished for, each of which says when it is called."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_via_client)
    for door, resource, function in (DOORS[name] for name in wished):
        door(resource, registry=registry)(function)
    return registry


def settings(*, patient: bool) -> kopf.OperatorSettings:
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.networking.error_backoffs = handlers.Backoffs() if patient else SHORT
    chosen.watching.reconnect_backoff = 0.1
    return chosen


async def serve(wish: dict[str, Any]) -> int:
    """Listen until a signal; or, if it is guarded, until a watch is gone."""
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=doors(wish["doors"]),
        settings=settings(patient=wish.get("patient", False)),
        namespaces=[wish["namespace"]],
    )
    parts: dict[asyncio.Task[Any], int] = {asyncio.create_task(kopf.run_tasks(tasks, ignored=ours)): 0}
    if wish.get("guarded"):
        clock = asyncio.get_running_loop().time
        watchdog = Watchdog(clock)
        watchdog.watch(Watches((), clock), lambda: say(looked=True))
        parts[asyncio.create_task(watchdog.run())] = FAULT
    ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    first = ended.pop()
    if error := first.exception():
        say(ended=repr(error))
        return FAILED
    say(ended=first.result())
    return parts[first]


if __name__ == "__main__":
    logging.basicConfig(level="DEBUG")
    sys.exit(asyncio.run(serve(json.loads(sys.argv[1]))))
