"""The life of a server: listen, load, warm up, answer, drain, stop.

It listens before it loads, so that liveness answers from the first second. On SIGTERM it turns
unready and goes on answering, because the mesh needs a moment to hear of it; only then does it stop
accepting, finish what is in flight and leave. A second signal cuts the waiting short.
"""

import asyncio
import contextlib
import dataclasses
import signal
import socket
import time
from collections.abc import Iterator
from typing import Protocol

import uvicorn

from ferryman_server import listen, log, metrics, reason, threads, warmup
from ferryman_server import settings as contract
from ferryman_server.dataplane import batch, plane, worker
from ferryman_server.rest import app
from ferryman_server.serving import Phase, Serving

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


class Calls(Protocol):
    """What life needs of the gRPC server."""

    async def stop(self, grace: float) -> None:
        """Take no new calls, and finish the others within `grace` seconds."""


class Life:
    """One run of the process."""

    def __init__(self, settings: contract.Settings, cpus: int) -> None:
        self._settings = settings
        self._cpus = cpus
        identity = metrics.Identity(settings.model_name, settings.model_version, settings.revision)
        self._measures = metrics.Metrics(identity)
        self._serving = Serving(settings)
        self._told = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to stop; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        try:
            listener = _listen(self._settings)
        except reason.FatalError as error:
            return self._gone(error)
        server = _Server(self._config())
        listening = asyncio.create_task(server.serve(sockets=[listener]))
        told = asyncio.create_task(self._told.wait())
        code = 0
        calls = None
        try:
            calls = await self._listen_for_calls()  # before the load: two threads must not import protobuf at once
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
            code = self._gone(error)
        if code == 0:
            reason.retract(self._settings.termination_log)
        for door in getattr(server, "servers", ()):
            door.close()
        # A connection that was accepted a moment ago has its request still on the wire.
        await asyncio.sleep(_LINGER)
        server.should_exit = True
        if calls:
            await calls.stop(_FINISH)
        await listening
        log.line(f"Stopped, exit code {code}")
        return code

    def _gone(self, error: reason.FatalError) -> int:
        log.line(str(error))
        reason.publish(error, self._settings.termination_log)
        return 1

    async def _listen_for_calls(self) -> "Calls | None":
        """gRPC, where it is wanted: who does not want it does not pay for its import."""
        if not self._settings.grpc_port:
            return None
        from ferryman_server.grpc_api import server  # noqa: PLC0415 - as said

        calls: Calls = await server.start(self._serving, self._measures)
        return calls

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            app.App(self._serving, self._measures),
            http="httptools",
            loop="none",
            lifespan="off",
            interface="asgi3",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_FINISH,
        )

    def _signalled(self) -> None:
        if self._told.is_set():
            self._hurry.set()
        self._told.set()

    async def _start(self, model_thread: worker.Worker) -> None:
        """Load and warm up in the model's own thread, while the loop answers probes."""
        from ferryman_server.load import run as loading  # noqa: PLC0415 - NumPy's import, while we already listen

        settings, serving, measures = self._settings, self._serving, self._measures
        began = time.monotonic()
        # Native code can abort the process, and then nobody is left to say why: so it is said before.
        reason.publish(_sudden_end(settings.model_name), settings.termination_log)
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
            lambda: warmup.run(loaded.model, loaded.root, settings.warmup_requests, settings.model_name)
        )
        model = dataclasses.replace(loaded.model, outputs=loaded.model.outputs or warm.outputs)
        most = settings.max_batch_size if model.batches else 1
        batcher = batch.Batcher(model.predict, model_thread, measures, most, quick=model.quick)
        serving.plane = plane.DataPlane(model, batcher)
        if settings.cache_bytes:
            from ferryman_server import caching  # noqa: PLC0415 - who wants no cache does not pay for it

            serving.plane = await caching.plane(
                settings, model, batcher, measures=measures, digest=digest, model_thread=model_thread
            )
        reason.retract(settings.termination_log)
        now = time.monotonic()
        measures.warmed(now - loaded_at)
        if not self._told.is_set():
            serving.phase = Phase.READY
            measures.ready(now=True)
        log.line(
            f'Model "{settings.model_name}" is ready: {loaded.model.platform}, loaded in {loaded_at - began:.2f} s, '
            f"{warm.predictions} warm-up predictions in {now - loaded_at:.2f} s, "
            f"{self._cpus} CPU(s), port {settings.port}"
        )

    async def _drain(self) -> None:
        self._serving.phase = Phase.DRAINING
        self._measures.ready(now=False)
        seconds = self._settings.drain_seconds
        log.line(f"Told to stop: unready, answering for {seconds} s more")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), timeout=seconds)


def _listen(settings: contract.Settings) -> socket.socket:
    """Bound before anything slow, so that a taken port is said at once."""
    words = f"Port {settings.port} cannot be listened on ({{why}}); free it, or set FERRYMAN_PORT."
    return listen.on(settings.host, settings.port, words)


def _sudden_end(model: str) -> reason.FatalError:
    return reason.FatalError(
        reason.Reason.LOAD_FAILED,
        f'Model "{model}" ended the server process while it was being opened; its file is damaged, or it needs '
        "more memory than its pod may use.",
    )


def live(settings: contract.Settings) -> int:
    """Run one life on uvloop."""
    import uvloop  # noqa: PLC0415 - not for those who only read this module

    async def whole() -> int:
        return await Life(settings, threads.allowed()).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())
