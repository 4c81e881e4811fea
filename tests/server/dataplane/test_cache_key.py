"""Two questions are one only if the model cannot tell them apart."""

import itertools
import struct
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ferryman_server.dataplane import key as naming
from ferryman_server.dataplane.key import Keys
from ferryman_server.dataplane.rows import Rows

KEYS = Keys(("iris-0a1b2c3d", "iris", "7"))


def rows(*arrays: object, names: tuple[str, ...] = (), dtype: object = None) -> Rows:
    made = tuple(np.array(array, dtype=dtype) for array in arrays)
    return Rows(made, len(made[0]), names)


def _nan(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def test_whatever_a_model_could_tell_apart_is_another_question():
    questions = [
        rows([[1.0, 2.0]]),
        rows([[2.0, 1.0]]),
        rows([[1.0], [2.0]]),
        rows([1.0, 2.0]),
        rows([[1.0, 2.0]], dtype=np.float32),
        rows([[1, 2]]),
        rows([[1.0, 2.0]], names=("a",)),
        rows([[1.0, 2.0], [1.0, 2.0]]),
        rows([1.0], [2.0]),
        rows([2.0], [1.0]),
        rows([1.0], [2.0], names=("a", "b")),
        rows([1.0], [2.0], names=("b", "a")),
        replace(rows([[1.0, 2.0]]), params={"a": 1}),
        replace(rows([[1.0, 2.0]]), params={"a": True}),
        replace(rows([[1.0, 2.0]]), params={"a": 1, "b": [1.5]}),
        rows([1.0], [2.0], names=("a, b", "")),
        rows([[0.0]]),
        rows([[-0.0]]),
        rows([[_nan(0x7FF8000000000000)]]),
        rows([[_nan(0xFFF8000000000000)]]),
        *(rows([value], dtype=object) for value in (1, 1.0, True, "1", b"1", None, "", "a", "b", "ab", "None")),
        rows(["a", "b"], dtype=object),
        rows(["ab", ""], dtype=object),
        rows(["a"], ["b"], dtype=object),
        rows(["b"], ["a"], dtype=object),
    ]

    found = [KEYS.of(question) for question in questions]

    assert None not in found
    assert len(set(found)) == len(questions)


def test_the_same_question_to_another_model_is_another_question():
    identities = [("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"), ("a", "c")]

    assert len({Keys(identity).of(rows([1.0])) for identity in identities}) == len(identities)


def test_how_the_rows_lie_in_memory_is_no_part_of_the_question():
    plain = np.arange(12.0).reshape(3, 4)
    layouts = [plain, np.asfortranarray(plain), np.arange(24.0)[::2].reshape(3, 4) / 2, plain.T.copy().T]

    assert len({KEYS.of(Rows((layout,), 3)) for layout in layouts}) == 1


def test_text_is_compared_by_value_not_by_where_it_is():
    one, other = "".join(["set", "osa"]), "".join(["s", "etosa"])
    assert one is not other

    assert KEYS.of(rows([one], dtype=object)) == KEYS.of(rows([other], dtype=object))


def test_what_only_the_model_understands_has_no_name():
    for value in ([1], {"a": 1}, object(), 2**70, "\ud800", np.float64(1)):
        array = np.empty(1, dtype=object)
        array[0] = value
        assert KEYS.of(Rows((array,), 1)) is None
    assert KEYS.of(rows(["words"], dtype="U5")) is None


def test_a_question_too_large_to_be_hashed_in_a_moment_has_no_name():
    assert KEYS.of(Rows((np.zeros((65536, 1)),), 65536)) is not None
    assert KEYS.of(Rows((np.zeros((65537, 1)),), 65537)) is None
    assert KEYS.of(rows(["a" * naming._MOST], dtype=object)) is None


a_table = st.lists(
    arrays.arrays(
        st.sampled_from(["<f8", "<f4", "<i8", "u1", "?"]),
        arrays.array_shapes(max_dims=2, max_side=3),
        fill=st.nothing(),
    ),
    min_size=1,
    max_size=3,
)


@given(st.lists(a_table, min_size=2, max_size=8))
def test_questions_are_one_exactly_when_their_bytes_types_and_shapes_are(tables):
    asked = [Rows(tuple(table), 1) for table in tables]

    for one, other in itertools.combinations(asked, 2):
        same = [(a.dtype, a.shape, a.tobytes()) for a in one.arrays] == [
            (a.dtype, a.shape, a.tobytes()) for a in other.arrays
        ]
        assert (KEYS.of(one) == KEYS.of(other)) is same
