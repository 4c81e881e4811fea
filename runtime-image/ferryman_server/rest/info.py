"""Everything but predictions: probes, status, metadata, metrics, and a helpful no."""

import re
from collections.abc import Callable, Collection

from ferryman_server import __version__, metrics
from ferryman_server.oip import about
from ferryman_server.rest import docs, message, openapi, tfserving
from ferryman_server.rest.message import RefusedError, Response
from ferryman_server.serving import Serving

_MOST_SHOWN = 200  # characters of a path that is not here
_DOCUMENTS = frozenset({"/docs", "/openapi.json"})
_V1_MODEL = re.compile(r"/v1/models/([^/:]+)(?:/versions/([^/:]+))?(/metadata|:\w+)?")
_V2_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready|/infer)?")


def describe(
    method: str,
    path: str,
    headers: dict[bytes, bytes],
    serving: Serving,
    measures: metrics.Metrics,
    *,
    predicts: Collection[str],
) -> Response:
    """The answer to any request that is not a prediction."""
    if path in predicts:
        raise RefusedError(405, f"{method} is not for {path}; use POST.", (b"allow", b"POST"))
    if method not in {"GET", "HEAD"} and _is_read(path):
        raise RefusedError(405, f"{method} is not for {path}; use GET.", (b"allow", b"GET"))
    if page := _PAGES.get(path):
        return page(serving, measures)
    if path in _DOCUMENTS:
        return _documents(path, headers, serving)
    if found := _V1_MODEL.fullmatch(path):
        return _v1_status(found, serving)
    if found := _V2_MODEL.fullmatch(path):
        return _v2_status(found, serving)
    raise RefusedError(404, f"Nothing is at {path[:_MOST_SHOWN]}; predictions are at {', '.join(sorted(predicts))}.")


def _documents(path: str, headers: dict[bytes, bytes], serving: Serving) -> Response:
    """What is made from the model's schema: there is none before the model."""
    if serving.plane is None:
        return message.error(503, serving.sentence(), (b"retry-after", b"1"))
    if path == "/docs":
        return docs.page(serving, headers)
    return message.answer(openapi.document(serving))


def _v1_status(found: re.Match[str], serving: Serving) -> Response:
    """One answer for KServe's clients, which read `ready`, and for TensorFlow Serving's, which read the state."""
    _known(serving, found[1], found[2])
    if found[3] == "/metadata":
        if serving.plane is None:
            return message.error(503, serving.sentence(), (b"retry-after", b"1"))
        model = serving.plane.model
        return message.answer(tfserving.metadata(model, serving))
    if found[3]:
        raise RefusedError(404, f'Model "{found[1]}" has no verb "{found[3][1:]}"; use :predict.')
    body = {"name": found[1], "ready": serving.ready, **tfserving.status(serving)}
    if serving.answers:
        return message.answer(body)
    return Response(503, message.encode({**body, "error": serving.sentence()}), headers=((b"retry-after", b"1"),))


def _v2_status(found: re.Match[str], serving: Serving) -> Response:
    _known(serving, found[1], found[2])
    if found[3] == "/ready":
        return _readiness(serving)
    if serving.plane is None:
        return message.error(503, serving.sentence(), (b"retry-after", b"1"))
    return message.answer(about.model(serving.plane.model, serving))


def _is_read(path: str) -> bool:
    """Whether GET has an answer there; a prediction of a model that is not ours deserves "no such model" instead."""
    if path in _PAGES or path in _DOCUMENTS:
        return True
    prediction = ":" in path or path.endswith("/infer")
    return not prediction and bool(_V1_MODEL.fullmatch(path) or _V2_MODEL.fullmatch(path))


def _readiness(serving: Serving) -> Response:
    body = {"name": serving.settings.model_name, "ready": serving.ready, "phase": serving.phase.value}
    if serving.ready:
        return message.answer(body)
    return Response(503, message.encode({**body, "error": serving.sentence()}))


def _known(serving: Serving, name: str, version: str | None) -> None:
    lacks = serving.lacks(name, version)
    if lacks:
        raise RefusedError(404, lacks)


def _liveness() -> Response:
    return message.answer({"live": True})


Page = Callable[[Serving, metrics.Metrics], Response]
_PAGES: dict[str, Page] = {
    "/": lambda _serving, _measures: message.answer({"status": "alive", "docs": "/docs"}),
    "/healthz": lambda _serving, _measures: _liveness(),
    "/v2/health/live": lambda _serving, _measures: _liveness(),
    "/readyz": lambda serving, _measures: _readiness(serving),
    "/v2/health/ready": lambda serving, _measures: _readiness(serving),
    "/ping": lambda serving, _measures: _readiness(serving),
    "/health": lambda serving, _measures: _readiness(serving),
    "/version": lambda _serving, _measures: message.answer({"version": __version__}),
    "/v1/models": lambda serving, _measures: message.answer({"models": [serving.settings.model_name]}),
    "/v2/models": lambda serving, _measures: message.answer({"models": [serving.settings.model_name]}),
    "/v2": lambda _serving, _measures: message.answer(about.server()),
    "/metrics": lambda _serving, measures: Response(200, measures.page(), metrics.CONTENT_TYPE.encode()),
}
