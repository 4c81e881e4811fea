"""The prober's own process: predictions at a steady rate, by the clock and not by the answers.

    python -m ferrydemo.client '{"url": ..., "host": ..., "payload": ..., "rate": 50, "seconds": 900}' >> RECORD

An open loop: a slow answer delays no later request, and its time counts from when it was due. Connections are kept
alive, as a real client's are, and nothing is sent twice. One line is written for each request, after its answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import aiohttp

from ferrydemo.answer import Answer

TIMEOUT_SECONDS = 5.0
MOST_IN_FLIGHT = 500
FLUSH_SECONDS = 0.1


async def probe(url: str, host: str, payload: dict[str, Any], rate: float, seconds: float) -> None:
    """Send predictions until the time is over or the process is asked to end."""
    ending = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ending.set)
    connector = aiohttp.TCPConnector(limit=MOST_IN_FLIGHT)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    body, rows = json.dumps(payload).encode(), len(payload["instances"])
    headers = {"Host": host, "Content-Type": "application/json"}
    flying: set[asyncio.Task[None]] = set()
    caller = os.getppid()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        flusher = asyncio.create_task(_flush())
        start = time.time()
        print(f"# {start:.4f} {rate}", flush=True)
        number = 0
        # a client whose caller is gone has nobody to ask for
        while not ending.is_set() and number < rate * seconds and os.getppid() == caller:
            due = start + number / rate
            if not await _reached(due, ending):
                break
            if len(flying) >= MOST_IN_FLIGHT:
                _write(Answer(number, due, 0.0, 0, "", f"{MOST_IN_FLIGHT} requests are unanswered"))
            else:
                task = asyncio.create_task(_send(session, url, body, rows, number=number, due=due))
                flying.add(task)
                task.add_done_callback(flying.discard)
            number += 1
        if flying:
            await asyncio.wait(flying)
        flusher.cancel()
    sys.stdout.flush()


async def _reached(due: float, ending: asyncio.Event) -> bool:
    """Wait until a request is due; False when the end comes first."""
    wait = due - time.time()
    if wait <= 0:
        return True
    try:
        await asyncio.wait_for(ending.wait(), wait)
    except TimeoutError:
        return True
    return False


async def _send(session: aiohttp.ClientSession, url: str, body: bytes, rows: int, *, number: int, due: float) -> None:
    status, revision, fault = 0, "", ""
    try:
        async with session.post(url, data=body) as response:
            status, revision = response.status, response.headers.get("x-ferryman-revision", "")
            content = await response.read()
            fault = _fault(status, revision, content, rows)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        fault = f"{type(error).__name__}: {error}"
    _write(Answer(number, due, time.time() - due, status, revision, fault))


def _fault(status: int, revision: str, content: bytes, rows: int) -> str:
    """Say what is wrong with an answer; nothing for a good one."""
    if status != 200:
        return f"HTTP {status}: {content[:200].decode(errors='replace')}"
    try:
        predictions = json.loads(content)["predictions"]
    except (ValueError, KeyError, TypeError):
        return f"not a prediction: {content[:200].decode(errors='replace')}"
    if not isinstance(predictions, list) or len(predictions) != rows:
        return f"{rows} rows were sent, and this came back: {content[:200].decode(errors='replace')}"
    return "" if revision else "the answer does not say which revision gave it"


def _write(answer: Answer) -> None:
    sys.stdout.write(answer.line())


async def _flush() -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(probe(**json.loads(sys.argv[1])))
