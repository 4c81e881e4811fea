"""The benchmark asks every protocol rightly, and reads every answer."""

import json
import re

import pytest
from benchmarks.server import environments, peers, places, questions
from benchmarks.server.cases import FOREST_100, IRIS_1, PYFUNC_1, Protocol
from benchmarks.server.questions import Sheet

SHEET = Sheet(rows=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], answers=[0, 2, 1], columns=[])
TOWNS = Sheet(rows=[["Oslo", 3]], answers=[1.5], columns=["city", "rooms"])


@pytest.mark.parametrize(
    ("sheet", "case", "protocol", "body"),
    [
        (SHEET, IRIS_1, Protocol.V1, {"instances": [[3.0, 4.0]]}),
        (SHEET, IRIS_1, Protocol.OWN, {"instances": [[3.0, 4.0]]}),
        (SHEET, IRIS_1, Protocol.INVOCATIONS, {"inputs": [[3.0, 4.0]]}),
        (
            SHEET,
            IRIS_1,
            Protocol.V2,
            {"inputs": [{"name": "input-0", "datatype": "FP64", "shape": [1, 2], "data": [3.0, 4.0]}]},
        ),
    ],
)
def test_each_request_asks_about_other_rows(sheet, case, protocol, body):
    asked = sheet.questions(case, protocol)

    assert len(asked) == 3
    assert json.loads(asked[1].body) == body
    assert asked[1].answer == [2]


def test_columns_of_several_types_travel_with_their_names():
    (asked,) = TOWNS.questions(PYFUNC_1, Protocol.INVOCATIONS)

    assert json.loads(asked.body) == {"dataframe_split": {"columns": ["city", "rooms"], "data": [["Oslo", 3]]}}


def test_a_binary_request_is_what_the_protocols_own_library_understands():
    from kserve import InferRequest

    sheet = Sheet([[float(at), at / 2] for at in range(100)], list(range(100)), [])
    (asked,) = sheet.questions(FOREST_100, Protocol.V2_BINARY)

    request = InferRequest.from_bytes(asked.body, int(asked.headers[questions.BINARY_HEADER]), "model")
    assert request.inputs[0].as_numpy().tolist() == sheet.rows
    assert request.use_binary_outputs


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b'{"predictions": [0, 2]}'),
        ({}, b"[0, 2]"),
        ({}, b'{"outputs": [{"name": "predict", "datatype": "INT64", "shape": [2], "data": [0, 2]}]}'),
    ],
)
def test_answers_of_every_json_protocol_are_read(headers, body):
    assert questions.predictions(headers, body) == [0, 2]


def test_a_binary_answer_is_read():
    tensor = {"name": "p", "datatype": "INT64", "shape": [2], "parameters": {"binary_data_size": 16}}
    head = json.dumps({"outputs": [tensor]}).encode()
    body = head + (0).to_bytes(8, "little") + (2).to_bytes(8, "little")

    assert questions.predictions({questions.BINARY_HEADER: str(len(head))}, body) == [0, 2]


def test_an_answer_without_predictions_is_said_to_be_one():
    with pytest.raises(ValueError, match="no predictions"):
        questions.predictions({}, b'{"error": "no such model"}')


def test_a_wrong_class_or_a_missing_row_is_not_agreed_with():
    assert questions.agree([0, 2], [0, 2])
    assert questions.agree([1_000_000.0], [1_000_000.5])
    assert not questions.agree([0, 2], [0, 1])
    assert not questions.agree([0, 2], [0])


# --- peers ----------------------------------------------------------------------------------------


def test_every_peer_has_a_lock_in_which_every_package_has_a_hash():
    for peer in peers.PEERS:
        text = environments.lock_of(peer.environment).read_text()
        entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries), peer.name


def test_all_predict_with_the_same_scikit_learn():
    locks = [environments.lock_of(peer.environment) for peer in peers.PEERS if peer.environment != "ceiling"]

    assert len({environments.versions(lock.read_text(), "scikit-learn")["scikit-learn"] for lock in locks}) == 1


def test_versions_are_read_from_a_lock():
    lock = "numpy==2.4.6 \\\n    --hash=sha256:aa\nuvicorn[standard]==0.54.0 \\\n    --hash=sha256:bb\n"

    assert environments.versions(lock, "uvicorn", "numpy", "torch") == {"uvicorn": "0.54.0", "numpy": "2.4.6"}


def test_a_name_stands_for_all_settings_of_a_server():
    assert [peer.name for peer in peers.named("mlserver,echo")] == ["mlserver", "mlserver-batching", "echo"]


def test_an_unknown_server_is_named():
    with pytest.raises(SystemExit, match='No server here is called "triton"'):
        peers.named("kserve,triton")


def test_the_locks_are_all_used():
    assert {path.stem for path in places.LOCKS.glob("*.lock")} == {
        peer.environment for peer in peers.PEERS if peer.environment != "ferryman"
    }
