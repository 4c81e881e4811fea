"""What a block of fields means on a connection whose table has moved on."""

import pytest
from hpack import Encoder

from ferryman_server.http2 import fields
from ferryman_server.http2.frames import StreamFaultError

POST = [(":method", "POST"), (":scheme", "http")]


def test_a_request_after_a_refused_one_is_read_as_what_it_is():
    reader, encoder = fields.Reader(), Encoder()
    reader.request(1, encoder.encode([*POST, (":path", "/alice")]))
    alices = encoder.encode([*POST, (":path", "/alice")])
    assert reader.request(3, alices)[b":path"] == b"/alice"
    with pytest.raises(StreamFaultError):
        reader.request(5, encoder.encode([("x-late", "1"), *POST, (":path", "/bob")]))

    bobs = encoder.encode([*POST, (":path", "/bob")])

    assert bobs == alices, "the same bytes, which point at what the refused request left in the table"
    assert reader.request(7, bobs)[b":path"] == b"/bob"
