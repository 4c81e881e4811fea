"""Warm-up from recorded requests: each as it came, through the whole application, before anybody waits."""

import json

import pytest
from server import iris, plain

from ferryman_server import recorded, warmup
from ferryman_server.dataplane import schema as schemas
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.reason import FatalError, Reason

V1 = {"instances": iris.FLOWERS}
TF_COLUMNS = {"signature_name": "serving_default", "inputs": iris.FLOWERS[:1]}
V2 = {
    "id": "42",
    "inputs": [{"name": "input", "datatype": "FP64", "shape": [1, 4], "data": iris.FLOWERS[0]}],
}
SPLIT = {"dataframe_split": {"columns": iris.NAMES, "data": iris.FLOWERS[:2]}}
RECORDS = {"dataframe_records": [dict(zip(iris.NAMES, iris.FLOWERS[0], strict=True))]}


def written(root, *lines):
    """A recording of these bodies; a text is a line as it stands."""
    path = root / "warmup.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


class Asked:
    """A model of four numbers a row that remembers how many rows it was asked at a time, and fails where told to."""

    def __init__(self, fails=ValueError):
        self.counts = []
        self._fails = fails

    def model(self):
        return Model("test", schemas.named(schemas.matrix(4).columns, Kind.FP64), self._predict)

    def _predict(self, rows):
        matrix = rows.arrays[0]
        if (matrix < 0).any():
            raise self._fails("it takes nothing below zero")
        self.counts.append(rows.count)
        return {"predict": matrix.sum(axis=1)}


def test_the_bodies_of_all_protocols_warm_a_model_up(shelf, tmp_path):
    model = plain.load(shelf.mlflow_sklearn())
    file = written(tmp_path, V1, TF_COLUMNS, V2, SPLIT, "", RECORDS)

    warm = warmup.run(model, tmp_path, 1, "iris", file=file)

    assert (warm.predictions, warm.refused) == (5, 0)
    assert [(one.name, one.kind, one.shape) for one in warm.outputs] == [("predict", "INT64", (-1,))]
    assert len(warm.seconds) == 5
    assert all(seconds > 0 for seconds in warm.seconds)


@pytest.mark.parametrize("place", ["warmup.jsonl", "assets.extra/warmup.jsonl", "extra_files/warmup.jsonl"])
def test_a_recording_beside_the_model_is_found(tmp_path, place):
    asked = Asked()
    (tmp_path / place).parent.mkdir(exist_ok=True)
    written((tmp_path / place).parent, {"instances": [[1, 2, 3, 4]] * 3})

    warmup.run(asked.model(), tmp_path, 1, "iris")

    assert asked.counts == [3]


def test_a_recording_beside_a_model_that_is_a_lone_file_is_found(tmp_path):
    (tmp_path / "model.onnx").touch()
    written(tmp_path, {"instances": [[1, 2, 3, 4]] * 3})

    assert recorded.find(tmp_path / "model.onnx", None, "iris") == tmp_path / "warmup.jsonl"


def test_a_short_recording_is_asked_again_until_there_were_enough_predictions(tmp_path):
    asked = Asked()
    file = written(tmp_path, {"instances": [[1, 2, 3, 4]] * 2}, {"instances": [[1, 2, 3, 4]] * 3})

    warm = warmup.run(asked.model(), tmp_path, 5, "iris", file=file)

    assert asked.counts == [2, 3, 2, 3, 2]
    assert warm.predictions == 5


def test_lines_that_the_model_does_not_take_are_named_and_passed_over(tmp_path, capfd):
    asked = Asked()
    file = written(
        tmp_path,
        {"instances": [[1, 2, 3]]},
        "{half a li",
        {"instances": [[1, 2, 3, -4]]},
        {"something": "else"},
        {"instances": [[1, 2, 3, 4]]},
    )

    warm = warmup.run(asked.model(), tmp_path, 1, "iris", file=file)

    said = capfd.readouterr().err
    assert (warm.predictions, warm.refused) == (1, 4)
    assert 'line 1 of warmup.jsonl is not asked: "instances[0]" must have 4 values' in said
    assert "line 2 of warmup.jsonl is not asked: The body is not valid JSON" in said
    assert "line 3 of warmup.jsonl is not asked: it takes nothing below zero" in said
    assert 'line 4 of warmup.jsonl is not asked: The body must have "instances"' in said
    assert 'Model "iris" refused 4 of the requests in warmup.jsonl' in said


def test_a_long_recording_of_wrong_lines_does_not_flood_the_log(tmp_path, capfd):
    file = written(tmp_path, *["wrong"] * 50, {"instances": [[1, 2, 3, 4]]})

    warmup.run(Asked().model(), tmp_path, 1, "iris", file=file)

    assert len(capfd.readouterr().err.splitlines()) == 6


def test_a_request_on_which_the_model_fails_stops_the_start(tmp_path):
    file = written(tmp_path, {"instances": [[1, 2, 3, 4]]}, {"instances": [[1, 2, 3, -4]]})

    with pytest.raises(FatalError) as refused:
        warmup.run(Asked(fails=KeyError).model(), tmp_path, 1, "iris", file=file)

    assert refused.value.reason is Reason.WARMUP_FAILED
    assert refused.value.message == (
        "Model \"iris\" cannot be warmed up: Line 2 of warmup.jsonl fails: KeyError: 'it takes nothing below zero'; "
        "check it with the server's package versions."
    )


@pytest.mark.parametrize(
    ("lines", "fact"),
    [((), "has no request;"), (({"instances": [[1]]}, "x"), "has no request that it takes, 2 that it refuses;")],
)
def test_a_recording_of_which_the_model_takes_nothing_stops_the_start(tmp_path, lines, fact):
    file = written(tmp_path, *lines)

    with pytest.raises(FatalError, match=fact) as refused:
        warmup.run(Asked().model(), tmp_path, 1, "iris", file=file)

    assert refused.value.reason is Reason.WARMUP_FAILED


def test_a_recording_that_was_asked_for_and_is_not_there_is_named(tmp_path):
    with pytest.raises(FatalError, match=r"FERRYMAN_WARMUP_FILE names .*nowhere.jsonl.*which is no file"):
        warmup.run(Asked().model(), tmp_path, 1, "iris", file=tmp_path / "nowhere.jsonl")


def test_a_long_recording_ends_after_so_many_lines(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(recorded, "MOST", 3)
    asked = Asked()
    file = written(tmp_path, *[{"instances": [[1, 2, 3, 4]]}] * 5)

    warm = warmup.run(asked.model(), tmp_path, 1, "iris", file=file)

    assert warm.predictions == 3
    assert "line 4 of warmup.jsonl and those after it are not asked" in capfd.readouterr().err


def test_a_slow_recording_ends_in_time(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(recorded, "LONGEST", -1.0)
    file = written(tmp_path, *[{"instances": [[1, 2, 3, 4]]}] * 9)

    warm = warmup.run(Asked().model(), tmp_path, 9, "iris", file=file)

    assert warm.predictions == 1
    assert "line 2 of warmup.jsonl and those after it are not asked" in capfd.readouterr().err


def test_a_model_with_a_recording_must_still_predict_its_own_example(tmp_path):
    written(tmp_path, {"instances": [[1, 2, 3, 4]]})
    (tmp_path / "serving_input_example.json").write_text(json.dumps({"inputs": [[1, 2, 3, -4]]}))

    with pytest.raises(FatalError, match="cannot predict its own input example"):
        warmup.run(Asked().model(), tmp_path, 1, "iris")


def test_no_warm_up_asks_nothing(tmp_path):
    asked = Asked()
    file = written(tmp_path, {"instances": [[1, 2, 3, 4]]})

    assert warmup.run(asked.model(), tmp_path, 0, "iris", file=file).predictions == 0
    assert asked.counts == []
