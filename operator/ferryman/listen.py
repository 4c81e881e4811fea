"""Listening on a port of the operator's own, for as long as somebody stays in the context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(port: int, application: web.Application) -> AsyncIterator[None]:
    """Answer on every address of the pod; requests under way have a second to end."""
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port).start()
        yield
    finally:
        await runner.cleanup()
