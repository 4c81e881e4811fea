"""A watch on its way to the operator, one event after another, with what befalls them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from campaign import faults
from campaign.aim import Aim, Aims
from campaign.asked import Asked
from campaign.lives import Life
from campaign.replies import error_event
from campaign.tape import Event, Tape

COUNTED = frozenset({"ADDED", "MODIFIED", "DELETED"})


class Cut(Exception):  # noqa: N818  that is what befell it
    """The connection is to be reset."""


@dataclass(eq=False)
class Stream:
    """One watch, from the apiserver to the operator."""

    asked: Asked
    life: Life
    source: aiohttp.ClientResponse
    sink: web.StreamResponse
    aims: Aims
    tape: Tape
    late: set[asyncio.Task[None]] = field(default_factory=set)
    over: bool = False
    dead: bool = False
    """Whether it was left open and silent."""

    async def run(self) -> None:
        """Pass everything on until one of the two sides ends it; `Cut` if it is to end without a word."""
        try:
            async for line in _lines(self.source.content):
                if self.life.over or not await self._pass(line):
                    return
        except (aiohttp.ClientError, OSError) as error:
            if not self.over:
                raise Cut from error
        finally:
            for task in self.late:
                task.cancel()

    def end(self) -> None:
        """End it in peace, as the apiserver does when it no longer serves a kind."""
        self.over = True
        self.source.close()

    async def _pass(self, line: bytes) -> bool:
        """Deliver a line, or not; tell whether the watch goes on."""
        event = json.loads(line)
        if event["type"] not in COUNTED:
            await self.sink.write(line)
            return True
        name = event["object"]["metadata"]["name"]
        struck = self.aims.at_event(event["type"], self.asked.resource, name, self.life.number, time.monotonic())
        aim = struck[0] if struck else None
        self._note(event, aim)
        if aim is None:
            await self.sink.write(line)
            return True
        aim.struck = True
        return await self._suffer(aim.fault, line)

    async def _suffer(self, fault: faults.Fault, line: bytes) -> bool:
        match fault:
            case faults.Late():
                task = asyncio.create_task(self._deliver_late(line, fault.for_seconds))
                self.late.add(task)
                task.add_done_callback(self.late.discard)
            case faults.Twice():
                await self.sink.write(line + line)
            case faults.Break():
                return await self._break(fault)
            case _:
                pass  # swallowed
        return True

    async def _break(self, fault: faults.Break) -> bool:
        if fault.how == "cut":
            raise Cut
        if fault.how == "freeze":
            self.dead = True
            self.source.close()
            await asyncio.Event().wait()  # until the operator loses its patience
        await self.sink.write(error_event(fault.code, "injected by the fault proxy"))
        return False

    async def _deliver_late(self, line: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.sink.write(line)

    def _note(self, event: dict[str, Any], aim: Aim | None) -> None:
        metadata = event["object"]["metadata"]
        self.tape.events.append(
            Event(
                life=self.life.number,
                at=time.monotonic(),
                resource=self.asked.resource,
                type=event["type"],
                namespace=metadata.get("namespace", ""),
                name=metadata["name"],
                resourceVersion=metadata["resourceVersion"],
                fate=_fate(aim.fault) if aim else "delivered",
            )
        )


def _fate(fault: faults.Fault) -> str:
    if isinstance(fault, faults.Swallow):
        return "swallowed"
    if isinstance(fault, faults.Late):
        return f"late {fault.for_seconds:g}"
    if isinstance(fault, faults.Break):
        return f"{fault.how} {fault.code}" if fault.how == "error" else fault.how
    return fault.do


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Return the lines of a stream as they come, however long they are."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
