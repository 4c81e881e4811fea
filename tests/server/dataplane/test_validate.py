"""The same two flowers, in every shape that a client may write them in."""

import numpy as np
import pytest

from ferryman_server.dataplane import schema, validate
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Column, Tensor
from ferryman_server.dataplane.tensors import NamedTensor

MATRIX = schema.matrix(2)
NAMED = schema.named((Column("a", Kind.FP64), Column("b", Kind.FP64)), Kind.FP64)
MIXED = schema.named((Column("a", Kind.INT64), Column("b", Kind.BYTES), Column("c", Kind.FP64, required=False)), None)
IMAGES = schema.Tensors((Tensor("image", Kind.FP32, (-1, 2, 2)), Tensor("scale", Kind.FP32, (-1, 1))))


@pytest.mark.parametrize(
    "rows",
    [
        lambda: validate.from_rows(MATRIX, [[1, 2], [3, 4]], "instances"),
        lambda: validate.from_rows(NAMED, [[1, 2], [3, 4]], "instances"),
        lambda: validate.from_rows(NAMED, [{"b": 2, "a": 1}, {"a": 3, "b": 4}], "instances"),
        lambda: validate.from_columns(NAMED, {"b": [2, 4], "a": [1, 3]}, "inputs"),
        lambda: validate.from_split(NAMED, ["b", "a"], [[2, 1], [4, 3]], "data"),
        lambda: validate.from_split(NAMED, None, [[1, 2], [3, 4]], "data"),
        lambda: validate.from_split(MATRIX, ["0", "1"], [[1, 2], [3, 4]], "data"),
        lambda: validate.from_tensors(MATRIX, [NamedTensor("x", Kind.FP32, (2, 2), [1, 2, 3, 4])]),
        lambda: validate.from_tensors(MATRIX, [NamedTensor("x", Kind.INT64, (2, 2), [[1, 2], [3, 4]])]),
        lambda: validate.from_tensors(NAMED, [NamedTensor("input", Kind.FP64, (2, 2), [1, 2, 3, 4])]),
        lambda: validate.from_tensors(
            NAMED, [NamedTensor("b", Kind.FP64, (2,), [2, 4]), NamedTensor("a", Kind.FP64, (2, 1), [1, 3])]
        ),
    ],
)
def test_a_table_of_numbers_is_one_matrix_however_it_was_written(rows):
    found = rows()

    assert found.count == 2
    assert [array.tolist() for array in found.arrays] == [[[1.0, 2.0], [3.0, 4.0]]]


def test_columns_of_several_kinds_travel_apart_and_an_absent_optional_one_is_nan():
    found = validate.from_rows(MIXED, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "instances")

    assert [array.dtype for array in found.arrays] == [np.int64, object, np.float64]
    assert found.arrays[0].tolist() == [1, 2]
    assert found.arrays[1].tolist() == ["x", "y"]
    assert np.isnan(found.arrays[2]).all()


def test_tensors_may_be_given_a_row_at_a_time_or_each_whole():
    row = {"image": [[1, 2], [3, 4]], "scale": [0.5]}
    by_row = validate.from_rows(IMAGES, [row, row], "instances")
    whole = validate.from_tensors(
        IMAGES,
        [
            NamedTensor("scale", Kind.FP32, (2, 1), [0.5, 0.5]),
            NamedTensor("image", Kind.FP32, (2, 2, 2), [1, 2, 3, 4] * 2),
        ],
    )

    assert [array.tolist() for array in by_row.arrays] == [array.tolist() for array in whole.arrays]
    assert by_row.count == 2


def test_a_free_table_takes_what_comes_and_keeps_its_names():
    found = validate.from_rows(schema.FREE, [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}], "instances")

    assert found.names == ("x", "y")
    assert [array.tolist() for array in found.arrays] == [[1, 2], ["a", "b"]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            lambda: validate.from_rows(MATRIX, [[1, 2], [3]], "instances"),
            '"instances[1]" must have 2 numbers a row, got 1 values.',
        ),
        (
            lambda: validate.from_rows(NAMED, [[1, "x"]], "instances"),
            '"instances[0][1]" (b) must be a number (FP64), got the string "x".',
        ),
        (
            lambda: validate.from_rows(NAMED, [{"a": 1, "z": 2}], "instances"),
            '"instances[0]" misses "b" and has "z", which the model does not know; the model expects "a", "b".',
        ),
        (
            lambda: validate.from_rows(MATRIX, [{"a": 1}], "instances"),
            '"instances[0]" is an object, and the model\'s inputs have no names; send 2 numbers a row as a list.',
        ),
        (
            lambda: validate.from_rows(NAMED, [1, 2], "instances"),
            '"instances[0]" must be a row, 2 values a row (a, b), got the number 1.',
        ),
        (
            lambda: validate.from_rows(NAMED, [], "instances"),
            '"instances" is empty; the model expects at least one row.',
        ),
        (
            lambda: validate.from_rows(NAMED, "x", "instances"),
            '"instances" must be a list of rows, got the string "x".',
        ),
        (
            lambda: validate.from_columns(NAMED, {"a": [1], "b": [1, 2]}, "inputs"),
            'The columns of "inputs" must be equally long: a has 1, b has 2.',
        ),
        (
            lambda: validate.from_split(NAMED, ["a", "b"], [[1]], "data"),
            '"data[0]" must have the 2 values of "columns", got 1 values.',
        ),
        (
            lambda: validate.from_tensors(MATRIX, [NamedTensor("x", Kind.FP64, (1, 3), [1, 2, 3])]),
            'Input "x" must have shape [-1, 2] (2 numbers a row), got [1, 3].',
        ),
        (
            lambda: validate.from_tensors(MATRIX, [NamedTensor("x", Kind.FP64, (2, 2), [1, 2, 3])]),
            'Input "x" must have 4 values for shape [2, 2], got 3.',
        ),
        (
            lambda: validate.from_tensors(MATRIX, [NamedTensor("x", Kind.BYTES, (1, 2), ["1", "2"])]),
            'Input "x" must have datatype FP64, got BYTES.',
        ),
        (
            lambda: validate.from_tensors(IMAGES, [NamedTensor("image", Kind.FP32, (1, 2, 2), [1] * 4)]),
            '"inputs" misses "scale"; the model expects "image", "scale".',
        ),
        (
            lambda: validate.from_rows(IMAGES, [{"image": [[1, 2]], "scale": [1]}], "instances"),
            'Input "instances.image" must have shape [-1, 2, 2], got [1, 1, 2].',
        ),
        (
            lambda: validate.from_rows(schema.FREE, [[1, 2], [3]], "instances"),
            '"instances[1]" must have 2 values, like the first row, got 1 values.',
        ),
    ],
)
def test_a_refusal_names_the_input_what_was_expected_and_what_came(rows, message):
    with pytest.raises(InvalidInputError) as refused:
        rows()

    assert str(refused.value) == message
