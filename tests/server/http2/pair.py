"""A connection of ours whose other end is in the test's hands: h2's idea of a client, or bytes."""

import h2.config
import h2.connection
import h2.events
import h2.settings

from ferryman_server.http2 import connection, fields
from ferryman_server.http2.frames import Code, Kind
from ferryman_server.http2.session import Service
from ferryman_server.http2.stream import Stream

HEAD = fields.write((b":status", b"200"))
TRAILERS = fields.write((b"done", b"yes"))
REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/echo"), (":authority", "test")]
MOST = 100_000


class Wire:
    """The transport: what was written, and whether the connection was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.unread = 0

    def write(self, data: bytes) -> None:
        assert not self.closed, "nothing is written after the end"
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unread

    def taken(self) -> bytes:
        written, self.written = self.written, b""
        return written


class Echo:
    """Answers what it is sent: /echo now, /soon when it has to settle; anything else waits until the test answers."""

    def __init__(self) -> None:
        self.most_bytes = MOST
        self.waiting: list[Stream] = []
        self.seen: list[Stream] = []
        self.open = 0
        self.given_up: list[int] = []
        self.promised: list[Stream] = []

    def whole(self, stream: Stream) -> None:
        self.seen.append(stream)
        if stream.fields[b":path"] == b"/echo":
            stream.answer(HEAD, stream.body, TRAILERS)
        elif stream.fields[b":path"] == b"/soon":
            self.promised.append(stream)
        else:
            self.waiting.append(stream)
            stream.gone = lambda: self.given_up.append(stream.number)

    def too_large(self, stream: Stream) -> None:
        stream.refuse(fields.write((b":status", b"413")))

    def too_slow(self, stream: Stream) -> None:
        stream.refuse(fields.write((b":status", b"408")))

    def settle(self) -> None:
        promised, self.promised = self.promised, []
        for stream in promised:
            stream.answer(HEAD, stream.body, TRAILERS)

    def came(self, _connection: object) -> None:
        self.open += 1

    def went(self, _connection: object) -> None:
        self.open -= 1


class Pair:
    """A connection, to Echo if to no other, and h2's idea of a client at the other end."""

    def __init__(self, service: Service | None = None, **settings: int) -> None:
        self.echo, self.wire = Echo(), Wire()
        self.here = connection.Connection(service or self.echo, self.echo)
        self.here.connection_made(self.wire)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.client = h2.connection.H2Connection(config)
        self.client.initiate_connection()
        if settings:
            self.client.update_settings({h2.settings.SettingCodes[name]: value for name, value in settings.items()})
        self.events: list[h2.events.Event] = []
        self.exchange()

    def exchange(self) -> list[h2.events.Event]:
        """Carry everything to and fro until nobody has anything to say."""
        events = []
        while sent := self.client.data_to_send():
            self.here.data_received(sent)
            events += self.client.receive_data(self.wire.taken())
        events += self.client.receive_data(self.wire.taken())
        return events

    def ask(self, body: bytes = b"", path: str = "/echo", *, ends: bool = True, more: tuple = ()) -> int:
        number = self.client.get_next_available_stream_id()
        request = [(name, path if name == ":path" else value) for name, value in REQUEST]
        self.client.send_headers(number, [*request, *more], end_stream=not body and ends)
        for at in range(0, len(body), 16_000):
            last = at + 16_000 >= len(body)
            self.client.send_data(number, body[at : at + 16_000], end_stream=last and ends)
        return number

    def raw(self, *pieces: bytes) -> None:
        self.here.data_received(b"".join(pieces))

    def ended(self) -> Code | None:
        """With what the connection was ended."""
        found = [code for kind, code in told(self.wire.written) if kind == Kind.GOAWAY]
        return found[-1] if self.wire.closed and found else None


def told(written: bytes) -> list[tuple[Kind, Code | None]]:
    """The kinds of frames in what was written, with the codes of those that have one."""
    found = []
    while written:
        size, kind, payload = int.from_bytes(written[:3], "big"), Kind(written[3]), written[9:]
        at = {Kind.RST_STREAM: 0, Kind.GOAWAY: 4}.get(kind)
        code = Code(int.from_bytes(payload[at : at + 4], "big")) if at is not None else None
        found.append((kind, code))
        written = written[9 + size :]
    return found


def of(events: list[h2.events.Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def block(*more: tuple[str, str]) -> bytes:
    return fields.write(*[(name.encode(), value.encode()) for name, value in [*REQUEST, *more]])


def body_of(events: list[h2.events.Event]) -> bytes:
    return b"".join(event.data for event in of(events, h2.events.DataReceived))
