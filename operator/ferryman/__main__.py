"""The operator as a process: it stands by, acts, ends when it is told to, and loudly when something underneath died.

Exit codes: 0 on a signal, 70 when a part of it ended by itself. When the cluster begins or ceases to serve Istio, or
the Lease was lost, the process starts itself anew in its place: nothing that it knew is of use any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import NoReturn

from ferryman import acting, health, metrics, settings, webhook
from ferryman.acting import Ending
from ferryman.cluster import client
from ferryman.cluster import lease as leases
from ferryman.cluster.lease import Alone, Lease
from ferryman.settings import Settings
from ferryman.watchdog import Watchdog

FAULT = 70
ANEW = frozenset({Ending.KINDS_CHANGED, Ending.LEASE_LOST})


async def serve(chosen: Settings) -> Ending:
    """Run the operator until something ends it."""
    loop = asyncio.get_running_loop()
    dog = Watchdog(loop.time)
    receiver = webhook.Receiver(chosen.webhook_secret)
    metrics.serve(chosen.metrics_port)
    async with (
        health.serving(chosen.liveness_port, dog.wrong),
        webhook.serving(chosen.webhook_port, receiver),
        _candidate(chosen) as lease,
        client.connect(metrics.wrote, guard=lease.guard) as api,
    ):
        life = asyncio.create_task(acting.act(chosen, api, lease, dog, receiver), name="life")
        stopped = asyncio.Event()
        for each in acting.SIGNALS:
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(stopped.set))
        return await _until(stopped, life)


async def _until(stopped: asyncio.Event, life: asyncio.Task[Ending]) -> Ending:
    signalled = asyncio.create_task(stopped.wait(), name="signal")
    await asyncio.wait({life, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if not stopped.is_set():
        return life.result()
    life.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await life
    return Ending.SIGNAL


@contextlib.asynccontextmanager
async def _candidate(chosen: Settings) -> AsyncIterator[Lease | Alone]:
    """Stand for election where there may be others."""
    if not chosen.lease_namespace:
        yield Alone()
        return
    async with client.connect() as own:
        yield Lease(own, chosen.lease_namespace, chosen.lease_name, me=leases.identity())


def main() -> NoReturn:
    """Run the operator, and end the process with it."""
    level = os.environ.get("FERRYMAN_LOG_LEVEL", "INFO")
    logging.basicConfig(
        level=level,
        format="%(asctime)sZ %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    if level != "DEBUG":
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the kubelet's questions
        logging.getLogger("kopf").setLevel(logging.WARNING)  # it tells each event that it hands over
    with asyncio.Runner() as runner:
        ending = runner.run(serve(settings.read(os.environ)))
        _leave(ending)


def _leave(ending: Ending) -> NoReturn:
    """Go at once: to close the loop would be to wait for every task, and kopf has some that cannot be cancelled.

    A watch whose request is on its way when kopf stops takes its cancellation for kopf's own, and watches on; kopf
    would kill the process for it, much later.
    """
    if ending in ANEW:
        os.execv(sys.executable, [sys.executable, "-m", "ferryman"])  # noqa: S606 the same program, in its own place
    logging.shutdown()
    os._exit(0 if ending is Ending.SIGNAL else FAULT)


if __name__ == "__main__":
    main()
