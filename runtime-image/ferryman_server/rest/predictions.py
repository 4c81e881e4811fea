"""The prediction paths: which protocol reads a request, and what becomes of what goes wrong.

A protocol's coroutine waits for one thing, the data plane's answer for some rows. So a prediction may also be begun
without an event loop: its rows are read, and whoever began it asks the model and goes on, now or later.
"""

import contextlib
import types
import uuid
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ferryman_server import log
from ferryman_server.dataplane.errors import InvalidInputError, ModelFailedError, OverloadedError, TooManyRowsError
from ferryman_server.dataplane.guest import TurnedDownError
from ferryman_server.dataplane.plane import DataPlane, meaning
from ferryman_server.dataplane.rows import Answer, Rows
from ferryman_server.rest import guests, invocations, message, patience, v1, v2
from ferryman_server.rest.message import RefusedError, Request, Response
from ferryman_server.serving import Serving

_ONCE = "a protocol asks the model once"
Say = Callable[..., Response]
"""How a protocol says what is wrong: a status, a sentence, headers, more members."""


class Route(NamedTuple):
    """One path."""

    protocol: str
    path: str
    predict: Callable[[Request, DataPlane], Coroutine[Any, Any, Response]]
    say: Say = message.error


def routes(serving: Serving) -> dict[str, Route]:
    """Every path that predicts, for this model and its version."""
    name, version = serving.settings.model_name, serving.settings.model_version

    async def infer(request: Request, plane: DataPlane) -> Response:
        return await v2.infer(request, plane, serving)

    found = [
        Route("v1", f"/v1/models/{name}:predict", v1.predict),
        Route("v2", f"/v2/models/{name}/infer", infer),
        Route("invocations", "/invocations", invocations.invoke, invocations.error),
    ]
    if version:
        found.append(Route("v1", f"/v1/models/{name}/versions/{version}:predict", v1.predict))
        found.append(Route("v2", f"/v2/models/{name}/versions/{version}/infer", infer))
    return {route.path: route for route in found}


async def predict(route: Route, request: Request, plane: DataPlane, version: str) -> Response:
    """The answer, or what is wrong; raises only `patience.GoneError`."""
    try:
        if plane.guest is not None and route.protocol in guests.PROTOCOLS:
            return await guests.answer(route.protocol, request, plane, version)
        return await route.predict(request, plane)
    except patience.GoneError:
        raise
    except Exception as error:  # noqa: BLE001 - everything has its status
        return refusal(route.say, request.headers, error)


def refusal(say: Say, headers: dict[bytes, bytes], error: Exception) -> Response:
    """What a client is told of an error."""
    match error:
        case TurnedDownError():
            return say(error.status, str(error))
        case InvalidInputError():
            return say(400, str(error))
        case TooManyRowsError():
            return say(413, str(error))
        case RefusedError():
            return say(error.status, error.message, *error.headers)
        case OverloadedError():
            return say(503, str(error), (b"retry-after", b"1"))
        case ModelFailedError():
            return failed(headers, error.__cause__ or error, say)
        case _:  # ours to mend; the client gets an id to quote
            return failed(headers, error, say)


def failed(headers: dict[bytes, bytes], error: BaseException, say: Say = message.error) -> Response:
    """500, and a line in the log that has the cause."""
    # it goes into the log: no bytes that a terminal would obey
    given = headers.get(b"x-request-id", b"").decode("ascii", "backslashreplace")
    request_id = given or uuid.uuid4().hex
    said = " ".join(str(error).split())[:500]
    log.line(f"Request {request_id} failed: {type(error).__name__}: {said}")
    told = f"The prediction failed inside the server; its log has the cause under request id {request_id}."
    return say(500, told, *(() if given else ((b"x-request-id", request_id.encode()),)), request_id=request_id)


@dataclass(slots=True, eq=False)
class Begun:
    """A prediction whose rows have been read, and which waits for the model's answer."""

    route: Route
    rows: Rows
    rest: Coroutine[Any, Any, Response]

    def answer(self, headers: dict[bytes, bytes], outcome: Answer | Exception) -> Response:
        """Go on with what the model gave: the answer, or what is wrong."""
        try:
            if isinstance(outcome, Exception):
                raise meaning(outcome)
            self.rest.send(outcome)
        except StopIteration as done:
            response: Response = done.value
            return response
        except Exception as error:  # noqa: BLE001 - everything has its status
            self.rest.close()
            return refusal(self.route.say, headers, error)
        raise AssertionError(_ONCE)

    async def predict(self, request: Request, plane: DataPlane) -> Response:
        """Let the model come to it, and go on; raises only `patience.GoneError`."""
        with contextlib.closing(self.rest):
            try:
                outcome: Answer | Exception = await plane.predict(self.rows)
            except patience.GoneError:
                raise
            except Exception as error:  # noqa: BLE001 - everything has its status
                outcome = error
            return self.answer(request.headers, outcome)


class Handing(DataPlane):
    """Hands the rows to whoever has begun a prediction, and returns what that sends back."""

    def __init__(self, plane: DataPlane) -> None:
        self.model = plane.model
        self.guest = plane.guest
        self.plane = plane

    async def predict(self, rows: Rows) -> Answer:
        """Wait without an event loop."""
        return await _handed(rows)


@types.coroutine
def _handed(rows: Rows) -> Generator[Rows, Answer, Answer]:
    return (yield rows)


def begin(route: Route, request: Request, handing: Handing) -> Response | Begun:
    """The prediction as far as it goes without the model, or what is wrong with the request."""
    rest = route.predict(request, handing)
    try:
        return Begun(route, rest.send(None), rest)
    except StopIteration as done:
        response: Response = done.value
        return response
    except Exception as error:  # noqa: BLE001 - everything has its status
        return refusal(route.say, request.headers, error)
