"""A request leaves a span, with its wait and the model's run in it, where a collector is named; nothing elsewhere."""

import asyncio
import threading

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from server import iris, plain, process
from server.grpc import words
from server.tracing import receiver

from ferryman_server import settings
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import matrix
from ferryman_server.rest import app
from ferryman_server.tracing import spans

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"
FLOWER = {"instances": iris.FLOWERS[:1]}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"
UNWANTED = f"00-{TRACE}-{CALLER}-00"


async def test_a_collector_gets_the_spans_of_every_protocol(shelf, tmp_path):
    port = str(process.free_port())
    tensor = {"name": "X", "datatype": "FP32", "shape": [1, 4]}
    with (
        receiver.collector() as received,
        process.server(
            shelf.onnx(),
            tmp_path,
            FERRYMAN_GRPC_PORT=port,
            OTEL_EXPORTER_OTLP_ENDPOINT=received.address,
            OTEL_RESOURCE_ATTRIBUTES="team=harbour",
            OTEL_BSP_SCHEDULE_DELAY="50",
        ) as running,
    ):
        running.until_ready()
        async with httpx.AsyncClient(base_url=running.address) as http:
            await http.post(V1, json=FLOWER, headers={"traceparent": PARENT, "x-request-id": "r-1"})
            await http.post(V1, json=FLOWER, headers={"traceparent": UNWANTED})
            await http.post(V2, json={"inputs": [tensor | {"data": [1]}]})
        async with words.client(f"127.0.0.1:{port}") as client:
            asked = words.request(tensor | {"contents": {"fp32_contents": iris.FLOWERS[0]}})
            await client.infer(asked, metadata=[("traceparent", PARENT)])
        running.tell_to_stop()
        code = running.exit_code()
        found = received.until(7)

    by_name = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    [v1], [v2], [call] = (
        by_name[f"POST {V1}"],
        by_name[f"POST {V2}"],
        by_name["inference.GRPCInferenceService/ModelInfer"],
    )
    said = receiver.attributes(v1)
    assert code == 0
    assert len(found) == 7  # three requests, and twice what the model did
    assert received.resource["service.name"] == "iris"
    assert received.resource["service.version"] == "7"
    assert received.resource["ferryman.revision"] == "iris-0a1b2c3d"
    assert received.resource["team"] == "harbour"
    assert (v1.trace_id.hex(), v1.parent_span_id.hex()) == (TRACE, CALLER)
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, CALLER)
    assert v2.parent_span_id == b""
    assert (said["ferryman.request_id"], said["http.response.status_code"], said["http.route"]) == ("r-1", 200, V1)
    assert receiver.attributes(v2)["http.response.status_code"] == 400
    assert receiver.attributes(call)["rpc.method"] == "ModelInfer"
    parents = {one.span_id for one in (v1, call)}
    for name in ("queue", "compute"):
        assert {one.parent_span_id for one in by_name[name]} == parents
    [compute] = [one for one in by_name["compute"] if one.parent_span_id == v1.span_id]
    assert (
        v1.start_time_unix_nano <= compute.start_time_unix_nano < compute.end_time_unix_nano <= v1.end_time_unix_nano
    )


def test_nothing_of_it_is_imported_unless_it_is_asked_for(shelf, tmp_path):
    trap = tmp_path / "trap"
    (trap / "opentelemetry").mkdir(parents=True)
    (trap / "opentelemetry" / "__init__.py").write_text("raise RuntimeError('imported')")
    path = f"{trap}:{process._ROOT / 'runtime-image'}"
    with process.server(
        shelf.onnx(), tmp_path, PYTHONPATH=path, FERRYMAN_GRPC_PORT=str(process.free_port())
    ) as running:
        running.until_ready()
        answer = running.post(V1, FLOWER, traceparent=PARENT)
        running.tell_to_stop()
        code = running.exit_code()

    assert (answer.status_code, code) == (200, 0)
    assert "imported" not in running.log.read_text()


def test_a_collector_that_is_gone_costs_no_answer_and_no_end(shelf, tmp_path):
    nobody = f"http://127.0.0.1:{process.free_port()}"
    with process.server(
        shelf.onnx(), tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=nobody, OTEL_BSP_SCHEDULE_DELAY="10"
    ) as running:
        running.until_ready()
        answers = [running.post(V1, FLOWER).status_code for _ in range(5)]
        running.tell_to_stop()
        code = running.exit_code()

    assert (answers, code) == ([200] * 5, 0)


# --- in this process ---


class Traced:
    def __init__(self, model: Model) -> None:
        self.kept = InMemorySpanExporter()
        self.serving, self.measures = plain.serve(model)
        self.tracing = spans.Tracing(self.serving.settings, self.kept)
        self.serving.witnesses = self.tracing
        transport = httpx.ASGITransport(app.App(self.serving, self.measures), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://iris")

    def in_flight(self) -> float:
        lines = self.measures.page().decode().splitlines()
        [line] = [one for one in lines if one.startswith("ferryman_requests_in_flight{") and '"v1"' in one]
        return float(line.rpartition(" ")[2])

    async def spans(self):
        await self.tracing.close()
        return self.kept.get_finished_spans()


def seconds(span) -> float:
    return (span.end_time - span.start_time) / 1e9


async def test_the_wait_and_the_run_are_told_apart():
    entered, gate = threading.Event(), threading.Event()

    def predict(rows):
        if rows.arrays[0][0] == 1:
            entered.set()
            gate.wait(30)
        return {"y": rows.arrays[0]}

    traced = Traced(Model("test", matrix(1), predict))
    async with traced.http as http:
        first = asyncio.create_task(http.post(V1, json={"instances": [[1]]}))
        await asyncio.to_thread(entered.wait, 30)
        second = asyncio.create_task(http.post(V1, json={"instances": [[2]]}))
        while traced.in_flight() < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)  # for so long at least the second waits and the first computes
        gate.set()
        await asyncio.gather(first, second)

    found = await traced.spans()
    whole = [one for one in found if one.name.startswith("POST")]
    parts = [
        {one.name: seconds(one) for one in found if one.parent and one.parent.span_id == span.context.span_id}
        for span in sorted(whole, key=lambda one: one.start_time)
    ]
    assert [sorted(one) for one in parts] == [["compute", "queue"]] * 2
    assert parts[0]["compute"] > 0.1 > parts[0]["queue"]
    assert parts[1]["queue"] > 0.1 > parts[1]["compute"]


async def test_a_failure_of_the_model_is_an_error_and_a_clients_mistake_is_none():
    def predict(rows):
        raise LookupError("its own fault")

    traced = Traced(Model("test", matrix(1), predict))
    async with traced.http as http:
        await http.post(V1, json={"instances": [[1]]})
        await http.post(V1, json={"instances": [["one"]]})

    [failed, mistaken] = [one for one in await traced.spans() if one.name.startswith("POST")]
    assert (failed.attributes["http.response.status_code"], failed.status.is_ok) == (500, False)
    assert (mistaken.attributes["http.response.status_code"], mistaken.status.is_ok) == (400, True)


# --- when ---


@pytest.mark.parametrize(
    ("said", "traces"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, False),
    ],
)
def test_the_standard_variables_say_whether_there_are_traces(said, traces):
    assert settings.from_environment({"FERRYMAN_MODEL_NAME": "iris", **said}).traces is traces
