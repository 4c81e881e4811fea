"""MLflow's own scoring client against a real process, and what its dialect of JSON has that JSON has not."""

import math

import httpx
import numpy as np
import pandas as pd
import pytest
from server import iris, plain, process


@pytest.fixture(scope="module")
def running(shelf, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("mlflow-client")
    with process.server(shelf.mlflow_pyfunc(), scratch, FERRYMAN_ALLOW_PICKLE="true") as server:
        server.until_ready()
        yield server


@pytest.fixture(scope="module")
def client(running):
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    host, _, port = running.address.removeprefix("http://").partition(":")
    return ScoringServerClient(host, port)


def test_the_scoring_client_finds_the_server_and_sends_tables(client):
    homes = pd.DataFrame({"city": ["ulm", "köln"], "rooms": [1, 2], "area": [20.5, np.nan]})
    client.wait_server_ready(timeout=10)

    table = client.invoke(homes).get_predictions()
    objects = client.invoke('{"dataframe_records": [{"city": "ulm", "rooms": 3}]}').get_predictions()

    assert table.to_dict("list") == {"city": ["ULM", "KÖLN"], "rooms": [2, 4]}
    assert objects.to_dict("list") == {"city": ["ULM"], "rooms": [6]}
    assert "0.1.0" in client.get_version()


def test_the_scoring_client_is_told_what_is_wrong(client):
    with pytest.raises(Exception, match=r'error code 400.*misses \\"city\\"'):
        client.invoke(pd.DataFrame({"rooms": [1]}))


def test_a_table_as_csv_needs_no_client_at_all(running):
    homes = pd.DataFrame({"city": ["ulm", "a, b"], "rooms": [1, 2], "area": [20.5, np.nan]})
    answer = httpx.post(
        running.address + "/invocations", content=homes.to_csv(index=False), headers={"content-type": "text/csv"}
    )

    assert answer.json() == {"predictions": [{"city": "ULM", "rooms": 2}, {"city": "A, B", "rooms": 4}]}


@pytest.mark.parametrize("shape", ["instances", "inputs"])
async def test_arrays_are_taken_in_both_of_their_shapes(shelf, shape):
    from mlflow.utils.proto_json_utils import dump_input_data

    sent = dump_input_data(np.array(iris.FLOWERS), inputs_key=shape)
    async with plain.client(plain.load(shelf.mlflow_sklearn())) as http:
        answer = await http.post("/invocations", content=sent, headers={"content-type": "application/json"})

    assert answer.json() == {"predictions": iris.KINDS}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"instances": [[NaN, Infinity, -Infinity, 1]]}', 200),
        (b'{"instances": [[NaN, 1, 2, 3}', 400),
        (b'["NaN"', 400),
        (b"[NaN]", 400),
        (b"NaN\xff", 400),
        (b"[" * 100_000 + b"NaN", 400),
    ],
)
async def test_pythons_words_for_numbers_that_json_lacks_are_known_here_only(body, status):
    from ferryman_server.dataplane.model import Model
    from ferryman_server.dataplane.schema import matrix

    seen = []

    def predict(rows):
        seen.extend(rows.arrays[0].tolist())
        return {"predict": rows.arrays[0][:, 3]}

    async with plain.client(Model("test", matrix(4), predict)) as http:
        invoked = await http.post("/invocations", content=body, headers={"content-type": "application/json"})
        elsewhere = await http.post("/v1/models/iris:predict", content=body)

    assert (invoked.status_code, elsewhere.status_code) == (status, 400), invoked.text
    if status == 200:
        assert math.isnan(seen[0][0])
        assert seen[0][1:] == [math.inf, -math.inf, 1]
    else:
        assert "JSON" in invoked.json()["error"]
