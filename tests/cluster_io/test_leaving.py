"""How the operator's process ends: with its exit code, and whatever still runs in it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from ferryman import __main__
from ferryman.acting import Ending

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def serve(_):
    global watch
    watch = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    return Ending.{ending}

__main__.serve = serve
__main__.main()
"""
"""An operator in which one task takes its cancellation for somebody else's, as a watch of kopf's may."""


@pytest.mark.parametrize(("ending", "code"), [("FAULT", 70), ("SIGNAL", 0)])
def test_a_watch_that_cannot_be_cancelled_does_not_keep_the_operator_from_ending(ending: str, code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FERRYMAN_SERVER_IMAGE": "server:1"}

    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{ending}", ending)], env=environment, timeout=60, check=False
    )

    assert ended.returncode == code
