"""Two servers that are asked the same keep the same few requests; who reads them finds what to compare."""

import asyncio
import uuid

import httpx
import pytest
from server import iris, plain, process
from server.grpc import words
from server.load import guests
from server.sampling import reading

from ferryman_server import settings
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix
from ferryman_server.reason import FatalError
from ferryman_server.rest import app
from ferryman_server.sampling import choice, port, ring, sampler

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"
FLOWER = {"instances": iris.FLOWERS[:1]}


def id_of(number: int) -> str:
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)))


# --- which ---


def test_the_share_that_was_asked_for_is_chosen():
    ids = [id_of(number).encode() for number in range(20_000)]

    shares = [
        sum(int.from_bytes(choice.key(one), "big") < choice.below(percent) for one in ids)
        for percent in (0.5, 10, 100)
    ]

    assert 60 < shares[0] < 140
    assert 1850 < shares[1] < 2150
    assert shares[2] == 20_000


def test_what_envoy_notes_in_an_id_does_not_count():
    one = b"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
    traced = b"1b9d6bcd-bbfd-9b2d-9b5d-ab8dfbbd4bed"
    other = b"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bee"

    assert choice.key(one) == choice.key(traced)
    assert choice.key(one) != choice.key(other)
    assert choice.key(b"order-14-of-the-day") != choice.key(b"order-14-of-uhe-day")


@pytest.mark.parametrize("given", ["101", "-1", "1e1", "nan", "a tenth", "0.0000001"])
def test_a_share_that_cannot_be_meant_is_refused(given):
    with pytest.raises(FatalError, match=r"FERRYMAN_SAMPLE_PERCENT is .* it must be a percentage, 0 to 100"):
        settings.from_environment({"FERRYMAN_MODEL_NAME": "iris", "FERRYMAN_SAMPLE_PERCENT": given})


@pytest.mark.parametrize(("given", "percent"), [("", 0.0), ("0", 0.0), ("0.01", 0.01), ("100", 100.0)])
def test_a_share_may_be_a_small_one(given, percent):
    read = settings.from_environment({"FERRYMAN_MODEL_NAME": "iris", "FERRYMAN_SAMPLE_PERCENT": given})

    assert read.sample_percent == percent


async def test_two_servers_keep_the_same_requests_and_no_others(shelf, tmp_path):
    ports = [process.free_port() for _ in range(2)]
    homes = [tmp_path / name for name in ("stable", "shadow")]
    for home in homes:
        home.mkdir()
    ids = [id_of(number) for number in range(120)]

    async def ask(running: process.Running) -> None:
        async with httpx.AsyncClient(base_url=running.address) as http:
            for at, one in enumerate(ids):
                body = {"instances": [iris.FLOWERS[at % 3]]}
                assert (await http.post(V1, json=body, headers={"x-request-id": one})).status_code == 200
            await http.post(V1, json=FLOWER)  # nobody could find it again

    contract = [
        {"FERRYMAN_SAMPLE_PERCENT": "25", "FERRYMAN_SAMPLE_PORT": str(one), "FERRYMAN_REVISION": f"iris-{one}"}
        for one in ports
    ]
    with (
        process.server(shelf.onnx(), homes[0], **contract[0]) as stable,
        process.server(shelf.onnx(), homes[1], **contract[1]) as shadow,
    ):
        for running in (stable, shadow):
            running.until_ready()
            await ask(running)
        here, there = (reading.read(one) for one in ports)
        public = stable.get("/samples")

    kept, same = reading.by_key(here), reading.by_key(there)
    assert (here["revision"], here["percent"], here["kept"]) == (f"iris-{ports[0]}", 25.0, len(kept))
    assert 10 < len(kept) < 50
    assert [one["id"] for one in here["samples"]] == [one["id"] for one in there["samples"]]
    assert {one["id"] for one in here["samples"]} < set(ids)
    for key, one in kept.items():
        assert {**one, "time": 0} == {**same[key], "time": 0}
        [label] = [output for output in one["outputs"] if output["name"] == "label"]
        assert label == {"name": "label", "datatype": "INT64", "shape": [1], "data": [ids.index(one["id"]) % 3]}
        assert (one["protocol"], one["status"]) == ("v1", 200)
    assert len({one["input"] for one in kept.values()}) == 3
    assert public.status_code == 404


def test_a_server_that_was_not_asked_to_keeps_nothing_and_listens_nowhere(shelf, tmp_path):
    closed = process.free_port()
    with process.server(shelf.onnx(), tmp_path, FERRYMAN_SAMPLE_PORT=str(closed)) as running:
        running.until_ready()
        running.post(V1, FLOWER, **{"x-request-id": "a"})
        with pytest.raises(httpx.ConnectError):
            reading.read(closed)


def test_a_taken_port_is_said_at_once(shelf, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = str(taken.getsockname()[1])
        with process.server(
            shelf.onnx(), tmp_path, FERRYMAN_SAMPLE_PORT=used, FERRYMAN_SAMPLE_PERCENT="1"
        ) as running:
            code = running.exit_code()

    assert code == 1
    assert f"Port {used} cannot be listened on for samples" in running.termination_log.read_text()


# --- what, in every protocol ---


class Watched:
    """A server in this process that keeps everything."""

    def __init__(self, model: Model, percent: float = 100.0, most: int = 100, most_bytes: int = 1 << 20) -> None:
        self.ring = ring.Ring(most, most_bytes)
        self.serving, self.measures = plain.serve(model)
        self.serving.witnesses = sampler.Sampler(percent, self.ring, most_bytes)
        transport = httpx.ASGITransport(app.App(self.serving, self.measures), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://iris", headers={"x-request-id": "r"})

    def samples(self) -> list[dict]:
        import msgspec

        return [msgspec.json.decode(entry) for _, entry in self.ring.since(0)]


async def test_every_protocol_leaves_the_same_answer(shelf):
    watched = Watched(await asyncio.to_thread(plain.load, shelf.onnx()))
    tensor = {"name": "X", "datatype": "FP32", "shape": [1, 4]}
    async with watched.http as http:
        await http.post(V1, json=FLOWER)
        await http.post(V2, json={"inputs": [tensor | {"data": iris.FLOWERS[0]}]})
        await http.post("/invocations", json={"inputs": iris.FLOWERS[:1]})
    async with plain.calls(watched.serving, watched.measures) as address, words.client(address) as client:
        asked = words.request(tensor | {"contents": {"fp32_contents": iris.FLOWERS[0]}})
        await client.infer(asked, metadata=[("x-request-id", "r")])

    samples = watched.samples()
    assert [one["protocol"] for one in samples] == ["v1", "v2", "invocations", "grpc"]
    assert len({one["answer"] for one in samples}) == 1
    assert len({str(one["outputs"]) for one in samples}) == 1


async def test_what_was_refused_is_kept_with_its_status_and_no_answer(shelf):
    watched = Watched(await asyncio.to_thread(plain.load, shelf.onnx()))
    async with watched.http as http:
        await http.post(V1, json={"instances": [[1, 2, "three", 4]]})
        await http.post(V1, content=b"{")

    assert [(one["status"], sorted(one)) for one in watched.samples()] == [
        (400, ["id", "input", "key", "protocol", "status", "time"])
    ] * 2


async def test_a_kserve_model_leaves_its_body(tmp_path):
    (tmp_path / "model.py").write_text(guests.TEXT)
    watched = Watched(await asyncio.to_thread(plain.load, tmp_path))
    async with watched.http as http:
        await http.post(V1, json={"instances": ["ab"]})

    [one] = watched.samples()
    assert one["body"] == '{"predictions":[{"text":"ab","length":2}]}'


async def test_who_left_and_who_has_no_id_are_not_kept(shelf):
    watched = Watched(await asyncio.to_thread(plain.load, shelf.onnx()))
    witness = watched.serving.witnesses.of("v1", V1, {b"x-request-id": b"r"})
    witness.plane(watched.serving.plane, b"")
    witness.ended(499)
    async with watched.http as http:
        await http.post(V1, json=FLOWER, headers={"x-request-id": ""})
        await http.post(V1, json=FLOWER, headers={"x-request-id": "r" * 257})

    assert watched.samples() == []


async def test_a_large_answer_is_kept_as_its_digest(shelf):
    watched = Watched(Model("test", matrix(1), lambda rows: {"y": rows.arrays[0]}), most_bytes=16_000)
    async with watched.http as http:
        await http.post(V1, json={"instances": [[1]] * 125})
        await http.post(V1, json={"instances": [[1]] * 126})

    small, large = watched.samples()
    assert len(small["outputs"][0]["data"]) == 125
    assert "outputs" not in large
    assert len(large["answer"]) == len(small["answer"])


async def test_answers_that_differ_have_other_digests(shelf):
    watched = Watched(Model("test", matrix(1), lambda rows: {"y": rows.arrays[0] * 2}))
    async with watched.http as http:
        for value in (1, 2, 1):
            await http.post(V1, json={"instances": [[value]]})

    first, second, third = watched.samples()
    assert first["input"] == third["input"] != second["input"]
    assert first["answer"] == third["answer"] != second["answer"]


# --- how much ---


def test_the_oldest_make_room():
    kept = ring.Ring(3, 100)
    for at in range(5):
        kept.put(at, b"%d" % at)
    assert [entry for _, entry in kept.since(0)] == [b"2", b"3", b"4"]

    kept.put(5, b"x" * 99)
    assert [len(entry) for _, entry in kept.since(0)] == [1, 99]
    kept.put(6, b"x" * 101)

    assert (len(kept), kept.bytes, kept.kept) == (2, 100, 6)
    assert kept.since(4) == [(5, b"x" * 99)]


# --- several processes of one pod ---


async def test_a_pod_of_several_workers_tells_of_all_requests(shelf, tmp_path):
    samples = process.free_port()
    contract = {"FERRYMAN_SAMPLE_PERCENT": "100", "FERRYMAN_SAMPLE_PORT": str(samples), "FERRYMAN_WORKERS": "2"}
    ids = [id_of(number) for number in range(40)]

    def all_serve() -> bool:
        lines = running.get("/metrics").text.splitlines()
        return any(one.startswith("ferryman_workers{") and one.endswith(" 2.0") for one in lines)

    async def ask(mine: list[str]) -> list[int]:
        async with httpx.AsyncClient(base_url=running.address) as http:  # a connection, which is one worker's
            return [(await http.post(V1, json=FLOWER, headers={"x-request-id": one})).status_code for one in mine]

    with process.server(shelf.onnx(), tmp_path, **contract) as running:
        running.until_ready()
        process.until(all_serve, "both workers answer")
        codes = await asyncio.gather(*(ask(ids[at::4]) for at in range(4)))
        told = reading.read(samples)

    assert codes == [[200] * 10] * 4
    assert sorted(one["id"] for one in told["samples"]) == sorted(ids)
    assert told["kept"] == 40


def test_whoever_is_asked_tells_what_all_processes_of_the_pod_have(tmp_path):
    script = tmp_path / "one.py"
    script.write_text(
        "import asyncio, sys\n"
        "from ferryman_server import settings\n"
        "from ferryman_server.sampling import port, ring\n"
        "async def main():\n"
        "    kept = ring.Ring(9, 999)\n"
        "    kept.put(float(sys.argv[2]), b'{\"from\": %d}' % int(sys.argv[2]))\n"
        "    told = settings.Settings('iris', host='127.0.0.1', sample_port=int(sys.argv[1]))\n"
        "    await port.Port(told, kept, 'family').open()\n"
        "    print('open', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    import subprocess
    import sys

    number = str(process.free_port())
    env = {"PYTHONPATH": str(process._ROOT / "runtime-image")}
    several = [
        subprocess.Popen([sys.executable, str(script), number, str(at)], env=env, stdout=subprocess.PIPE)
        for at in (3, 1, 2)
    ]
    try:
        for one in several:
            assert one.stdout.readline() == b"open\n"
        whole = [reading.read(number) for _ in range(6)]
        late = reading.read(number, since=1.5)
        several[0].kill()
        several[0].wait()
        fewer = reading.read(number)
    finally:
        for one in several:
            one.kill()
            one.wait()
            one.stdout.close()

    assert [[one["from"] for one in told["samples"]] for told in whole] == [[1, 2, 3]] * 6
    assert whole[0]["kept"] == 3
    assert [one["from"] for one in late["samples"]] == [2, 3]
    assert [one["from"] for one in fewer["samples"]] == [1, 2]


async def test_what_is_asked_wrongly_is_told_so(shelf):
    from dataclasses import replace

    told = replace(plain.SETTINGS, host="127.0.0.1", sample_port=process.free_port())
    listening = port.Port(told, ring.Ring(1, 1), "")
    await listening.open()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told.sample_port}") as http:
        answers = [await http.get("/"), await http.post("/samples"), await http.get("/samples?since=noon")]
    await listening.close()

    assert [one.status_code for one in answers] == [404, 405, 400]
