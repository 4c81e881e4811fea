"""PyTorch nets as their authors save them, asked by every protocol: what they answer is what PyTorch answers."""

import json

import mlflow.pytorch
import numpy as np
import pytest
import torch
from server import plain
from torch import nn

from ferryman_server import warmup
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import FREE, Table, Tensors
from ferryman_server.reason import FatalError, Reason

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2]]
BATCH = torch.export.Dim("batch")


class Words(nn.Module):
    """Numbers of words and a picture in, scores and a mask out."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 4)
        self.last = nn.Linear(8, 3)

    def forward(self, words, image):
        seen = torch.cat([self.table(words).mean(dim=1), image.flatten(1)], dim=1)
        scores = self.last(seen)
        return {"scores": scores, "sure": scores.max(dim=1).values > 0}


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def exported(net, path, *examples, free=True):
    shapes = tuple({0: BATCH} for _ in examples) if free else None
    if isinstance(net, nn.Sequential) and free:
        shapes = ({0: BATCH},)
    torch.export.save(torch.export.export(net, examples, dynamic_shapes=shapes), path)


def wanted(net, *arrays):
    with torch.inference_mode():
        return net(*(torch.from_numpy(array) for array in arrays))


def matrix(rows=ROWS, dtype=np.float32):
    return np.array(rows, dtype=dtype)


async def test_an_exported_program_answers_every_protocol(tmp_path):
    net = perceptron()
    exported(net, tmp_path / "net.pt2", torch.zeros(2, 4))
    answer = wanted(net, matrix()).tolist()

    model = plain.load(tmp_path)
    async with plain.client(model) as http:
        v1 = await http.post("/v1/models/iris:predict", json={"instances": ROWS})
        one = await http.post("/v1/models/iris:predict", json={"instances": ROWS[:1]})
        v2 = await http.post(
            "/v2/models/iris/infer",
            json={"inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 4], "data": ROWS}]},
        )
        mlflow = await http.post("/invocations", json={"inputs": ROWS})
        wide = await http.post("/v1/models/iris:predict", json={"instances": [[1, 2, 3]]})

    assert (model.platform, model.batches) == ("pytorch", True)
    assert isinstance(model.schema, Table)
    assert (model.schema.width, model.schema.packed) == (4, Kind.FP32)
    assert model.packages == {"torch": torch.__version__}
    for told in (v1.json()["predictions"], mlflow.json()["predictions"]):
        assert np.allclose(told, answer, atol=1e-6)
    assert np.allclose(one.json()["predictions"], answer[:1], atol=1e-6)
    assert np.allclose(np.reshape(v2.json()["outputs"][0]["data"], (2, 3)), answer, atol=1e-6)
    assert (wide.status_code, wide.json()["error"]) == (
        400,
        '"instances[0]" must have 4 numbers a row, got 3 values.',
    )


def test_an_exported_program_tells_the_types_and_free_sizes_of_all_its_inputs(tmp_path):
    net = Words().eval()
    length = torch.export.Dim("length", min=1, max=64)
    program = torch.export.export(
        net,
        (torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, 2, 2)),
        dynamic_shapes=({0: BATCH, 1: length}, {0: BATCH}),
    )
    torch.export.save(program, tmp_path / "net.pt2")
    words, image = np.array([[1, 2, 3], [4, 5, 6]]), np.ones((2, 2, 2), dtype=np.float32)

    model = plain.load(tmp_path)
    answer = model.predict(Rows((words, image), 2))

    assert isinstance(model.schema, Tensors)
    assert [(one.name, one.kind, one.shape) for one in model.schema.tensors] == [
        ("words", Kind.INT64, (-1, -1)),
        ("image", Kind.FP32, (-1, 2, 2)),
    ]
    told = wanted(net, words, image)
    assert np.allclose(answer["scores"], told["scores"].numpy(), atol=1e-6)
    assert answer["sure"].tolist() == told["sure"].tolist()


def test_an_exported_program_of_a_fixed_number_of_rows_is_never_given_another(tmp_path):
    exported(perceptron(), tmp_path / "net.pt2", torch.zeros(2, 4), free=False)

    model = plain.load(tmp_path)

    assert model.batches is False
    assert model.schema.tensors[0].shape == (2, 4)
    assert warmup.run(model, tmp_path, 2, "iris").predictions == 2


class Named(nn.Module):
    """An input that is given by its name."""

    def forward(self, x, *, scale):
        return (x * scale, x.sum(dim=1))


def test_an_exported_program_may_take_inputs_by_name_and_answer_with_several(tmp_path):
    program = torch.export.export(
        Named(),
        (torch.ones(2, 3),),
        {"scale": torch.ones(2, 3)},
        dynamic_shapes={"x": {0: BATCH}, "scale": {0: BATCH}},
    )
    torch.export.save(program, tmp_path / "net.pt2")

    model = plain.load(tmp_path)
    x, scale = matrix([[1, 2, 3]]), matrix([[2, 2, 3]])
    by_name = dict(zip([one.name for one in model.schema.tensors], (x, scale), strict=True))
    answer = model.predict(Rows(tuple(by_name.values()), 1))

    assert list(by_name) == ["x", "scale"]
    assert {name: array.tolist() for name, array in answer.items()} == {
        "output_0": [[2.0, 4.0, 9.0]],
        "output_1": [6.0],
    }


class Brain(nn.Module):
    """Counts in bfloat16, which NumPy does not know."""

    def forward(self, x):
        return x.to(torch.bfloat16) * 2


def test_an_answer_that_numpy_does_not_know_is_widened(tmp_path):
    exported(Brain(), tmp_path / "net.pt2", torch.ones(2, 2))

    answer = plain.load(tmp_path).predict(Rows((matrix([[1, 2]]),), 1))

    assert answer["predict"].dtype == np.float32
    assert answer["predict"].tolist() == [[2.0, 4.0]]


# --- TorchScript ----------------------------------------------------------------------------------


def scripted(net, path):
    torch.jit.save(torch.jit.script(net), str(path))


def test_a_script_takes_what_its_recorded_requests_took(tmp_path):
    net = perceptron()
    scripted(net, tmp_path / "net.pt")
    (tmp_path / "warmup.jsonl").write_text(json.dumps({"instances": ROWS}) + "\n")

    model = plain.load(tmp_path)

    assert isinstance(model.schema, Table)
    assert (model.schema.width, model.schema.packed) == (4, Kind.FP32)
    assert np.allclose(model.predict(Rows((matrix(),), 2))["predict"], wanted(net, matrix()).numpy(), atol=1e-6)
    assert warmup.run(model, tmp_path, 3, "iris").outputs[0].shape == (-1, 3)


async def test_a_script_of_which_nothing_is_known_takes_what_comes_and_says_what_does_not_fit(tmp_path):
    net = perceptron()
    scripted(net, tmp_path / "net.pt")

    model = plain.load(tmp_path)
    async with plain.client(model) as http:
        good = await http.post("/v1/models/iris:predict", json={"instances": ROWS})
        bad = await http.post("/v1/models/iris:predict", json={"instances": [[1.0, 2.0]]})
        text = await http.post("/v1/models/iris:predict", json={"instances": [["a", "b"]]})

    assert model.schema == FREE
    assert np.allclose(good.json()["predictions"], wanted(net, matrix()).numpy(), atol=1e-6)
    assert bad.status_code == 400
    assert "mat1 and mat2 shapes cannot be multiplied" in bad.json()["error"]
    assert (text.status_code, text.json()["error"]) == (400, "The model takes numbers, and got text or mixed values.")


class Two(nn.Module):
    """Two tensors, and a number that has a default."""

    def forward(self, left: torch.Tensor, right: torch.Tensor, scale: float = 2.0) -> torch.Tensor:
        return (left - right) * scale


def test_a_script_of_several_inputs_goes_by_their_names(tmp_path):
    scripted(Two(), tmp_path / "net.pt")
    model = plain.load(tmp_path)
    left, right = matrix([[5.0]]), matrix([[3.0]])

    in_order = model.predict(Rows((left, right), 1, ("left", "right")))
    turned = model.predict(Rows((right, left), 1, ("right", "left")))

    assert in_order["predict"].tolist() == turned["predict"].tolist() == [[4.0]]
    with pytest.raises(InvalidInputError, match=r"takes 2 tensor\(s\) \(left, right\), got 1"):
        model.predict(Rows((left,), 1))


class Counting(nn.Module):
    """Asks for something that is no tensor."""

    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        return x * times


def test_a_script_that_asks_for_more_than_tensors_is_refused_by_name(tmp_path):
    scripted(Counting(), tmp_path / "net.pt")

    with pytest.raises(FatalError, match=r'"net.pt" of model "iris": forward\(\) asks for times \(int\)'):
        plain.load(tmp_path)


class Failing(nn.Module):
    """Fails on what fits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() < 0):
            return x.reshape(-1, 7)
        return x


def test_what_a_script_with_known_inputs_fails_on_is_its_own_fault(tmp_path):
    scripted(Failing(), tmp_path / "net.pt")
    (tmp_path / "warmup.jsonl").write_text(json.dumps({"instances": ROWS}) + "\n")

    with pytest.raises(RuntimeError, match=r"shape '\[-1, 7\]' is invalid for input of size 8"):
        plain.load(tmp_path).predict(Rows((-matrix(),), 2))


# --- MLflow ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exported", "scripted"])
def test_a_net_that_mlflow_saved_is_asked_without_mlflow(tmp_path, how):
    net = perceptron()
    signature = mlflow.models.infer_signature(matrix(), wanted(net, matrix()).numpy())
    more = (
        {"serialization_format": "pt2", "input_example": matrix()}
        if how == "exported"
        else {"serialization_format": "pickle"}
    )
    saved = net if how == "exported" else torch.jit.script(net)
    mlflow.pytorch.save_model(saved, tmp_path / "m", signature=signature, pip_requirements=["torch"], **more)

    model = plain.load(tmp_path / "m")

    assert model.platform == "pytorch"
    assert (model.schema.width, model.schema.packed) == (4, Kind.FP32)
    assert np.allclose(model.predict(Rows((matrix(),), 2))["predict"], wanted(net, matrix()).numpy(), atol=1e-6)


def test_a_net_that_mlflow_pickled_goes_through_pyfunc(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    net = perceptron()
    signature = mlflow.models.infer_signature(matrix(), wanted(net, matrix()).numpy())
    mlflow.pytorch.save_model(
        net, tmp_path / "m", signature=signature, pip_requirements=["torch"], serialization_format="pickle"
    )

    model = plain.load(tmp_path / "m")

    assert model.platform == "mlflow"
    assert np.allclose(model.predict(Rows((matrix(),), 2))["predict"], wanted(net, matrix()).numpy(), atol=1e-6)


def test_a_net_is_not_opened_before_it_is_trusted(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path.joinpath("opened").touch, ())

    torch.save({"net": Evil()}, tmp_path / "net.pt")
    exported(perceptron(), tmp_path / "other.pt2", torch.zeros(2, 4))

    for name in ("net.pt", "other.pt2"):
        with pytest.raises(FatalError) as refused:
            plain.load(tmp_path / name, allow_pickle=False)
        assert refused.value.reason is Reason.UNTRUSTED_FORMAT
    assert not (tmp_path / "opened").exists()
