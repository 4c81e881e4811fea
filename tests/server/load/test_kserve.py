"""KServe's own kind of model, unchanged: told by its text, opened only when trusted, asked in its own words."""

import asyncio
import base64
import json
import shutil
import sys
import threading
import time

import httpx
import numpy as np
import pytest
from server import commanding, iris, plain, process
from server.load import guests

from ferryman_server import warmup
from ferryman_server.dataplane.rows import Rows
from ferryman_server.load import detect, kserve_source
from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Format


@pytest.fixture(autouse=True)
def own_modules(monkeypatch):
    """Each test's files are its own: what was imported for another is forgotten."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        if name in {"model", "fraud"} or name.startswith("fraud."):
            del sys.modules[name]


def _written(root, text, name="model.py"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root


def _refused(root, **more) -> FatalError:
    with pytest.raises(FatalError) as refused:
        plain.load(root, **more)
    return refused.value


# --- a real server, real clients ---


@pytest.fixture(scope="module")
def flowers(shelf, tmp_path_factory):
    """The documentation's class, with the file that it opens beside it."""
    root = _written(tmp_path_factory.mktemp("iris"), guests.IRIS)
    shutil.copy(shelf.joblib() / "model.joblib", root)
    grpc = str(process.free_port())
    with process.server(
        root, tmp_path_factory.mktemp("scratch"), FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_GRPC_PORT=grpc
    ) as running:
        running.until_ready()
        yield running, f"127.0.0.1:{grpc}"


async def test_kserves_clients_ask_a_class_of_the_documentation(flowers):
    from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

    running, grpc = flowers
    tensor = InferInput("input-0", [3, 4], "FP32")
    tensor.set_data_from_numpy(np.array(iris.FLOWERS, dtype=np.float32), binary_data=False)
    asked = InferRequest("iris", [tensor])

    v1 = await InferenceRESTClient(RESTConfig(protocol="v1")).infer(
        running.address, {"instances": iris.FLOWERS}, model_name="iris"
    )
    v2 = await InferenceRESTClient(RESTConfig(protocol="v2")).infer(running.address, asked, model_name="iris")
    async with InferenceGRPCClient(grpc) as client:
        call = await client.infer(asked)

    assert v1 == {"predictions": iris.KINDS}
    assert v2.outputs[0].as_numpy().tolist() == iris.KINDS
    assert call.outputs[0].as_numpy().tolist() == iris.KINDS


def test_mlflows_path_asks_it_too(flowers):
    running, _ = flowers

    assert running.post("/invocations", {"inputs": iris.FLOWERS}).json() == {"predictions": iris.KINDS}
    assert running.get("/v2/models/iris").json()["platform"] == "kserve"


async def test_a_class_that_says_what_it_takes_is_asked_by_v2s_client(tmp_path):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    numbers, word = InferInput("numbers", [2, 2], "FP32"), InferInput("word", [2], "BYTES")
    numbers.set_data_from_numpy(np.array([[1, 2], [3, 4]], dtype=np.float32), binary_data=True)
    word.set_data_from_numpy(np.array(["a", "b"], dtype=object), binary_data=True)
    root = _written(tmp_path / "m", guests.DOUBLING)
    with process.server(root, tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        running.until_ready()
        v2 = await InferenceRESTClient(RESTConfig(protocol="v2")).infer(
            running.address, InferRequest("iris", [numbers, word]), model_name="iris"
        )
        v1 = running.post("/v1/models/iris:predict", {"instances": [{"numbers": [1, 2], "word": "a"}]})
        bad = running.post("/v1/models/iris:predict", {"instances": [{"numbers": [1, -2], "word": "a"}]})
        metadata = running.get("/v2/models/iris").json()

    assert v2.get_output_by_name("doubled").as_numpy().tolist() == [[2, 4], [6, 8]]
    assert v2.get_output_by_name("shouted").data == ["A", "B"]
    assert v1.json() == {"predictions": [{"doubled": [2, 4], "shouted": "A"}]}
    assert (bad.status_code, bad.json()["error"]) == (
        400,
        "The model does not take these values: no number may be negative",
    )
    assert metadata["inputs"][0] == {"name": "numbers", "datatype": "FP32", "shape": [-1, 2]}
    assert metadata["outputs"] == [{"name": "doubled", "datatype": "FP32", "shape": [-1, 2]}]


def test_an_asynchronous_class_takes_pictures_and_answers_objects(tmp_path):
    picture = {"image": {"b64": base64.b64encode(b"xyz").decode()}}
    with process.server(_written(tmp_path / "m", guests.PICTURES), tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        running.until_ready()
        answers = [running.post("/v1/models/iris:predict", {"instances": [picture]}) for _ in range(3)]
        broken = running.post("/v1/models/iris:predict", {"instances": [{"image": {"jpeg": ""}}]})

    assert [one.json() for one in answers] == [{"predictions": [{"bytes": 3, "tags": ["a", "a", "a"]}]}] * 3
    assert broken.status_code == 500
    assert "KeyError" not in broken.text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_kserves_dashboards_find_how_long_a_classs_own_steps_took(tmp_path, workers):
    scratch = _written(tmp_path / "m", guests.SLOW)
    with process.server(scratch, tmp_path, FERRYMAN_ALLOW_PICKLE="true", FERRYMAN_WORKERS=workers) as running:
        running.until_ready()
        for _ in range(3):
            running.post("/v1/models/iris:predict", {"instances": [[0.0]]})
        process.until(lambda: _told(running, "request_preprocess_seconds_count") == 3, "all three are told")
        before, after = (_told(running, f"request_{step}process_seconds_sum") for step in ("pre", "post"))
        counts = {_told(running, f"request_{step}_seconds_count") for step in ("predict", "postprocess")}

    assert before >= 0.06
    assert 0 < after < before
    assert counts == {3}


def test_a_model_without_such_steps_tells_that_they_took_no_time(shelf, tmp_path):
    with process.server(shelf.onnx(), tmp_path) as running:
        running.until_ready()
        for _ in range(3):
            running.post("/v1/models/iris:predict", {"instances": iris.FLOWERS})
        found = {
            name: _told(running, f"request_{name}")
            for step in ("preprocess", "postprocess")
            for name in (f"{step}_seconds_count", f"{step}_seconds_sum")
        }

    assert found == {
        "preprocess_seconds_count": 3,
        "preprocess_seconds_sum": 0,
        "postprocess_seconds_count": 3,
        "postprocess_seconds_sum": 0,
    }


def _told(running: process.Running, name: str) -> float:
    """A metric by its whole name, with the label that KServe gives it."""
    [line] = [
        one for one in running.get("/metrics").text.splitlines() if one.startswith(f'{name}{{model_name="iris"}}')
    ]
    return float(line.rpartition(" ")[2])


def test_a_slow_class_does_not_keep_the_probes_waiting(tmp_path):
    with process.server(_written(tmp_path / "m", guests.SLOW), tmp_path, FERRYMAN_ALLOW_PICKLE="true") as running:
        running.until_ready()
        slow = threading.Thread(target=running.post, args=("/v1/models/iris:predict", {"instances": [[2.0]]}))
        slow.start()
        process.until(lambda: running.in_flight() == 1, "the prediction is on its way")
        waits = []
        with httpx.Client(base_url=running.address) as probe:
            for _ in range(20):
                began = time.perf_counter()
                assert probe.get("/healthz").status_code == 200
                waits.append(time.perf_counter() - began)
        still_slow = slow.is_alive()
        slow.join()

    assert still_slow
    assert sorted(waits)[len(waits) // 2] < 0.05


def test_a_person_serves_a_class_by_its_file(tmp_path):
    root = _written(tmp_path, guests.DOUBLING, "doubling.py")

    with commanding.served(tmp_path, "--model", root / "doubling.py", "--allow-pickle") as server:
        status, answer = server.ask()

    assert (status, answer) == (200, '{"predictions":[{"doubled":[0.0,0.0],"shouted":""}]}')


# --- what is a model ---


@pytest.mark.parametrize(
    "text",
    [
        "import kserve\nclass A(kserve.Model): ...",
        "import kserve as ks\nclass A(object, ks.Model): ...",
        "from kserve import Model as M\nclass A(M): ...",
        "from kserve.model import Model\nclass A(Model): ...",
        "import kserve.model\nclass A(kserve.model.Model): ...",
    ],
)
def test_a_class_is_told_by_its_text(tmp_path, text):
    assert kserve_source.defines_model(_written(tmp_path, text) / "model.py")


@pytest.mark.parametrize(
    "text",
    [
        "class Model: ...\nclass A(Model): ...",
        "import kserve\nclass A(kserve.ModelServer): ...",
        "from keras import Model\nclass A(Model): ...",
        "from .kserve import Model\nclass A(Model): ...",
        "class A(",
        "\0",
    ],
)
def test_other_python_is_not(tmp_path, text):
    assert not kserve_source.defines_model(_written(tmp_path, text) / "model.py")


def test_a_class_is_served_rather_than_the_files_that_it_opens(tmp_path):
    _written(tmp_path, guests.IRIS)
    (tmp_path / "model.joblib").write_text("")

    assert detect.detect(tmp_path, Format.AUTO, "iris") == detect.Found(Format.KSERVE, tmp_path / "model.py")
    assert detect.detect(tmp_path, Format.SKLEARN, "iris").path == tmp_path / "model.joblib"


# --- how it is made ---


def test_a_package_finds_its_own_modules_and_is_told_where_it_lies(tmp_path):
    _written(tmp_path, "FACTOR = 3", "fraud/numbers.py")
    _written(tmp_path, "", "fraud/__init__.py")
    _written(
        tmp_path,
        "from kserve import Model\n"
        "from .numbers import FACTOR\n"
        "class Fraud(Model):\n"
        "    def __init__(self, name, model_dir):\n"
        "        super().__init__(name)\n"
        "        self.where = model_dir\n"
        "    def predict(self, payload, headers=None):\n"
        "        return {'predictions': [[self.name, self.where, FACTOR * one] for one in payload['instances']]}\n",
        "fraud/served.py",
    )

    model = plain.load(tmp_path)

    assert model.predict(Rows((np.array([1, 2]),), 2))["predictions"].tolist() == [
        ["iris", str(tmp_path / "fraud"), 3],
        ["iris", str(tmp_path / "fraud"), 6],
    ]


def test_columns_come_as_objects_and_lists_leave_as_outputs(tmp_path):
    _written(
        tmp_path,
        "import kserve\n"
        "class Any(kserve.Model):\n"
        "    def predict(self, payload, headers=None):\n"
        "        seen = payload['instances']\n"
        "        return {'seen': seen, 'ages': [one['age'] + 1 for one in seen], 'ragged': [[1], [1, 2]]}\n",
    )
    people = Rows((np.array(["ada", "bob"], dtype=object), np.array([36, 7])), 2, ("name", "age"))

    answer = plain.load(tmp_path).predict(people)

    assert answer["seen"].tolist() == [{"name": "ada", "age": 36}, {"name": "bob", "age": 7}]
    assert (answer["ages"].tolist(), answer["ages"].dtype.kind) == ([37, 8], "i")
    assert answer["ragged"].tolist() == [[1], [1, 2]]


async def test_texts_come_as_texts_whoever_sends_them(tmp_path):
    model = await asyncio.to_thread(plain.load, _written(tmp_path, guests.TEXT))
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["ab", "c"]}

    async with plain.client(model) as http:
        v1 = await http.post("/v1/models/iris:predict", json={"instances": ["ab", "c"]})
        v2 = await http.post("/v2/models/iris/infer", json={"inputs": [tensor]})

    lengths = [{"text": "ab", "length": 2}, {"text": "c", "length": 1}]
    assert v1.json() == {"predictions": lengths}
    assert [json.loads(one) for one in v2.json()["outputs"][0]["data"]] == lengths


def test_a_class_that_leaves_in_the_middle_of_a_question_is_asked_again(tmp_path):
    _written(
        tmp_path,
        "import sys\nimport kserve\n"
        "class Leaving(kserve.Model):\n"
        "    def predict(self, payload, headers=None):\n"
        "        return sys.exit(3) if payload['instances'] == [0] else {'predictions': payload['instances']}\n",
    )
    model = plain.load(tmp_path)

    with pytest.raises(SystemExit):
        model.predict(Rows((np.array([0]),), 1))
    assert model.predict(Rows((np.array([1]),), 1))["predictions"].tolist() == [1]


# --- what is refused ---


def test_nothing_of_it_runs_before_it_is_trusted(tmp_path):
    marker = tmp_path / "ran"
    root = _written(tmp_path / "m", f"open({str(marker)!r}, 'w')\n{guests.SLOW}")

    error = _refused(root, allow_pickle=False)

    assert error.reason is Reason.UNTRUSTED_FORMAT
    assert error.message.startswith(
        'Model "iris" is a kserve.Model ("model.py"), which can run code when it is opened'
    )
    assert not marker.exists()


def test_a_server_without_kserve_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kserve", None)
    _written(tmp_path, guests.SLOW)
    _written(tmp_path, "kserve==0.21.0\n", "requirements.txt")

    assert _refused(tmp_path).message == (
        'Model "iris" needs the Python package "kserve" (it asks for kserve==0.21.0), which this server does not '
        "have; build a server image with it, or save the model without it."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "class A(kserve.Model): ...\nclass B(kserve.Model): ...",
            '"model.py" of model "iris": has 2 classes made from kserve.Model (A, B); leave one.',
        ),
        (
            "class A(kserve.Model):\n    def load(self): pass",
            '"model.py" of model "iris": load() of A leaves it unready; set self.ready to True.',
        ),
        (
            "class A(kserve.Model):\n    def __init__(self, name, host): pass",
            '"model.py" of model "iris": A asks for host; give it defaults.',
        ),
        (
            "class A(kserve.Model): ...\nimport sys; sys.exit(2)",
            'Model "iris" does not load: RuntimeError: "model.py" ended with sys.exit(2); see the server\'s log, and '
            "try the artefact where it was made.",
        ),
        (
            "class A(kserve.Model):\n    def get_input_types(self): return [{'name': 'x'}]",
            'The input or output types of model "iris" are not understood; each is a dict with name, datatype (BOOL, '
            "INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FP16, FP32, FP64, BYTES) and shape.",
        ),
    ],
)
def test_a_class_that_cannot_be_served_says_what_is_wrong(tmp_path, text, told):
    assert _refused(_written(tmp_path, f"import kserve\n{text}\n")).message == told


def test_the_servers_own_arguments_are_hidden_from_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ferryman", "--model_name", "ours", "--unknown"])
    text = guests.SLOW + "\nimport sys\nassert sys.argv == [__file__]\n"

    assert plain.load(_written(tmp_path, text)).platform == "kserve"
    assert sys.argv[0] == "ferryman"


def _recorded(root, *bodies):
    (root / "warmup.jsonl").write_text("".join(f"{json.dumps(body)}\n" for body in bodies))


def test_a_class_that_reads_requests_for_itself_could_not_be_warmed_up(tmp_path):
    _recorded(tmp_path, {"question": {"words": ["why"]}}, {"question": {"words": []}})

    warm = warmup.run(plain.load(_written(tmp_path, guests.QUESTIONS)), tmp_path, 3, "iris")

    assert (warm.predictions, warm.refused, len(warm.seconds)) == (3, 0, 3)


def test_recorded_requests_go_the_way_that_their_protocol_goes_with_a_class(tmp_path, capfd):
    numbers = {"name": "numbers", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
    words = {"name": "word", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    negative = {"instances": [{"numbers": [-1, 2], "word": "a"}]}
    _recorded(tmp_path, {"instances": [{"numbers": [1, 2], "word": "a"}]}, {"inputs": [numbers, words]}, negative)

    warm = warmup.run(plain.load(_written(tmp_path, guests.DOUBLING)), tmp_path, 1, "iris")

    assert (warm.predictions, warm.refused) == (2, 1)
    assert "line 3 of warmup.jsonl is not asked: no number may be negative" in capfd.readouterr().err


def test_a_class_that_fails_on_a_recorded_request_is_not_served(tmp_path):
    _recorded(tmp_path, {"instances": [{"image": {}}]})

    with pytest.raises(FatalError) as failed:
        warmup.run(plain.load(_written(tmp_path, guests.PICTURES)), tmp_path, 1, "iris")

    assert failed.value.reason is Reason.WARMUP_FAILED
    assert "Line 1 of warmup.jsonl fails: KeyError: 'b64'" in failed.value.message
