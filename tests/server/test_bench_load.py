"""The benchmark reads what its load generators report."""

import pytest
from benchmarks.server import load
from benchmarks.server.load import Measured

WRK = """Running 3s test @ http://127.0.0.1:9901/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.65ms    1.88ms  16.17ms   86.18%
  20646 requests in 3.01s, 2.84MB read
  Non-2xx or 3xx responses: 7
Requests/sec:   6862.39
{"requests":20646,"microseconds":3008570,"p50":659,"p99":8490,"status":7,"connect":0,"read":1,"write":0,"timeout":2}
"""

H2LOAD = """starting benchmark...
Application protocol: h2c

finished in 2.00s, 2.00 req/s, 189.26KB/s
requests: 4 total, 6 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 567.78KB (581407) total, 10.87KB (11130) headers (space savings 96.09%), {data} data
"""
LOG = "".join(f"17952744910955{at}\t200\t{taken}\n" for at, taken in enumerate((9460, 1500, 1200, 1300)))


def test_wrk_tells_requests_percentiles_and_errors_of_every_kind():
    assert load.parse_wrk(WRK) == Measured(requests=20646, seconds=3.00857, p50_us=659, p99_us=8490, errors=10)


def test_a_wrk_that_dies_is_no_measurement():
    with pytest.raises(load.LoadError, match="unable to connect"):
        load.parse_wrk("unable to connect to 127.0.0.1:9911 Connection refused")


def test_h2load_tells_requests_and_percentiles_from_its_log():
    said = H2LOAD.format(data="424B (424)")

    assert load.parse_h2load(said, LOG, answer_bytes=106) == Measured(4, 2.0, 1300.0, 9460.0, errors=0)


def test_a_grpc_error_is_a_200_without_a_message_and_counts_as_an_error():
    said = H2LOAD.format(data="318B (318)")

    assert load.parse_h2load(said, LOG, answer_bytes=106).errors == 1


def test_grpc_answers_that_carry_nothing_are_all_errors():
    assert load.parse_h2load(H2LOAD.format(data="0B (0)"), LOG, answer_bytes=106).errors == 4


def test_an_h2load_that_dies_is_no_measurement():
    with pytest.raises(load.LoadError, match="no report"):
        load.parse_h2load("starting benchmark...", "", answer_bytes=106)


@pytest.mark.parametrize(("percent", "value"), [(50, 50.0), (99, 99.0), (100, 100.0), (0.5, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float):
    assert load.percentile(list(range(1, 101)), percent) == value


def test_nothing_has_no_percentile():
    assert load.percentile([], 50) == 0.0
