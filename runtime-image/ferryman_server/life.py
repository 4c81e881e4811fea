"""The life of a server: listen, load, warm up, answer, drain, stop.

It listens before it loads, so that liveness answers from the first second. On SIGTERM it turns
unready and goes on answering, because the mesh needs a moment to hear of it; only then does it stop
accepting, finish what is in flight and leave. A second signal cuts the waiting short.
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

from ferryman_server import audience as audiences
from ferryman_server import doors as entrances
from ferryman_server import log, metrics, reason, threads, warmup
from ferryman_server import settings as contract
from ferryman_server.dataplane import batch, plane, waiting, worker
from ferryman_server.rest import app, fastpath
from ferryman_server.serving import Phase, Serving
from ferryman_server.tally import Numbers

if TYPE_CHECKING:
    from ferryman_server import watching as watches

# Envoy keeps idle upstream connections for an hour by default and most pools for a minute: whoever
# closes first makes the other's next request fail, so let it not be us.
_KEEP_ALIVE = 3900
_FINISH = 30
_LINGER = 0.25


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: ours drain first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Life:
    """One run of the process."""

    def __init__(
        self,
        settings: contract.Settings,
        cpus: int,
        *,
        doors: entrances.Doors | None = None,
        audience: audiences.Audience | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        self._settings = settings
        self._cpus = cpus
        self._doors = doors or entrances.Ports(settings)
        self._family = str(os.getppid()) if doors else ""  # one of several that serve a pod
        self._audience = audience or audiences.Kubelet(settings)
        identity = metrics.Identity(settings.model_name, settings.model_version, settings.revision)
        self.measures = metrics.Metrics(identity, numbers)
        self._serving = Serving(settings)
        self._told = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to stop; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        try:
            listeners = self._doors.bind()
        except reason.FatalError as error:
            self._audience.failed(error)
            return 1
        server = _Server(self._config())
        listening = asyncio.create_task(server.serve(sockets=listeners))
        told = asyncio.create_task(self._told.wait())
        code = 0
        calls = watching = None
        try:
            watching = await self._watch()
            # Before the load: two threads must not import protobuf at once.
            calls = await self._doors.open(server, self._serving, self.measures)
            starting = asyncio.create_task(self._start(worker.Worker(loop)))
            await asyncio.wait({listening, starting, told}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
                return 1
            if starting.done():
                starting.result()
                await asyncio.wait({listening, told}, return_when=asyncio.FIRST_COMPLETED)
                await self._drain()
        except reason.FatalError as error:
            self._audience.failed(error)
            code = 1
        else:
            self._audience.stopped()
        self._doors.close()
        # A connection that was accepted a moment ago has its request still on the wire.
        await asyncio.sleep(_LINGER)
        server.should_exit = True
        if calls:
            await calls.stop(_FINISH)
        await listening
        if watching:
            await watching.close()
        log.line(f"Stopped, exit code {code}")
        return code

    async def _watch(self) -> "watches.Watching | None":
        """Samples and traces, where they are wanted: who wants none does not pay for their import."""
        if not (self._settings.sample_percent or self._settings.traces):
            return None
        from ferryman_server import watching as watches  # noqa: PLC0415 - as said

        watching = watches.Watching(self._settings, self._family)
        self._serving.witnesses = await watching.open()
        return watching

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            app.App(self._serving, self.measures),
            http=fastpath.FastPath,
            loop="none",
            lifespan="off",
            interface="asgi3",
            ws="none",
            access_log=False,
            proxy_headers=False,  # nobody here asks who the client is
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_FINISH,
        )

    def _signalled(self) -> None:
        self._audience.told()
        if self._told.is_set():
            self._hurry.set()
        self._told.set()

    async def _start(self, model_thread: worker.Worker) -> None:
        with self._audience.loading(self._serving):
            await self._load(model_thread)
        if not self._told.is_set():
            self._serving.phase = Phase.READY
            self.measures.ready(now=True)
        self._audience.ready(self._serving)

    async def _load(self, model_thread: worker.Worker) -> None:
        """Load and warm up in the model's own thread, while the loop answers probes."""
        from ferryman_server.load import run as loading  # noqa: PLC0415 - NumPy's import, while we already listen

        settings, serving, measures = self._settings, self._serving, self.measures
        began = time.monotonic()
        log.line(f'Loading model "{settings.model_name}" from {settings.model_dir}')
        loaded = await model_thread.call(lambda: loading.load(settings, self._cpus))
        manifest = serving.manifest = loaded.manifest
        if manifest:
            measures.fetched(manifest.seconds, manifest.bytes)
        loaded_at = time.monotonic()
        digest = manifest.digest if manifest else ""
        measures.loaded(loaded_at - began, loaded.model.platform, digest, loaded.model.optimization)
        serving.phase = Phase.WARMING
        warm = await model_thread.call(
            lambda: warmup.run(
                loaded.model, loaded.root, settings.warmup_requests, settings.model_name, file=settings.warmup_file
            )
        )
        model = dataclasses.replace(loaded.model, outputs=loaded.model.outputs or warm.outputs)
        most = settings.max_batch_size if model.batches else 1
        bounds = waiting.Bounds(
            rows=settings.max_rows,
            queue_bytes=settings.max_queue_bytes,
            queue_seconds=settings.max_queue_seconds,
        )
        batcher = batch.Batcher(model.predict, model_thread, measures, most, quick=model.quick, bounds=bounds)
        serving.plane = plane.DataPlane(model, batcher)
        if settings.cache_bytes:
            from ferryman_server import caching  # noqa: PLC0415 - who wants no cache does not pay for it

            serving.plane = await caching.plane(
                settings, model, batcher, measures=measures, digest=digest, model_thread=model_thread
            )
        if model.guest:
            from ferryman_server import steps  # noqa: PLC0415 - others have none

            own = steps.Steps(measures.numbers)
            measures.steps = own.spreads
            measures.before.append(own.catch_up)
        await model_thread.call(warmup.settle)
        now = time.monotonic()
        measures.warmed(now - loaded_at, warm.seconds, warm.refused)
        log.line(
            f'Model "{settings.model_name}" is ready: {loaded.model.platform}, loaded in {loaded_at - began:.2f} s, '
            f"{warm.predictions} warm-up predictions in {now - loaded_at:.2f} s, "
            f"{self._cpus} CPU(s), port {settings.port}"
        )

    async def _drain(self) -> None:
        self._serving.phase = Phase.DRAINING
        self.measures.ready(now=False)
        seconds = self._settings.drain_seconds
        log.line(f"Told to stop: unready, answering for {seconds} s more")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), timeout=seconds)


def live(settings: contract.Settings) -> int:
    """Run one life on uvloop."""
    import uvloop  # noqa: PLC0415 - not for those who only read this module

    async def whole() -> int:
        return await Life(settings, threads.allowed(settings.cpu_request)).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())
