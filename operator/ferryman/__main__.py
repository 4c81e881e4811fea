"""The operator as a process: wire everything, run until told to stop, and end loudly when something underneath died.

Exit codes: 0 on a signal, 70 when a part of it ended by itself. When the cluster begins or ceases to serve Istio, the
process starts itself anew in its place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import random
import sys
import time
from datetime import UTC, datetime
from enum import Enum

import kopf

from ferryman import handlers, metrics, settings, watchdog
from ferryman.cluster import client, errors, kinds
from ferryman.cluster.mesh import Mesh
from ferryman.cluster.queue import Key, Queue
from ferryman.events import Recorder
from ferryman.reconcile import Reconciler
from ferryman.registry import Registry
from ferryman.settings import Settings

log = logging.getLogger("ferryman")


class Ending(Enum):
    """Why the operator stopped."""

    SIGNAL = 0
    FAULT = 70
    KINDS_CHANGED = None


async def serve(chosen: Settings) -> Ending:
    """Run the operator until something ends it."""
    clock = asyncio.get_running_loop().time
    async with client.connect(metrics.wrote) as api:
        present = await watchdog.served(api)
        mesh = kinds.VIRTUAL_SERVICE.plural in present
        if kinds.MODEL_DEPLOYMENT.plural not in present:
            log.warning("the cluster does not know ModelDeployments yet; waiting for the CRD")
        registry = Registry(chosen, clock)
        reconciler = Reconciler(
            client=api,
            mesh=Mesh(api, clock),
            registry=registry,
            recorder=Recorder(lambda event: api.create(kinds.EVENT, event), clock, platform.node()),
            settings=chosen,
            now=lambda: datetime.now(UTC),
        )
        queue = Queue(reconciler, _failed, workers=chosen.workers, clock=clock)
        metrics.serve(chosen.metrics_port, queue.depth)
        log.info("watching %s; Istio is %s", _where(chosen), "served" if mesh else "absent")
        try:
            return await _until_one_ends(chosen, api, queue, present, mesh=mesh)
        finally:
            registry.close()


async def _until_one_ends(
    chosen: Settings, api: client.Client, queue: Queue, present: frozenset[str], *, mesh: bool
) -> Ending:
    # kopf cancels, when it ends, every task that is younger than itself: so ours come first.
    work = asyncio.create_task(queue.run(), name="work queue")
    resync = asyncio.create_task(_resync(chosen, api, queue), name="resync")
    kinds_changed = asyncio.create_task(watchdog.kinds_change(api, present), name="kinds")
    deaf = asyncio.create_task(watchdog.watch_ends(), name="watches")
    stop = asyncio.Event()
    runtime = asyncio.create_task(
        kopf.operator(
            registry=handlers.doors(queue.add, mesh=mesh),
            settings=handlers.settings(mesh=mesh),
            clusterwide=not chosen.namespaces,
            namespaces=chosen.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{chosen.liveness_port}/healthz",
            stop_flag=stop,
        ),
        name="kopf",
    )
    ours = (work, resync, kinds_changed, deaf)
    ended, _ = await asyncio.wait((*ours, runtime), return_when=asyncio.FIRST_COMPLETED)
    if ended == {deaf}:
        # On a signal the watches end a moment before kopf does.
        await asyncio.wait((runtime,), timeout=5.0)
    ending = _ending(runtime, kinds_changed, ours)
    stop.set()
    for task in ours:
        task.cancel()
    await asyncio.wait((*ours, runtime), timeout=15.0)
    return ending


def _ending(
    runtime: asyncio.Task[None], kinds_changed: asyncio.Task[None], ours: tuple[asyncio.Task[object], ...]
) -> Ending:
    """Tell from the tasks that have ended why, and say so."""
    if runtime.done() and not runtime.cancelled() and runtime.exception() is None:
        return Ending.SIGNAL
    if kinds_changed.done() and kinds_changed.exception() is None:
        log.info("the cluster serves other kinds than at the start; starting anew")
        return Ending.KINDS_CHANGED
    for task in (runtime, *ours):
        if task.done() and not task.cancelled():
            why = task.exception() or task.result()
            log.error("%s ended (%s); stopping, to be started anew", task.get_name(), why)
    return Ending.FAULT


async def _resync(chosen: Settings, api: client.Client, queue: Queue) -> None:
    """Look at every object now and then, whatever the watches say."""
    while True:
        await asyncio.sleep(chosen.resync_seconds * random.uniform(0.9, 1.1))  # noqa: S311 to spread, not to hide
        try:
            for namespace in chosen.namespaces or (None,):
                for body in await api.list(kinds.MODEL_DEPLOYMENT, namespace):
                    metadata = body["metadata"]
                    queue.add(Key(metadata["namespace"], metadata["name"]), after=random.uniform(0, 10))  # noqa: S311
        except errors.ClusterError as error:
            log.warning("resync: %s", error)


def _failed(key: Key, error: Exception, delay: float) -> None:
    """Count and tell a look that failed."""
    metrics.failed(error)
    level = logging.INFO if isinstance(error, errors.Conflict) else logging.WARNING
    trace = None if isinstance(error, errors.ClusterError) else error  # those say all there is to say
    said = str(error) or repr(error)
    log.log(level, "%s/%s: %s; again in %.1f s", key.namespace, key.name, said, delay, exc_info=trace)


def _where(chosen: Settings) -> str:
    return f"namespaces {', '.join(chosen.namespaces)}" if chosen.namespaces else "all namespaces"


def main() -> int:
    """Run the operator; return the process's exit code."""
    logging.basicConfig(
        level=os.environ.get("FERRYMAN_LOG_LEVEL", "INFO"),
        format="%(asctime)sZ %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    logging.getLogger("kopf").setLevel(logging.WARNING)  # it tells each event that it hands over
    ending = asyncio.run(serve(settings.read(os.environ)))
    if ending is Ending.KINDS_CHANGED:
        os.execv(sys.executable, [sys.executable, "-m", "ferryman"])  # noqa: S606 the same program, in its own place
    return int(ending.value or 0)


if __name__ == "__main__":
    sys.exit(main())
