"""The ASGI application: finds the protocol for a path, and turns what happened into a status.

The four prediction paths are looked up in a dictionary made once. Everything else (probes, metadata,
mistakes) goes through `_describe`, which may be slower and must be clearer.
"""

import time
import uuid
from collections.abc import Awaitable, Callable

from ferryman_server import log, metrics
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError
from ferryman_server.dataplane.guest import TurnedDownError
from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.rest import guests, info, invocations, message, patience, v1, v2
from ferryman_server.rest.message import Receive, RefusedError, Request, Response, Scope, Send
from ferryman_server.serving import Phase, Serving
from ferryman_server.witness import Witness

Predict = Callable[[Request, DataPlane], Awaitable[Response]]
_ERRORS = {"invocations": invocations.error}
"""How a protocol says what is wrong, where that is not with one sentence under `error`."""


class App:
    """One model, four protocols' paths."""

    def __init__(self, serving: Serving, measures: metrics.Metrics) -> None:
        self._serving = serving
        self._measures = measures
        self._most = serving.settings.max_body_bytes
        self._predicts = self._routes()
        self._revision = (b"x-ferryman-revision", serving.settings.revision.encode())

    def _routes(self) -> dict[str, tuple[str, Predict]]:
        name, version = self._serving.settings.model_name, self._serving.settings.model_version

        async def infer(request: Request, plane: DataPlane) -> Response:
            return await v2.infer(request, plane, self._serving)

        routes: dict[str, tuple[str, Predict]] = {
            f"/v1/models/{name}:predict": ("v1", v1.predict),
            f"/v2/models/{name}/infer": ("v2", infer),
            "/invocations": ("invocations", invocations.invoke),
        }
        if version:
            routes[f"/v1/models/{name}/versions/{version}:predict"] = ("v1", v1.predict)
            routes[f"/v2/models/{name}/versions/{version}/infer"] = ("v2", infer)
        return routes

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
            response = self._failed(headers, error)
        await self._reply(response, headers, send)

    async def _prediction(
        self, route: tuple[str, Predict], scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        protocol = route[0]
        self._measures.began(protocol)
        came = began = time.perf_counter()
        status = 499  # the client left before there was an answer
        witnesses = self._serving.witnesses
        witness = None if witnesses is None else witnesses.of(protocol, scope["path"], headers)
        try:
            body = await self._body(headers, receive)
            if body is None:
                return
            began = time.perf_counter()
            request = Request("POST", scope["path"], headers, body)
            response = await self._predict(route, request, self._patient(request, receive, came, witness))
            status = response.status
            await self._reply(response, headers, send)
        except patience.GoneError:
            return
        except RefusedError as refused:  # too large: what is still coming is not waited for
            status = refused.status
            say = _ERRORS.get(protocol, message.error)
            await self._reply(say(status, refused.message, *refused.headers), headers, send)
        finally:
            self._measures.ended(protocol, status, time.perf_counter() - began)
            if witness is not None:
                witness.ended(status)

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

    async def _predict(self, route: tuple[str, Predict], request: Request, plane: DataPlane | None) -> Response:
        protocol, predict = route
        say = _ERRORS.get(protocol, message.error)
        if plane is None:
            return say(503, self._serving.sentence(), (b"retry-after", b"1"))
        try:
            if plane.guest is not None and protocol in guests.PROTOCOLS:
                return await guests.answer(protocol, request, plane, self._serving.settings.model_version)
            return await predict(request, plane)
        except patience.GoneError:
            raise
        except TurnedDownError as error:
            return say(error.status, str(error))
        except InvalidInputError as error:
            return say(400, str(error))
        except RefusedError as refused:
            return say(refused.status, refused.message, *refused.headers)
        except OverloadedError as error:
            return say(503, str(error), (b"retry-after", b"1"))
        except ModelFailedError as error:
            return self._failed(request.headers, error.__cause__ or error, say)
        except Exception as error:  # noqa: BLE001 - ours to mend; the client gets an id to quote
            return self._failed(request.headers, error, say)

    def _failed(
        self, headers: dict[bytes, bytes], error: BaseException, say: Callable[..., Response] = message.error
    ) -> Response:
        # it goes into the log: no bytes that a terminal would obey
        given = headers.get(b"x-request-id", b"").decode("ascii", "backslashreplace")
        request_id = given or uuid.uuid4().hex
        said = " ".join(str(error).split())[:500]
        log.line(f"Request {request_id} failed: {type(error).__name__}: {said}")
        told = f"The prediction failed inside the server; its log has the cause under request id {request_id}."
        return say(500, told, *(() if given else ((b"x-request-id", request_id.encode()),)), request_id=request_id)

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
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            self._revision,
            *response.headers,
        ]
        request_id = asked.get(b"x-request-id")
        if request_id:
            headers.append((b"x-request-id", request_id))
        if self._serving.phase is Phase.DRAINING:
            # Tell the client's pool to come back on a new connection, which will find another pod.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
