"""The quick readers, and those that explain: whatever the quick take, the others take, and understand alike."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane import validate
from ferryman_server.dataplane.kind import Kind
from ferryman_server.oip import inputs
from ferryman_server.oip.tensors import Sent
from ferryman_server.rest import quick
from ferryman_server.rest.message import Request

NAMED = schemas.named(tuple(schemas.Column(name, Kind.FP64) for name in ("a", "b")), Kind.FP64)
TABLES = [schemas.matrix(2), schemas.matrix(2, Kind.FP32), NAMED]

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.booleans(),
    st.text(),
)
ROWS = st.lists(st.lists(NUMBERS, min_size=1, max_size=3), max_size=3)


def request(body: object) -> Request:
    return Request("POST", "/", {b"content-type": b"application/json"}, json.dumps(body).encode())


def same(one, other) -> bool:
    return all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
        for a, b in zip(one.arrays, other.arrays, strict=True)
    )


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TABLES), ROWS)
def test_instances_that_are_read_quickly_are_read_as_ever(table, rows):
    with np.errstate(over="ignore"):
        found = quick.instances(table, request({"instances": rows}))
        if found is not None:
            assert same(found, validate.from_rows(table, rows, "instances"))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(TABLES),
    st.sampled_from(["input", "a", "other"]),
    st.sampled_from(["FP32", "FP64", "INT64"]),
    st.lists(st.integers(-1, 3), max_size=3),
    st.lists(NUMBERS, max_size=6),
)
def test_tensors_that_are_read_quickly_are_read_as_ever(table, name, datatype, shape, data):
    body = {"id": "7", "inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}]}
    with np.errstate(over="ignore"):
        found = quick.inference(table, request(body))
        if found is not None:
            assert found[1] == "7"
            assert same(found[0], inputs.rows(table, [Sent(name, Kind(datatype), tuple(shape), data)]))


def test_usual_bodies_are_read_quickly():
    rows = [[5.1, 3], [None, -2.5]]
    tensor = {"name": "input", "datatype": "FP32", "shape": [2, 2], "data": [5.1, 3, None, -2.5]}

    assert quick.instances(TABLES[0], request({"instances": rows})).arrays[0].shape == (2, 2)
    assert quick.inference(TABLES[0], request({"inputs": [tensor]}))[1] is None


def test_what_a_model_of_words_is_sent_is_never_read_quickly():
    table = schemas.named((schemas.Column("city", Kind.BYTES),), None)

    assert quick.instances(table, request({"instances": [[1.0]]})) is None
