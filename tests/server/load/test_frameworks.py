"""PyTorch's and TensorFlow's artefacts where neither is installed: known, and refused in words.

What they answer where they are is in tests/frameworks.
"""

import json
import zipfile

import numpy as np
import pytest
from server import plain

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.schema import Table, Tensors
from ferryman_server.load import observed, pytorch_file
from ferryman_server.load.context import Context
from ferryman_server.load.mlmodel import Signature
from ferryman_server.load.pytorch_file import Archive
from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Format

# The names that `torch.export.save`, `torch.jit.save` and `torch.save` put into their archives.
EXPORTED = ("net/archive_format", "net/models/model.json", "net/data/weights/weight_0")
EXPORTED_BEFORE = ("version", "serialized_exported_program.json", "serialized_state_dict.pt")
SCRIPT = ("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl", "net/version")
SAVED = ("net/data.pkl", "net/data/0", "net/version")


def archive(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return path


def refused(root, **more) -> FatalError:
    with pytest.raises(FatalError) as error:
        plain.load(root, **more)
    return error.value


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (EXPORTED, Archive.EXPORTED),
        (EXPORTED_BEFORE, Archive.EXPORTED),
        (SCRIPT, Archive.SCRIPT),
        (SAVED, Archive.PICKLE),
        (("readme.txt",), None),
    ],
)
def test_an_archive_of_pytorch_is_told_by_the_names_in_it(tmp_path, names, what):
    assert pytorch_file.archive(archive(tmp_path / "net.pt", names)) is what


def test_half_an_archive_is_damaged(tmp_path):
    whole = archive(tmp_path / "net.pt", SCRIPT).read_bytes()
    (tmp_path / "net.pt").write_bytes(whole[: len(whole) // 2])

    error = refused(tmp_path)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert error.message == 'File "net.pt" of model "iris" is no archive of PyTorch, or damaged; upload it again.'


def test_weights_without_their_class_are_refused_with_what_would_do(tmp_path):
    archive(tmp_path / "net.pth", SAVED)

    error = refused(tmp_path)

    assert error.reason is Reason.LOAD_FAILED
    assert error.message.endswith("save it with torch.export.save() or torch.jit.save().")


@pytest.mark.parametrize(
    ("file", "names", "package", "build"),
    [
        ("net.pt2", EXPORTED, "torch", "PYTORCH"),
        ("net.pt", SCRIPT, "torch", "PYTORCH"),
        ("saved_model.pb", None, "tensorflow", "TENSORFLOW"),
    ],
)
def test_a_server_without_the_package_says_how_to_get_one_with_it(tmp_path, file, names, package, build):
    archive(tmp_path / file, names) if names else (tmp_path / file).write_bytes(b"")
    (tmp_path / "requirements.txt").write_text(f"{package}==1.2.3\n")

    error = refused(tmp_path)

    assert error.reason is Reason.LOAD_FAILED
    assert error.message == (
        f'Model "iris" needs the Python package "{package}" (it asks for {package}==1.2.3), which this server '
        f"does not have; build its image with --build-arg {build}=1, or save the model without it."
    )


@pytest.mark.parametrize(("file", "names"), [("net.pt2", EXPORTED), ("net.pt", SCRIPT), ("saved_model.pb", None)])
def test_they_are_code_and_need_trust(tmp_path, file, names):
    archive(tmp_path / file, names) if names else (tmp_path / file).write_bytes(b"")

    error = refused(tmp_path, allow_pickle=False)

    assert error.reason is Reason.UNTRUSTED_FORMAT
    assert "which can run code when it is opened" in error.message


def test_a_saved_model_is_its_directory_and_other_protobuf_files_are_none(tmp_path):
    (tmp_path / "fingerprint.pb").touch()

    assert refused(tmp_path).reason is Reason.UNKNOWN_FORMAT
    assert refused(tmp_path, model_format=Format.TENSORFLOW, allow_pickle=False).reason is Reason.UNTRUSTED_FORMAT


# --- a schema from what was seen ------------------------------------------------------------------


def seen(directory, *bodies, names=("x",)):
    (directory / "warmup.jsonl").write_text("".join(json.dumps(body) + "\n" for body in bodies))
    context = Context("iris", directory, Signature(), allow_pickle=True, threads=1)
    return observed.schema(names, Kind.FP32, context)


def test_recorded_rows_tell_the_width_of_a_matrix(tmp_path):
    found = seen(tmp_path, {"instances": [[1, 2.5, 3]]}, {"instances": [[4, 5, 6], [7, 8, 9]]})

    assert isinstance(found, Table)
    assert (found.width, found.packed, found.named) == (3, Kind.FP32, False)


def test_recorded_rows_of_several_tensors_tell_their_shapes_and_types(tmp_path):
    def body(words, image):
        return {
            "inputs": [
                {"name": "words", "datatype": "INT64", "shape": [1, words], "data": [1] * words},
                {"name": "image", "datatype": "FP32", "shape": [1, 2, 2], "data": image},
            ]
        }

    found = seen(tmp_path, body(3, [0.5] * 4), body(5, [1.5] * 4), names=("words", "image"))

    assert isinstance(found, Tensors)
    assert [(one.name, one.kind, one.shape) for one in found.tensors] == [
        ("words", Kind.INT64, (-1, -1)),
        ("image", Kind.FP32, (-1, 2, 2)),
    ]


@pytest.mark.parametrize(
    "bodies",
    [
        (),
        ({"instances": [["a", 1]]},),
        ({"instances": [[1, 2]]}, {"instances": [[[1, 2]]]}),
        ({"inputs": [{"name": name, "datatype": "FP32", "shape": [1, 1], "data": [1]} for name in ("x", "y")]},),
    ],
    ids=["nothing", "text", "several ranks", "another number of inputs"],
)
def test_rows_that_have_nothing_in_common_tell_nothing(tmp_path, bodies):
    assert seen(tmp_path, *bodies) is None


def test_the_example_of_a_model_tells_its_width(tmp_path):
    (tmp_path / "serving_input_example.json").write_text(json.dumps({"inputs": np.zeros((2, 4)).tolist()}))
    context = Context("iris", tmp_path, Signature(), allow_pickle=True, threads=1)

    found = observed.schema(("x",), Kind.FP16, context)

    assert isinstance(found, Table)
    assert (found.width, found.packed) == (4, Kind.FP16)
