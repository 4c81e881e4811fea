"""Writes the spans of requests (witness.Witnesses), by OpenTelemetry's own variables and its own exporter.

The provider is ours alone: what models and libraries trace by OpenTelemetry themselves goes its own way.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from ferryman_server.dataplane import times
from ferryman_server.dataplane.guest import Asked, Told
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.settings import Settings

_FLUSH = 5.0
"""Seconds that the last spans may take to leave, when the process ends."""
_NANO = 1_000_000_000


class Tracing:
    """Until it is closed."""

    def __init__(self, settings: Settings, exporter: SpanExporter | None = None) -> None:
        known = {
            "service.name": settings.model_name,
            "service.version": settings.model_version,
            "ferryman.revision": settings.revision,
        }
        said = OTELResourceDetector().detect().attributes  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
        self._provider = TracerProvider(resource=Resource.create({**known, **said}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("ferryman_server")
        self._propagator = propagate.get_global_textmap()
        self._fields = [(name, name.encode()) for name in sorted(self._propagator.fields)]

    def of(self, protocol: str, path: str, headers: Mapping[bytes, bytes]) -> "Trace | None":
        """A span, unless the sampler, or whoever called, wants none."""
        carrier = {name: headers[key].decode("latin-1") for name, key in self._fields if key in headers}
        span = self._tracer.start_span(
            path.removeprefix("/") if protocol == "grpc" else f"POST {path}",
            self._propagator.extract(carrier),
            SpanKind.SERVER,
            _attributes(protocol, path, headers),
        )
        return Trace(self._tracer, span) if span.is_recording() else None

    async def close(self) -> None:
        """Send what has not been sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH):
                await asyncio.to_thread(self._provider.shutdown)


def _attributes(protocol: str, path: str, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    found = {"ferryman.protocol": protocol}
    if protocol == "grpc":
        service, _, method = path.removeprefix("/").partition("/")
        found |= {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    else:
        found |= {"http.request.method": "POST", "http.route": path, "url.path": path}
    if b"x-request-id" in headers:
        found["ferryman.request_id"] = headers[b"x-request-id"].decode("latin-1")
    return found


class Trace:
    """Of one request."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._offset = time.time() - time.perf_counter()
        self.times = times.Times()

    def plane(self, plane: DataPlane, body: bytes) -> DataPlane:
        """The same, and the model's times are noted."""
        self._span.set_attribute("http.request.body.size", len(body))
        return _Timed(plane, self.times)

    def ended(self, status: int) -> None:
        """The spans are whole. Gone clients and their mistakes are no errors of the server."""
        told = self.times
        within = set_span_in_context(self._span)
        if told.queued:
            self._child("queue", within, told.queued, told.began or time.perf_counter())
        if told.ended:
            self._child("compute", within, told.began, told.ended)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def _child(self, name: str, within: Context, began: float, ended: float) -> None:
        span = self._tracer.start_span(name, within, start_time=self._clock(began))
        span.end(self._clock(ended))

    def _clock(self, seconds: float) -> int:
        return int((self._offset + seconds) * _NANO)


class _Timed(DataPlane):
    def __init__(self, plane: DataPlane, noted: times.Times) -> None:
        self.model = plane.model
        self.guest = plane.guest
        self._plane = plane
        self._times = noted

    def at_once(self, rows: Rows) -> Answer | None:
        token = times.current.set(self._times)
        try:
            return self._plane.at_once(rows)
        finally:
            times.current.reset(token)

    async def predict(self, rows: Rows) -> Answer:
        token = times.current.set(self._times)
        try:
            return await self._plane.predict(rows)
        finally:
            times.current.reset(token)

    async def ask(self, asked: Asked) -> Told:
        token = times.current.set(self._times)
        try:
            return await self._plane.ask(asked)
        finally:
            times.current.reset(token)
