"""Where the kubelet asks whether the operator is well: from the start on, also while another operator acts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from ferryman import listen

PATH = "/healthz"


@asynccontextmanager
async def serving(port: int, wrong: Callable[[], str | None]) -> AsyncIterator[None]:
    """Answer 200, or 503 with what is wrong."""

    async def answer(_request: web.Request) -> web.Response:
        reason = wrong()
        if reason is None:
            return web.Response(text="ok\n")
        return web.Response(text=f"{reason}\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    application = web.Application()
    application.router.add_get(PATH, answer)
    async with listen.listening(port, application):
        yield
