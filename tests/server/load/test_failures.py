"""Artefacts that do not open: the reason is from the catalogue, and the sentence names cause and next move."""

import json
import pickle
import shutil
import sys
import types

import pytest
from server import plain

from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Format


def _refused(root, **more) -> FatalError:
    with pytest.raises(FatalError) as refused:
        plain.load(root, **more)
    return refused.value


@pytest.mark.parametrize("name", ["joblib", "mlflow_sklearn", "mlflow_pyfunc"])
def test_a_pickle_from_an_untrusted_source_is_not_opened(shelf, name):
    error = _refused(getattr(shelf, name)(), allow_pickle=False)

    assert error.reason is Reason.UNTRUSTED_FORMAT
    assert "can run code when it is opened" in error.message


def test_a_skops_file_with_types_of_its_own_is_code_too(tmp_path):
    import numpy as np
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    skops.io.dump(FunctionTransformer(np.linalg.norm), tmp_path / "model.skops")

    error = _refused(tmp_path, allow_pickle=False)

    assert error.reason is Reason.UNTRUSTED_FORMAT
    assert "types of its own" in error.message


def test_a_missing_package_is_named_with_what_the_artefact_asked_for(tmp_path, monkeypatch):
    module = types.ModuleType("fancy_trees")
    module.Tree = type("Tree", (), {"__module__": "fancy_trees", "predict": lambda self, rows: rows})
    monkeypatch.setitem(sys.modules, "fancy_trees", module)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(module.Tree()))
    monkeypatch.delitem(sys.modules, "fancy_trees")
    (tmp_path / "requirements.txt").write_text("fancy-trees==1.2.3\n")

    error = _refused(tmp_path)

    assert error.reason is Reason.LOAD_FAILED
    assert error.message == (
        'Model "iris" needs the Python package "fancy_trees" (it asks for fancy-trees==1.2.3), which this server '
        "does not have; build a server image with it, or save the model without it."
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [("joblib", "model.joblib"), ("onnx", "model.onnx"), ("xgboost", "model.json"), ("lightgbm", "model.txt")],
)
def test_a_truncated_file_is_corrupt(shelf, tmp_path, name, file):
    whole = (getattr(shelf, name)() / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])

    error = _refused(tmp_path)

    assert error.reason in {Reason.ARTIFACT_CORRUPT, Reason.LOAD_FAILED}
    assert file in error.message
    assert "\n" not in error.message


def test_a_class_that_its_package_no_longer_has_names_both_versions(shelf, tmp_path):
    shutil.copytree(shelf.mlflow_sklearn(), tmp_path / "m")
    blob = (tmp_path / "m/model.pkl").read_bytes()
    (tmp_path / "m/model.pkl").write_bytes(blob.replace(b"LogisticRegression", b"LogisticRegressioN"))
    (tmp_path / "m/requirements.txt").write_text("scikit-learn==0.24.1\n")

    error = _refused(tmp_path / "m")

    assert error.reason is Reason.LOAD_FAILED
    assert "asks for scikit-learn==0.24.1, this server has" in error.message


def test_an_mlmodel_file_that_is_no_yaml_is_corrupt(tmp_path):
    (tmp_path / "MLmodel").write_text("flavors: [\n")

    assert _refused(tmp_path).reason is Reason.ARTIFACT_CORRUPT


def test_something_that_cannot_predict_is_said_to_be_so(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"not": "a model"}))

    error = _refused(tmp_path)

    assert error.reason is Reason.LOAD_FAILED
    assert error.message == 'Model "iris" is a dict, which can neither predict nor transform.'


def test_a_directory_without_a_model_lists_what_it_has(tmp_path):
    (tmp_path / "notes.md").write_text("hello")

    error = _refused(tmp_path)

    assert error.reason is Reason.UNKNOWN_FORMAT
    assert error.message.startswith('Model "iris" holds no file of a known format. It has notes.md. Known are')


def test_two_models_in_one_directory_are_not_guessed_between(shelf, tmp_path):
    shutil.copy(shelf.onnx() / "model.onnx", tmp_path / "a.onnx")
    shutil.copy(shelf.lightgbm() / "model.txt", tmp_path / "b.txt")

    assert "several models" in _refused(tmp_path).message
    assert plain.load(tmp_path, model_format=Format.ONNX).platform == "onnx_onnxv1"


def test_json_that_is_no_booster_is_not_taken_for_one(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"a": 1}))

    assert _refused(tmp_path).reason is Reason.UNKNOWN_FORMAT


def test_half_a_fetch_is_not_loaded(tmp_path):
    (tmp_path / ".ferryman.json").write_text('{"uri": "x"}')

    error = _refused(tmp_path)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "run the fetch step again" in error.message
