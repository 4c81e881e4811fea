"""The ASGI application: finds the protocol for a path, and turns what happened into an answer.

The prediction paths are looked up in a dictionary made once. A prediction that came in one piece, and that the model
answers at once, comes by `at_once`, before there is anything to await; all others come by ASGI. Everything else
(probes, metadata, mistakes) goes through `info`, which may be slower and must be clearer.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ferryman_server import metrics
from ferryman_server.crowd import Crowd
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.dataplane.rows import Answer
from ferryman_server.rest import coding, info, message, patience, predictions
from ferryman_server.rest.message import Receive, RefusedError, Request, Response, Scope, Send
from ferryman_server.rest.predictions import Begun, Handing, Route
from ferryman_server.serving import Phase, Serving
from ferryman_server.witness import Witness

_BEGUN, _WITNESS = "ferryman.begun", "ferryman.witness"
"""Where a scope has the prediction that `at_once` has begun, or who looks on at it."""


class Asker(Protocol):
    """A connection."""

    def answer(self, whole: bytes) -> None:
        """Write an answer, unless the client has gone."""


class App:
    """One model, four protocols' paths."""

    def __init__(self, serving: Serving, measures: metrics.Metrics) -> None:
        self._serving = serving
        self._measures = measures
        self._most = serving.settings.max_body_bytes
        self.crowd = Crowd(serving.settings.max_connections)
        """Who is connected."""
        self._predicts = predictions.routes(serving)
        self.targets = {path.encode(): route for path, route in self._predicts.items()}
        """What `at_once` may be asked for: as the request's line says it."""
        self._revision = (b"x-ferryman-revision", serving.settings.revision.encode())
        last = (b"%b: %b" % self._revision).replace(b"%", b"%%")
        self._plain = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n" + last + b"\r\n\r\n%b"
        self._handing: Handing | None = None

    # --- at once ---

    def at_once(
        self, route: Route, headers: dict[bytes, bytes], body: bytes, asker: Asker
    ) -> Mapping[str, object] | None:
        """Answer a POST before the event loop waits again, or return what a scope needs for ASGI to go on with it."""
        serving = self._serving
        plane = serving.plane
        if plane is None or serving.phase is not Phase.READY or not plane.prompt or len(body) > self._most:
            return {}
        if serving.witnesses is not None:
            witness = self._witness(route.protocol, route.path, headers)
            if witness is not None:
                return {_WITNESS: witness}
        handing = self._handing
        if handing is None or handing.plane is not plane:
            handing = self._handing = Handing(plane)
        came = time.perf_counter()
        begun = predictions.begin(route, Request("POST", route.path, headers, body), handing)
        if not isinstance(begun, Begun):
            asker.answer(self._whole(route, headers, came, begun))
            return None

        def then(outcome: Answer | Exception) -> None:
            asker.answer(self._whole(route, headers, came, begun.answer(headers, outcome)))

        return None if plane.soon(begun.rows, asker, then) else {_BEGUN: begun}

    def settle(self) -> None:
        """Answer now whoever waits for the end of this turn of the event loop."""
        if self._handing is not None:
            self._handing.plane.settle()

    def _whole(self, route: Route, headers: dict[bytes, bytes], came: float, response: Response) -> bytes:
        self._measures.answered(route.protocol, response.status, time.perf_counter() - came)
        if response.status == HTTPStatus.OK and not response.headers and b"x-request-id" not in headers:
            return self._plain % (response.content_type, len(response.body), response.body)
        head = [b"%b: %b\r\n" % field for field in self._head(response, headers)]
        return b"".join((STATUS_LINE[response.status], *head, b"\r\n", response.body))

    # --- by ASGI ---

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's own entrance."""
        if scope["type"] != "http":
            return
        route = self._predicts.get(scope["path"])
        headers = dict(scope["headers"])
        if route and scope["method"] == "POST":
            await self._prediction(route, scope, headers, receive, send)
            return
        try:
            response = info.describe(
                scope["method"],
                scope["path"],
                headers,
                self._serving,
                self._measures,
                predicts=self._predicts.keys(),
            )
        except RefusedError as refused:
            response = message.error(refused.status, refused.message, *refused.headers)
        except Exception as error:  # noqa: BLE001 - the last door before uvicorn's own stack trace
            response = predictions.failed(headers, error)
        await self._reply(response, headers, send)

    async def _prediction(
        self, route: Route, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        protocol = route.protocol
        self._measures.began(protocol)
        came = began = time.perf_counter()
        status = 499  # the client left before there was an answer
        witness = scope.get(_WITNESS) or self._witness(protocol, scope["path"], headers)
        try:
            body = await self._body(headers, receive)
            if body is None:
                return
            began = time.perf_counter()
            asked = headers
            if coding.FIELD in headers:
                asked, body = coding.unpacked(headers, body, self._most)
            request = Request("POST", scope["path"], asked, body)
            plane = self._patient(request, receive, came, witness)
            response = await self._predict(route, scope.get(_BEGUN), request, plane)
            status = response.status
            await self._reply(response, headers, send)
        except patience.GoneError:
            return
        except RefusedError as refused:  # too large, and what is still coming is not waited for; or not unpacked
            status = refused.status
            await self._reply(route.say(status, refused.message, *refused.headers), headers, send)
        finally:
            self._measures.ended(protocol, status, time.perf_counter() - began)
            if witness is not None:
                witness.ended(status)

    def _witness(self, protocol: str, path: str, headers: dict[bytes, bytes]) -> Witness | None:
        witnesses = self._serving.witnesses
        return None if witnesses is None else witnesses.of(protocol, path, headers)

    def _patient(
        self, request: Request, receive: Receive, came: float, witness: Witness | None
    ) -> patience.Patient | None:
        """The data plane as this request sees it; None if there is none yet."""
        plane = self._serving.plane
        if plane is None or not self._serving.answers:
            return None
        if witness is not None:
            plane = witness.plane(plane, request.body)
        return patience.Patient(plane, receive, request.headers.get(patience.TIMEOUT), came)

    async def _predict(
        self, route: Route, begun: Begun | None, request: Request, plane: DataPlane | None
    ) -> Response:
        if plane is None:
            return route.say(503, self._serving.sentence(), (b"retry-after", b"1"))
        if begun is not None:
            return await begun.predict(request, plane)
        return await predictions.predict(route, request, plane, self._serving.settings.model_version)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._most:
            raise self._too_large(f"{int(declared)} bytes")
        event = await receive()
        if event["type"] != "http.request":
            return None
        body: bytes = event["body"]
        if not event.get("more_body"):
            if len(body) > self._most:
                raise self._too_large("more")
            return body
        parts, total = [body], len(body)
        while event.get("more_body"):
            event = await receive()
            if event["type"] != "http.request":
                return None
            total += len(event["body"])
            if total > self._most:
                raise self._too_large("more")
            parts.append(event["body"])
        return b"".join(parts)

    def _too_large(self, came: str) -> RefusedError:
        return RefusedError(
            413,
            f"The body may have {self._most} bytes, and it has {came}; send fewer rows at a time.",
            (b"connection", b"close"),
        )

    async def _reply(self, response: Response, asked: dict[bytes, bytes], send: Send) -> None:
        headers = self._head(response, asked)
        if self._serving.phase is Phase.DRAINING:
            # Tell the client's pool to come back on a new connection, which will find another pod.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    def _head(self, response: Response, asked: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", b"%d" % len(response.body)),
            self._revision,
            *response.headers,
        ]
        request_id = asked.get(b"x-request-id")
        if request_id:
            headers.append((b"x-request-id", request_id))
        return headers
