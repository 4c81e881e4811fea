"""One run of one plan: what becomes of each request of the operator."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from campaign import faults, hiding
from campaign.aim import Aim, Aims
from campaign.asked import Asked
from campaign.lives import Life, Lives, dropped
from campaign.replies import error_event, failure
from campaign.streams import Cut, Stream
from campaign.tape import Body, Exchange, Tape
from campaign.travel import Journeys, Past, revision_before
from campaign.upstream import NO_ANSWER, Upstream, passed_on

JSON = {"Content-Type": "application/json"}

SETTLES = (faults.Answer, faults.Lose, faults.Kill, faults.Travel)
"""Faults that settle what becomes of a request; only the first of them that hits it has an effect."""


@dataclass(frozen=True)
class Call:
    """One request, as it came in, and what is noted of it."""

    request: web.BaseRequest
    body: bytes
    asked: Asked
    life: Life
    exchange: Exchange


class Run:
    """The plan's counters, the tape, and what is hidden or past at the moment."""

    def __init__(self, plan: faults.Plan, lives: Lives, past: Past | None, beginning: int = 0) -> None:
        self.tape = Tape()
        self.aims = Aims(plan)
        self.journeys = Journeys(past)
        self._lives = lives
        self._beginning = beginning
        self._hiding = hiding.Hiding()
        self._streams: set[Stream] = set()

    def watching(self) -> frozenset[str]:
        """Return the kinds of which a watch is passed on now."""
        return frozenset(stream.asked.resource for stream in self._streams if not stream.dead)

    async def treat(
        self, request: web.BaseRequest, body: bytes, asked: Asked, life: Life, upstream: Upstream
    ) -> web.StreamResponse:
        """Note a request, let befall it what the plan says, and answer it."""
        if life.over:
            return dropped(request)
        call = Call(request, body, asked, life, self.tape.note(life.number, time.monotonic(), asked))
        try:
            return await self._befall(call, upstream)
        except Exception as error:
            call.exchange.suffers(f"the proxy itself failed: {error!r}")  # no fault of anybody else's
            raise

    async def _befall(self, call: Call, upstream: Upstream) -> web.StreamResponse:
        asked, settling = call.asked, None
        for aim in self.aims.at_request(asked, call.life.number, call.exchange.at):
            if isinstance(aim.fault, SETTLES):
                settling = settling or aim
            else:
                await self._delay(aim, call)
        if call.life.over:
            return dropped(call.request)
        if settling is not None and (answer := await self._settle_early(settling, call)):
            return answer
        if self._hiding.covers(asked.group):
            call.exchange.suffers("hidden")
            return await self._say(call, 404, hiding.SAID, {"Content-Type": "text/plain; charset=utf-8"})
        if self.journeys.covers(asked):
            return await self._in_the_past(call)
        return await self._forward(call, upstream, settling)

    async def _delay(self, aim: Aim, call: Call) -> None:
        """Let a request meet a fault after which it goes on."""
        match aim.fault:
            case faults.Hold(least=least, most=most):
                seconds = aim.chance.uniform(least, most)
                call.exchange.suffers(f"held {seconds:.2f}", seconds)
                aim.struck = True
                await asyncio.sleep(seconds)
            case faults.Stop(for_seconds=seconds):
                call.exchange.suffers(f"stopped {seconds:g}", seconds)
                aim.struck = True
                await self._lives.pause(seconds)
            case faults.Hide() as hide if self._hiding.begin(aim, hide):
                for stream in [each for each in self._streams if each.asked.group == hide.group]:
                    stream.end()

    async def _settle_early(self, aim: Aim, call: Call) -> web.StreamResponse | None:
        """Do what a fault does before a request is forwarded; nothing if it acts later."""
        match aim.fault:
            case faults.Answer(status=status, retry_after=wait, message=message):
                self._strike(aim, call, f"answer {status}")
                headers = JSON if wait is None else {**JSON, "Retry-After": str(wait)}
                return await self._say(call, status, _json(failure(status, message, call.asked, wait)), headers)
            case faults.Lose(committed=False):
                self._strike(aim, call, "lose")
                return dropped(call.request, hard=True)
            case faults.Kill(position="before"):
                await self._kill(aim, call, "kill before")
                return dropped(call.request)
            case _:
                return None

    async def _forward(self, call: Call, upstream: Upstream, aim: Aim | None) -> web.StreamResponse:
        """Pass a request on, and its answer back."""
        request, exchange = call.request, call.exchange
        seen = 0
        if call.asked.writes and call.asked.verb != "create":
            exchange.before = await upstream.get(request.path)
        if aim is not None and isinstance(aim.fault, faults.Travel):
            seen = await upstream.revision(call.asked.collection)
        if call.life.over:
            return dropped(request)
        try:
            source = await upstream.send(request.method, request.raw_path, request.headers, call.body)
            if call.asked.verb == "watch" and source.status == 200:
                return await self._stream(call, source, aim)
            text = await source.read()
        except NO_ANSWER:
            exchange.suffers("the apiserver gave no answer")
            return dropped(request)
        _note_answer(call, source.status, text)
        if aim is not None and (answer := await self._settle_late(aim, call)):
            return answer
        if request.path == "/apis":
            text = self._hiding.without(text)
        response = await self._say(call, source.status, text, passed_on(source.headers))
        if aim is not None:
            await self._settle_after(aim, call, seen)
        return response

    async def _settle_late(self, aim: Aim, call: Call) -> web.StreamResponse | None:
        """Do what a fault does between a request's effect and its answer."""
        match aim.fault:
            case faults.Lose():
                self._strike(aim, call, "lose committed")
                return dropped(call.request, hard=True)
            case faults.Kill(position="committed"):
                await self._kill(aim, call, "kill committed")
                return dropped(call.request)
            case _:
                return None

    async def _settle_after(self, aim: Aim, call: Call, seen: int) -> None:
        """Do what a fault does when the answer has been written."""
        if isinstance(aim.fault, faults.Travel):
            self.journeys.book(self._view(aim.fault, call.exchange, seen), aim.fault.for_seconds)
            if not aim.fault.restart:
                self.journeys.depart()
                self._strike(aim, call, "lag")
                return
        await self._kill(aim, call, "travel" if isinstance(aim.fault, faults.Travel) else "kill answered")

    def _view(self, travel: faults.Travel, write: Exchange, seen: int) -> int:
        """Return the store's revision that a journey leads to; `seen` was the newest before the write."""
        if travel.back == "all":
            return self._beginning
        earlier = [
            revision_before(each.before, each.after, self._beginning)
            for each in self.tape.writes()
            # what was deleted tells of no revision
            if each is not write and each.after is not None and each.resource not in {"leases", "events"}
        ]
        views = [self._beginning, *earlier, revision_before(write.before, write.after, seen)]
        return views[max(-1 - travel.back, -len(views))]

    async def _stream(self, call: Call, source: aiohttp.ClientResponse, aim: Aim | None) -> web.StreamResponse:
        """Pass a watch on, until one of the sides ends it."""
        call.exchange.status = 200
        try:
            if aim is not None and (answer := await self._settle_late(aim, call)):
                return answer
            sink = await _open(call, passed_on(source.headers))
            if aim is not None:
                await self._settle_after(aim, call, 0)
            stream = Stream(call.asked, call.life, source, sink, self.aims, self.tape)
            self._streams.add(stream)
            try:
                await stream.run()
            finally:
                self._streams.discard(stream)
            await sink.write_eof()
        except (Cut, ConnectionError):
            return dropped(call.request, hard=True)
        finally:
            source.close()
        return sink

    async def _in_the_past(self, call: Call) -> web.StreamResponse:
        """Answer a read as of the past; a watch hears nothing, and then that it is too old."""
        call.exchange.suffers("past")
        if call.asked.verb != "watch":
            status, body = await self.journeys.answer(call.asked, call.request.query)
            return await self._say(call, status, _json(body), JSON)
        call.exchange.status = 200
        sink = await _open(call, JSON)
        await asyncio.sleep(self.journeys.left())
        await sink.write(error_event(410, "too old resource version"))
        await sink.write_eof()
        return sink

    async def _say(self, call: Call, status: int, body: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
        """Write an answer to the operator's socket, unless that is closed."""
        call.exchange.status = status
        response = web.Response(status=status, body=body, headers=headers)
        if call.life.over:
            return dropped(call.request)
        try:
            await response.prepare(call.request)
            await response.write_eof()
        except ConnectionError:
            call.exchange.suffers("the operator hung up")
        return response

    async def _kill(self, aim: Aim, call: Call, words: str) -> None:
        if await self._lives.kill(call.life):
            self._strike(aim, call, words)

    @staticmethod
    def _strike(aim: Aim, call: Call, words: str) -> None:
        aim.struck = True
        call.exchange.suffers(words)


async def _open(call: Call, headers: Mapping[str, str]) -> web.StreamResponse:
    sink = web.StreamResponse(status=200, headers=headers)
    sink.enable_chunked_encoding()
    await sink.prepare(call.request)
    return sink


def _note_answer(call: Call, status: int, text: bytes) -> None:
    """Note what the apiserver said; the body only of a write."""
    call.exchange.status = status
    if call.asked.writes:
        call.exchange.took_effect(status, _object(text), dry=call.asked.dry)


def _object(text: bytes) -> Body | None:
    try:
        parsed = json.loads(text)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _json(body: Body) -> bytes:
    return json.dumps(body).encode()
