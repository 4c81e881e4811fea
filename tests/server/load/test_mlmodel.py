"""Signatures of every kind become schemas, without MLflow's import."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from ferryman_server.dataplane import schema
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Column, Tensor
from ferryman_server.load import mlmodel
from ferryman_server.reason import FatalError, Reason

_HERE = os.pathsep.join(sys.path)


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


@pytest.mark.parametrize("deep", ["[" * 200_000 + "]" * 200_000, "{a: " * 100 + "}" * 100, "- " * 100 + "x"])
def test_a_deeply_nested_mlmodel_killed_the_process(tmp_path, deep):
    (tmp_path / "MLmodel").write_text(f"flavors:\n  python_function:\n    env:\n      {deep}\n")

    code = (
        "import pathlib, sys\n"
        "from ferryman_server.load import mlmodel\n"
        "from ferryman_server.reason import FatalError\n"
        "try:\n"
        "    mlmodel.read(pathlib.Path(sys.argv[1]))\n"
        "except FatalError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": _HERE},
    )

    assert (ran.returncode, ran.stdout) == (
        0,
        "ArtifactCorrupt: The MLmodel file cannot be read (it is nested more than 32 deep); log the model again.\n",
    )


def test_a_deeply_nested_signature_is_damage_too(tmp_path):
    document = {"flavors": {"python_function": {}}, "signature": {"inputs": "[" * 100_000}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(document))

    with pytest.raises(FatalError) as refused:
        mlmodel.read(tmp_path)

    assert refused.value.reason is Reason.ARTIFACT_CORRUPT
