"""What a person named: where it is, and what to call it."""

import os

import pytest

from ferryman_server.command import place, status, words
from ferryman_server.reason import FatalError, Reason

HOME = {"HOME": "/home/ada", "XDG_CACHE_HOME": "/home/ada/.cache"}


@pytest.mark.parametrize(
    ("uri", "name", "version"),
    [
        ("models:/fraud/7", "fraud", "7"),
        ("models:/card%20fraud/7", "card-fraud", "7"),
        ("s3://models/fraud/v3.1", "v3.1", ""),
        ("s3://models/fraud.onnx", "fraud", ""),
        ("https://example.com/a/fraud.tar.gz?token=x", "fraud", ""),
        ("https://example.com/a/FRAUD.JOBLIB", "FRAUD", ""),
    ],
)
def test_a_uri_has_a_room_and_a_name(uri, name, version):
    found = place.find(uri, HOME)

    assert (found.name, found.version, found.uri) == (name, version, uri)
    assert str(found.path).startswith(f"/home/ada/.cache/ferryman/models/{name}-")


def test_the_secret_in_a_signed_address_does_not_make_another_room():
    one, other = (place.find(f"https://example.com/m.onnx?token={token}", HOME) for token in "ab")

    assert one.path == other.path
    assert place.find("https://example.org/m.onnx", HOME).path != one.path


@pytest.mark.parametrize(
    ("uri", "variable"), [("models:/fraud/7", "MLFLOW_TRACKING_URI"), ("s3://models/fraud", "AWS_ENDPOINT_URL")]
)
def test_the_same_words_in_another_registry_or_store_are_another_model(uri, variable):
    one, other = (place.find(uri, {**HOME, variable: f"http://{host}:5000"}) for host in ("a", "b"))

    assert one.path != other.path


def test_a_registry_in_a_file_is_another_in_another_directory(tmp_path, monkeypatch):
    here = {**HOME, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    one = place.find("models:/fraud/7", here)
    monkeypatch.chdir(tmp_path)

    assert place.find("models:/fraud/7", here).path != one.path


@pytest.mark.parametrize(
    ("path", "name"),
    [("fraud.joblib", "fraud"), ("v1.2", "v1.2"), ("mine/artifacts", "mine"), ("a b/ü!.pkl", "model")],
)
def test_a_path_is_served_where_it_lies(tmp_path, path, name):
    lies = tmp_path / path
    lies.parent.mkdir(exist_ok=True)
    lies.write_text("") if lies.suffix in {".joblib", ".pkl"} else lies.mkdir()

    assert place.find(str(lies), HOME) == place.Place(lies, name)
    assert place.find(f"file://{lies.as_uri().removeprefix('file://')}", HOME) == place.Place(lies, name)


def test_the_one_mlflow_model_in_a_directory_of_runs_is_found(tmp_path):
    model = tmp_path / "mlruns/1/models/m-1/artifacts"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text("")
    (model / "model.pkl").write_text("")

    assert place.find(str(tmp_path / "mlruns"), HOME) == place.Place(model, "m-1")


def test_several_models_are_named_with_the_newest_first(tmp_path, monkeypatch):
    for run in "ab":
        (tmp_path / f"mlruns/{run}").mkdir(parents=True)
        (tmp_path / f"mlruns/{run}/MLmodel").write_text("")
    (tmp_path / "mlruns/c.onnx").write_text("")
    for age, name in enumerate(("c.onnx", "a", "b")):
        os.utime(tmp_path / "mlruns" / name, (1000 - age, 1000 - age))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FatalError) as refused:
        place.find("mlruns", HOME)

    assert refused.value.message == (
        "mlruns holds 3 models; name one of them, the newest first:\n  mlruns/c.onnx\n  mlruns/a\n  mlruns/b"
    )


def test_what_is_not_there_is_said_so(tmp_path):
    with pytest.raises(FatalError) as refused:
        place.find(str(tmp_path / "no.onnx"), HOME)

    assert refused.value.message == f"There is nothing at {tmp_path}/no.onnx; name a file, a directory or a URI."


@pytest.mark.parametrize(
    ("said", "seconds", "width", "shown"),
    [
        ("Loading iris", 0.4, 40, "Loading iris"),
        ("Loading iris", 61.2, 40, "Loading iris 61 s"),
        ("Fetching s3://bucket/a/long/way/down 3.0 MB", 9, 30, "Fetching s3:…y/down 3.0 MB 9 s"),
    ],
)
def test_the_line_of_a_terminal_is_never_wider_than_it(said, seconds, width, shown):
    assert status.fitting(said, seconds, width) == shown


def test_a_pods_advice_becomes_a_persons():
    said = "It needs a package; build a server image with it, or save the model without it."

    assert words.told(FatalError(Reason.LOAD_FAILED, said)) == (
        "It needs a package; install it here, or save the model without it."
    )
