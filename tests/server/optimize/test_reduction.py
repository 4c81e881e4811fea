"""Nets in smaller numbers, where somebody asked for it: faster, smaller, and decided alike; or as they are."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server import plain
from server.optimize import nets

from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import onnx_file
from ferryman_server.load.context import Context
from ferryman_server.load.mlmodel import Signature
from ferryman_server.optimize import closeness, neighbours, reduction, report
from ferryman_server.optimize.report import Precision

WIDE = [256, 1024, 1024, 10]


def context(directory: Path, precision: str) -> Context:
    return Context("iris", directory, Signature(), allow_pickle=False, threads=1, precision=precision)


def answers(path: Path, rows: Any) -> Any:
    return onnx_file.load(path, context(path.parent, "")).predict(Rows((rows,), len(rows)))["scores"]


def net(directory: Path) -> tuple[Path, Any]:
    """A wide perceptron, and rows that it decides clearly, two hundred of them recorded."""
    path = nets.perceptron(nets.dense(WIDE), directory / "model.onnx")
    rows = np.random.default_rng(1).normal(size=(600, 256)).astype(np.float32)
    clear = rows[nets.decided(answers(path, rows), by=0.3)]
    nets.record(clear[:200], directory)
    return path, clear[200:]


def tried(path: Path, precision: str) -> tuple[report.Report, bytes]:
    """What the converting process would tell."""
    return report.read(reduction.convert(path, context(path.parent, precision)))


def test_a_net_that_shall_count_in_eight_bits_does(tmp_path, capfd):
    path, fresh = net(tmp_path)
    wanted = answers(path, fresh)

    model = plain.load(tmp_path, precision="int8")

    told = model.optimization
    assert (told.runtime, told.precision, told.why) == ("onnx", "int8", "")
    assert told.rows == 600  # two hundred as they were recorded, and twice with noise
    assert 0 < told.worst < 0.05
    assert "runs in int8" in capfd.readouterr().err
    got = model.predict(Rows((fresh,), len(fresh)))["scores"]
    assert got.argmax(axis=1).tolist() == wanted.argmax(axis=1).tolist()
    assert 0 < np.abs(got - wanted).max() < 0.5
    assert model.schema == plain.load(tmp_path).schema


def test_a_net_of_eight_bits_takes_a_quarter_of_the_room_and_of_the_time(tmp_path):
    path, _ = net(tmp_path)

    told, graph = tried(path, "int8")

    assert len(graph) < 0.3 * path.stat().st_size
    assert told.faster > 1.5  # 2.3 to 3.3 where it was written


def test_convolutions_are_measured_on_the_data_and_not_for_each_request(tmp_path):
    path = nets.convolutions(tmp_path / "model.onnx")
    images = np.random.default_rng(1).normal(size=(60, 3, 32, 32)).astype(np.float32)
    nets.record(images[nets.decided(answers(path, images))], tmp_path, at_a_time=4)

    graph = reduction._int8(
        reduction._opened(path),
        neighbours.known(onnx_file.load(path, context(tmp_path, "")), context(tmp_path, "int8")),
    )

    import onnx

    kinds = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert "QuantizeLinear" in kinds
    assert not kinds & {"ConvInteger", "DynamicQuantizeLinear"}


def test_half_precision_answers_alike_and_is_taken_only_where_it_is_faster(tmp_path, monkeypatch):
    path, fresh = net(tmp_path)

    monkeypatch.setattr(reduction, "GAIN", 0.0)
    told, graph = tried(path, "fp16")
    monkeypatch.setattr(reduction, "GAIN", 1000.0)
    refused, nothing = tried(path, "fp16")

    assert (told.why, told.precision) == ("", Precision.HALF)
    assert len(graph) < 0.6 * path.stat().st_size
    (tmp_path / "half.onnx").write_bytes(graph)
    assert np.abs(answers(tmp_path / "half.onnx", fresh) - answers(path, fresh)).max() < 0.02
    assert refused.why.startswith("in fp16 it would be ")
    assert refused.why.endswith(" times as fast on this machine")
    assert nothing == b""


def test_a_net_whose_data_nobody_knows_stays_as_it_is(tmp_path, capfd):
    nets.perceptron(nets.dense([8, 16, 3]), tmp_path / "model.onnx")

    model = plain.load(tmp_path, precision="int8")

    assert (model.optimization.runtime, model.optimization.precision) == ("native", "full")
    assert model.optimization.why == "it has neither an input example nor recorded requests to compare answers on"
    assert f"runs in full precision: {model.optimization.why}" in capfd.readouterr().err
    assert model.predict(Rows((np.zeros((1, 8), np.float32),), 1))["scores"].shape == (1, 3)


def test_a_net_that_would_answer_otherwise_stays_as_it_is(tmp_path):
    weights = nets.dense([64, 256, 4])
    weights[0][0] *= 3000  # one input rules all others, and its scale leaves them no bits
    path = nets.perceptron(weights, tmp_path / "model.onnx")
    rows = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    rows[:, 0] = 1e-4
    rows[0, 0] = 1.0
    nets.record(rows, tmp_path, at_a_time=50)

    told, graph = tried(path, "int8")

    assert "away from its own" in told.why or "would decide otherwise" in told.why
    assert graph == b""


def test_a_forest_has_nothing_to_reduce(tmp_path):
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data, kinds = load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(data, kinds)
    graph = to_onnx(forest, data[:1].astype(np.float32), options={"zipmap": False})
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())

    told, _ = tried(tmp_path / "model.onnx", "int8")

    assert told.why == "it has no products of matrices to count in smaller numbers; trees have none"


def test_rows_near_the_data_stay_near_it_and_constants_stay_constant():
    rows = np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 100.0]], dtype=np.float32)

    made = neighbours.near([Rows((rows, np.array([["a"], ["b"]], dtype=object)), 2)])

    assert sum(batch.count for batch in made) == 400
    numbers = np.concatenate([batch.arrays[0] - rows for batch in made])
    assert np.abs(numbers).max(axis=0) == pytest.approx([0.17, 0.0, 8.5], rel=0.3, abs=1e-9)
    assert all(batch.arrays[1].tolist() == [["a"], ["b"]] for batch in made)
    assert made[0].arrays[0].dtype == np.float32


BOUNDS = closeness.Bounds(numbers=0.15, decisions=0.97)


@pytest.mark.parametrize(
    ("wanted", "got", "told"),
    [
        ([1, 2, 3], [1, 2, 3], closeness.Difference(3, 0, 0.0)),
        ([1, 2, 3], [1, 2, 4], closeness.Difference(3, 1, 0.0)),
        (["a", "b"], ["a", "c"], closeness.Difference(2, 1, 0.0)),
        ([[0.6, 0.8]], [[0.5, 0.8]], closeness.Difference(1, 0, pytest.approx(0.1))),
        ([[0.6, 0.8]], [[0.7, 0.7]], closeness.Difference(1, 1, pytest.approx(0.1414, abs=1e-4))),
        ([3.0, 4.0], [3.0, 4.1], closeness.Difference(2, 0, pytest.approx(0.02))),
    ],
)  # fmt: skip
def test_answers_are_compared_by_what_a_client_goes_by(wanted, got, told):
    assert closeness.judge({"out": np.array(wanted)}, {"out": np.array(got)}, BOUNDS) == told


@pytest.mark.parametrize(
    ("wanted", "got", "why"),
    [
        ([1.0, 2.0], [1.0, 2.5], 'numbers of "out" would be 22.4% away from its own: more than 15.0%'),
        ([1.0, 2.0], [1.0, np.nan], 'numbers of "out" would be inf% away'),
        ([1.0, np.nan], [1.0, 2.0], 'numbers of "out" would be inf% away'),
        ([1.0, 2.0], [[1.0, 2.0]], 'output "out" would have shape'),
    ],
)
def test_answers_that_are_too_far_apart_are_named(wanted, got, why):
    assert closeness.judge({"out": np.array(wanted)}, {"out": np.array(got)}, BOUNDS).why.startswith(why)


def test_one_other_decision_on_the_data_is_too_many_and_a_few_with_noise_are_not():
    def full(rows: Rows) -> Any:
        return {"label": np.zeros(rows.count, dtype=np.int64)}

    def small(rows: Rows) -> Any:
        labels = np.zeros(rows.count, dtype=np.int64)
        labels[:2] = 1
        return {"label": labels}

    hundred = [Rows((np.zeros((100, 1)),), 100)]

    same = closeness.compare(full, full, hundred, hundred, BOUNDS)
    on_data = closeness.compare(full, small, hundred, [], BOUNDS)
    with_noise = closeness.compare(full, small, [], hundred, BOUNDS)
    too_many = closeness.compare(full, small, [], hundred, dataclasses.replace(BOUNDS, decisions=0.99))

    assert (same.rows, same.why) == (200, "")
    assert on_data.why == "it would decide otherwise in 2 of 100 rows of its data"
    assert (with_noise.rows, with_noise.why) == (100, "")
    assert too_many.why == "it would decide otherwise in 2 of 100 rows of its data with some noise"


@pytest.mark.parametrize(
    ("flags", "saturates"), [("avx2 avx512_vnni", False), ("avx2 avx_vnni", False), ("avx2", True)]
)
def test_processors_before_vnni_count_in_seven_bits(tmp_path, monkeypatch, flags, saturates):
    (tmp_path / "cpuinfo").write_text(f"flags : fpu {flags}\n")
    monkeypatch.setattr(reduction.platform, "machine", lambda: "x86_64")

    assert reduction.saturates(tmp_path / "cpuinfo") is saturates
