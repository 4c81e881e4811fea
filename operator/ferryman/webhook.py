"""Where MLflow tells that something in its registry changed: a look-up before the next poll, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from ferryman import delivery, listen, metrics

PATH = "/webhooks/mlflow"
MOST_BYTES = 64 * 1024

log = logging.getLogger(__name__)

Heard = Callable[[str], None]
"""Hears the name of a registered model of which there is news."""


class Receiver:
    """Checks each delivery, and passes the model's name on while this operator acts."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        """Begin without anybody who listens: an operator that stands by changes nothing."""
        self._secret = secret
        self._now = now
        self.heard: Heard | None = None

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one delivery. MLflow repeats what gets a 503, by a new connection that may find the one who acts."""
        try:
            body = await request.read()
            name = delivery.model(self._secret, request.headers, body, self._now())
        except delivery.UnsignedError as error:
            return _refused(HTTPStatus.UNAUTHORIZED, str(error))
        except delivery.UnreadableError as error:
            return _refused(HTTPStatus.BAD_REQUEST, str(error))
        if self.heard is None:
            metrics.DELIVERIES.labels("standby").inc()
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE, text="another operator acts\n", headers={"Connection": "close"}
            )
        metrics.DELIVERIES.labels("heard").inc()
        if name is not None:
            self.heard(name)
        return web.Response(status=HTTPStatus.NO_CONTENT)


@asynccontextmanager
async def serving(port: int, receiver: Receiver) -> AsyncIterator[None]:
    """Listen for deliveries; on port 0 for none."""
    if not port:
        yield
        return
    application = web.Application(client_max_size=MOST_BYTES)
    application.router.add_post(PATH, receiver.receive)
    async with listen.listening(port, application):
        yield


def _refused(status: HTTPStatus, why: str) -> web.Response:
    metrics.DELIVERIES.labels("refused").inc()
    log.info("a webhook's delivery was refused: %s", why)
    return web.Response(status=status, text=f"{why}\n")
