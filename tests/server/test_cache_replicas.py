"""Servers that remember, as processes beside a real Redis: what one was asked, none is asked again."""

import contextlib
import subprocess
import sys

import pytest
from server import process, real_redis

V1, V2, MLFLOW = "/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"
PATIENCE = 30.0

_WITNESS = """
import os, time
import mlflow
import pandas as pd

class Witness(mlflow.pyfunc.PythonModel):
    '''Answers who was asked, and when: never the same twice.'''
    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"who": [os.getpid()] * len(model_input), "when": [time.time_ns()] * len(model_input)})

mlflow.models.set_model(Witness())
"""


@pytest.fixture(scope="module")
def witness(tmp_path_factory):
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    root = tmp_path_factory.mktemp("witness")
    (root / "witness.py").write_text(_WITNESS)
    signature = ModelSignature(Schema([ColSpec("double", "size"), ColSpec("string", "name")]))
    mlflow.pyfunc.save_model(
        root / "model", python_model=str(root / "witness.py"), signature=signature, pip_requirements=["mlflow"]
    )
    return root / "model"


@contextlib.contextmanager
def server(model, scratch, **contract):
    scratch.mkdir()
    contract = {"FERRYMAN_ALLOW_PICKLE": "true", "FERRYMAN_CACHE_BYTES": "1000000", **contract}
    with process.server(model, scratch, **contract) as running:
        running.until_ready()
        yield running


def v1(running, size, name="Ann"):
    reply = running.post(V1, {"instances": [{"size": size, "name": name}]})
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"][0]


def v2(running, size, name="Ann"):
    inputs = [
        {"name": "name", "datatype": "BYTES", "shape": [1], "data": [name]},
        {"name": "size", "datatype": "FP64", "shape": [1], "data": [size]},
    ]
    reply = running.post(V2, {"id": f"another each time {size}", "inputs": inputs})
    assert reply.status_code == 200, reply.text
    return {one["name"]: one["data"][0] for one in reply.json()["outputs"]}


def mlflow(running, size, name="Ann"):
    reply = running.post(MLFLOW, {"dataframe_split": {"columns": ["name", "size"], "data": [[name, size]]}})
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"][0]


def number(running, metric):
    """The value of a metric; None where there is none."""
    lines = [one for one in running.get("/metrics").text.splitlines() if one.startswith(metric)]
    return float(lines[0].rpartition(" ")[2]) if lines else None


def test_the_same_rows_are_one_question_in_every_protocol(witness, tmp_path):
    with server(witness, tmp_path / "one") as one:
        first = v1(one, 1.5)

        assert [v2(one, 1.5), mlflow(one, 1.5), v1(one, 1.5)] == [first] * 3
        assert v1(one, 2.5) != first
        assert v1(one, 1.5, "Bob") != first
        assert (
            number(one, 'ferryman_cache_hits_total{model="iris",revision="iris-0a1b2c3d",version="7",where="mem') == 3
        )
        assert number(one, "ferryman_cache_misses_total") == 3
        assert number(one, "ferryman_cache_entries") == 3
        assert 3 * 500 < number(one, "ferryman_cache_bytes") < 3 * 2000
        assert number(one, "ferryman_cache_redis_up") is None


def test_a_server_that_is_not_told_to_remembers_nothing(witness, tmp_path):
    with server(witness, tmp_path / "one", FERRYMAN_CACHE_BYTES="") as one:
        assert v1(one, 1.5) != v1(one, 1.5)
        assert "ferryman_cache" not in one.get("/metrics").text


def test_replicas_share_what_they_were_asked_and_go_on_without_redis(witness, tmp_path):
    with (
        real_redis.running(tmp_path, "--requirepass", "s3cr3t-pass") as redis,
        contextlib.ExitStack() as servers,
    ):
        shared = {"FERRYMAN_CACHE_REDIS": redis.url.replace("//", "//:s3cr3t-pass@")}
        one, other, stranger = (
            servers.enter_context(server(witness, tmp_path / name, **shared, **more))
            for name, more in (("one", {}), ("other", {}), ("stranger", {"FERRYMAN_MODEL_VERSION": "8"}))
        )

        def all_up():
            return all(number(it, "ferryman_cache_redis_up") == 1 for it in (one, other, stranger))

        def nobody_asks():
            """Two questions later."""
            assert v1(one, next(sizes))["who"] == one.popen.pid
            assert v1(other, next(sizes))["who"] == other.popen.pid
            return all(number(it, "ferryman_cache_redis_up") == 0 for it in (one, other))

        def share():
            """A question is answered by the other from what the first was asked; some time, on a busy machine."""
            size = next(sizes)
            first = v1(one, size)
            return v2(other, size) == first

        sizes = iter(range(100_000))
        process.until(all_up, "Redis is asked")
        process.until(share, "answers are shared", PATIENCE)
        assert number(other, "ferryman_cache_redis_read_seconds_count") > 0
        for size in (next(sizes) for _ in range(20)):
            assert v1(one, size) != v1(stranger, size), "another version of the model answered"

        redis.freeze()
        process.until(nobody_asks, "Redis is not asked", PATIENCE)
        redis.thaw()
        process.until(share, "answers are shared again", PATIENCE)

        redis.kill()
        process.until(nobody_asks, "Redis is not asked", PATIENCE)
        redis.start()
        process.until(share, "answers are shared once more", PATIENCE)
        logs = [it.log.read_text() for it in (one, other, stranger)]

    assert all(f"Redis at 127.0.0.1:{redis.port} shares answers" in log for log in logs)
    assert not any("s3cr3t-pass" in log for log in logs)


def test_who_wants_no_redis_does_not_pay_for_its_client():
    said = "import sys, ferryman_server.life, ferryman_server.caching; print('redis' in sys.modules)"
    path = ":".join(one for one in sys.path if one.endswith("runtime-image"))
    done = subprocess.run([sys.executable, "-c", said], env={"PYTHONPATH": path}, capture_output=True, check=True)

    assert done.stdout == b"False\n"
