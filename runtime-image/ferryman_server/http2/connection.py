"""One client's connection, from when it comes to when it goes; what its frames mean is the session's business.

What it leaves unread or unfinished is kept for a time only (`patience`).
"""

import asyncio
from typing import Protocol, cast

from ferryman_server.http2 import frames, inbox, patience, streams
from ferryman_server.http2.fields import MOST_BYTES
from ferryman_server.http2.frames import Code, ConnectionFaultError, Setting
from ferryman_server.http2.outbox import Outbox
from ferryman_server.http2.session import Service, Session


class Crowd(Protocol):
    """Who knows all connections."""

    def came(self, connection: "Connection") -> None:
        """One more."""

    def went(self, connection: "Connection") -> None:
        """One less."""


class Connection(asyncio.Protocol):
    """One client's."""

    def __init__(self, service: Service, among: Crowd) -> None:
        self._service = service
        self._among = among
        self._inbox = inbox.Inbox()
        self._unchanged = patience.Unchanged()
        self._rested = 0  # looks
        self._transport: asyncio.Transport
        self._outbox: Outbox
        self._session: Session

    # --- asyncio's own entrances ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is taken here."""
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = Outbox(self._transport)
        self._session = Session(self._service, self._outbox, over=self._close)
        said = {
            Setting.MAX_CONCURRENT_STREAMS: streams.MOST,
            Setting.INITIAL_WINDOW_SIZE: min(
                self._service.most_bytes + 64 * 1024, frames.MOST_WINDOW
            ),  # a whole body
            Setting.MAX_FRAME_SIZE: inbox.MOST_FRAME,
            Setting.MAX_HEADER_LIST_SIZE: MOST_BYTES,
        }
        all_there_is = frames.window_update(0, frames.MOST_WINDOW - frames.USUAL_WINDOW)
        self._outbox.write(frames.settings(said) + all_there_is)
        self._among.came(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell all who work for this client."""
        self._among.went(self)
        for stream in self._session.streams.forget_all():
            if stream.gone is not None:
                stream.gone()

    def data_received(self, data: bytes) -> None:
        """Take all whole frames; write what they caused at once."""
        self._outbox.gathers = True
        self._rested = 0
        try:
            for frame in self._inbox.take(data):
                self._session.take(frame)
                if self._transport.is_closing():
                    break
        except ConnectionFaultError as fault:
            self._end(fault)
        finally:
            self._outbox.gathers = False
            self._outbox.flush()

    def eof_received(self) -> None:
        """A client that says no more may still listen."""
        self._service.settle()

    # --- what it is waited for ---

    def look(self) -> None:
        """Half a minute later (patience.Clock): give up what has not come further."""
        if self._unchanged.too_long("settings" if not self._session.told else self._inbox.unfinished()):
            self._end(ConnectionFaultError(Code.NO_ERROR, "what was begun did not come"))
            return
        in_body = self._inbox.in_body()  # and comes further
        for stream in self._session.streams.all():
            if stream.number != in_body and (not stream.whole or stream.rest):  # else it is us who are waited for
                stream.waited += 1
                if stream.waited > patience.SILENT:
                    self._session.give_up(stream)
        self._rested = 0 if self._session.streams else self._rested + 1
        if self._rested == patience.RESTS:
            self.leave()
        elif self._rested > patience.RESTS:  # it did not even hear that
            self._close()

    @property
    def rested(self) -> float | None:
        """For how many looks it has (crowd.Member)."""
        return None if self._session.streams else self._rested

    # --- the end ---

    def go(self) -> None:
        """What the client may ask at this moment it can safely ask again."""
        self._end(ConnectionFaultError(Code.NO_ERROR, "others have come; connect again to ask again"))

    def turn_away(self) -> None:
        """It can ask again, later."""
        self._end(ConnectionFaultError(Code.NO_ERROR, "there are as many connections as there may be"))

    def leave(self) -> None:
        """Ask the client to go; the connection is closed when it has heard, and all its streams have ended."""
        self._session.leave()

    def abort(self) -> None:
        """Go now."""
        self._transport.abort()

    def _end(self, fault: ConnectionFaultError) -> None:
        self._service.settle()
        self._outbox.write(frames.goaway(self._session.streams.last, fault.code, str(fault)))
        self._close()

    def _close(self) -> None:
        self._outbox.flush()
        self._transport.close()
