"""Signatures of every kind become schemas, without MLflow's import."""

import json

import pytest
import yaml

from ferryman_server.dataplane import schema
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Column, Tensor
from ferryman_server.load import mlmodel


def _schema(tmp_path, inputs, packed=None):
    document = {"flavors": {"python_function": {}}, "signature": {"inputs": json.dumps(inputs)}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(document))
    return mlmodel.schema(mlmodel.read(tmp_path).signature, packed)


def _tensor(dtype, shape, **more):
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}, **more}


@pytest.mark.parametrize(
    ("inputs", "packed", "wanted"),
    [
        ([], Kind.FP64, None),
        (
            [{"type": "double", "name": "a"}, {"type": "long", "name": "b"}],
            Kind.FP64,
            schema.named((Column("a", Kind.FP64), Column("b", Kind.INT64)), Kind.FP64),
        ),
        (
            [{"type": "string", "name": "a"}, {"type": "double", "name": "b", "required": False}],
            Kind.FP64,
            schema.named((Column("a", Kind.BYTES), Column("b", Kind.FP64, required=False)), None),
        ),
        ([{"type": "double"}, {"type": "double"}], None, schema.matrix(2)),
        ([_tensor("float64", [-1, 4])], None, schema.matrix(4)),
        (
            [_tensor("float32", [-1, 28, 28], name="image")],
            None,
            schema.Tensors((Tensor("image", Kind.FP32, (-1, 28, 28)),)),
        ),
        ([{"type": "array", "items": {"type": "double"}, "name": "a"}], None, None),
    ],
)
def test_a_signature_becomes_the_schema_that_clients_meet(tmp_path, inputs, packed, wanted):
    assert _schema(tmp_path, inputs, packed) == wanted
