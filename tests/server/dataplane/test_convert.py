"""Values to arrays, strictly."""

import numpy as np
import pytest

from ferryman_server.dataplane import convert
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind


def _here(at: int) -> str:
    return f"value {at}"


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        ([1, 2.5], Kind.FP64, [1.0, 2.5]),
        ([1, 2.0], Kind.INT32, [1, 2]),
        ([True, False], Kind.BOOL, [True, False]),
        (["a", "bc"], Kind.BYTES, ["a", "bc"]),
    ],
)
def test_good_values_become_the_kind_that_was_asked_for(values, kind, wanted):
    array = convert.array(values, kind, _here)

    assert array.dtype == kind.dtype
    assert array.tolist() == wanted


def test_null_is_nan_where_floats_are_expected():
    array = convert.array([1.0, None], Kind.FP64, _here)

    assert array[0] == 1.0
    assert np.isnan(array[1])


def test_an_optional_whole_number_may_be_null():
    array = convert.array([3, None], Kind.INT64, _here, nullable=True)

    assert array.tolist() == [3, None]


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([1.0, "2.5"], Kind.FP64, 'value 1 must be a number (FP64), got the string "2.5".'),
        ([True], Kind.FP32, "value 0 must be a number (FP32), got true."),
        ([1, None], Kind.INT64, "value 1 must be a whole number (INT64), got null."),
        ([1.5], Kind.INT64, "value 0 must be a whole number (INT64), got the number 1.5."),
        ([[1, 2]], Kind.FP64, "value 0 must be a number (FP64), got a list of 2."),
        ([{}], Kind.BYTES, "value 0 must be a string, got an object."),
        ([0], Kind.BOOL, "value 0 must be true or false, got the number 0."),
        ([1, 300], Kind.UINT8, "value 1 is 300, which does not fit UINT8."),
        ([10**400], Kind.FP64, f"value 0 is {str(10**400)[:40]}, which does not fit FP64."),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(values, kind, message):
    with pytest.raises(InvalidInputError) as refused:
        convert.array(values, kind, _here)

    assert str(refused.value) == message
