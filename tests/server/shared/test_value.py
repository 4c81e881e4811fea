"""An answer comes back as it was written, and nothing else comes back as an answer."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ferryman_server.dataplane.rows import Answer, Array
from ferryman_server.shared import value

KEY = b"k" * 20
numbers = arrays.arrays(
    st.sampled_from(["<f8", "<f4", "<f2", "<i8", "<i4", "u1", "?", "<U7", "S3", "<M8[s]", "<c16", ">f8"]),
    arrays.array_shapes(min_dims=0, max_dims=3, max_side=4),
)
plain = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=9),
    st.binary(max_size=9),
    st.booleans(),
    st.none(),
    st.floats(),
    st.integers(-(2**63), 2**63),
)


@st.composite
def objects(draw: st.DrawFn) -> Array:
    values = draw(st.lists(plain, max_size=6))
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(draw(st.sampled_from([(-1,), (len(values), 1)])) if values else (0,))


def written(answer: Answer) -> list[object]:
    """All there is to an answer, so that it can be compared: NaNs and types too."""
    return [
        (name, array.dtype, array.shape, [(type(one), repr(one)) for one in array.ravel().tolist()])
        for name, array in answer.items()
    ]


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), numbers | objects(), max_size=3))
def test_every_answer_that_can_be_kept_comes_back_as_it_was_and_cannot_be_changed(answer):
    packed = value.pack(KEY, answer, 17.5)
    assert packed is not None

    found = value.unpack(KEY, packed)

    assert found is not None
    assert written(found[0]) == written(answer)
    assert found[1] == 17.5
    assert not any(array.flags.writeable for array in found[0].values())


@given(st.binary(max_size=200))
def test_other_bytes_are_no_answer(junk):
    assert value.unpack(KEY, junk) is None


GOOD = [1, KEY, 17.5, [["predict", "<f8", [1], b"\0" * 8]]]


def _with(output: list[object]) -> list[object]:
    return [*GOOD[:3], [output]]


def test_the_form_that_the_next_test_spoils_is_good():
    assert value.unpack(KEY, msgspec.msgpack.encode(GOOD)) is not None


@pytest.mark.parametrize(
    "spoilt",
    [
        [2, *GOOD[1:]],
        [1, b"j" * 20, *GOOD[2:]],
        [*GOOD[:2], math.nan, GOOD[3]],
        [*GOOD[:2], "soon", GOOD[3]],
        GOOD[:3],
        {"version": 1},
        _with(["predict", "<f8", [2], b"\0" * 8]),
        _with(["predict", "<f8", [-1], b"\0" * 8]),
        _with(["predict", "<f8", [1], b"\0" * 7]),
        _with(["predict", "<f8", [1], [1.0]]),
        _with(["predict", "|O", [1], b"\0" * 8]),
        _with(["predict", "|O", [2], ["a"]]),
        _with(["predict", "|O", [1], [["a"]]]),
        _with(["predict", "|V8", [1], b"\0" * 8]),
        _with(["predict", "no type", [1], b"\0" * 8]),
        _with(["predict", "<f8,<f8", [1], b"\0" * 16]),
        _with(["predict", "", [1], b"\0" * 8]),
        _with(["predict", "<f8", [2**40, 2**40, 0], b""]),
        _with([7, "<f8", [1], b"\0" * 8]),
    ],
)
def test_a_value_that_is_not_exactly_ours_is_no_answer(spoilt):
    assert value.unpack(KEY, msgspec.msgpack.encode(spoilt)) is None


def test_what_is_too_large_or_beyond_messagepack_is_not_sent():
    assert value.pack(KEY, {"predict": np.zeros(value.MOST // 8 + 1)}, 1.0) is None
    assert value.pack(KEY, {"predict": np.array(["a" * value.MOST], dtype=object)}, 1.0) is None
    assert value.pack(KEY, {"predict": np.array([2**70], dtype=object)}, 1.0) is None
    assert value.pack(KEY, {"predict": np.array(["\ud800"], dtype=object)}, 1.0) is None
