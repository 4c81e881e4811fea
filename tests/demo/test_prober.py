"""The client that never stops asking, against a server that does not always answer well."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ferrydemo import patience
from ferrydemo.prober import Prober, ProberError

ROWS = [[1.0, 2.0], [3.0, 4.0]]


class Server(ThreadingHTTPServer):
    """A server whose next answer the test decides."""

    daemon_threads = True
    status = 200
    predictions = 2
    connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"predictions": [1] * self.server.predictions}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-ferryman-revision", f"for-{self.headers['Host']}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def prober(server: Server, tmp_path: Path) -> Prober:
    url = f"http://127.0.0.1:{server.server_port}/v1/models/fraud:predict"
    return Prober(url, "fraud.example.com", ROWS, tmp_path / "requests.tsv")


def test_every_request_of_the_schedule_is_accounted_for(server: Server, prober: Prober):
    with prober:
        patience.until("half a second of answers", lambda: len(prober.after(0)) >= 25, 5)
    window = prober.window()

    assert not window.failures
    assert window.by_revision == {"for-fraud.example.com": window.requests}
    assert window.requests == len(prober.after(0))
    assert server.connections < window.requests / 2  # they are kept alive


@pytest.mark.parametrize(("status", "predictions"), [(503, 2), (200, 1)])
def test_what_is_not_a_good_answer_is_a_failure(server: Server, prober: Prober, status: int, predictions: int):
    with prober:
        patience.until("a good answer", lambda: prober.after(0), 5)
        since = prober.mark()
        server.status, server.predictions = status, predictions
        patience.until("bad answers", lambda: [bad for bad in prober.after(since) if bad.fault], 5)

    assert prober.window(since).failures


def test_a_server_that_is_gone_is_a_failure_for_each_request(prober: Prober, server: Server):
    server.shutdown()
    server.server_close()

    with prober:
        patience.until("ten requests", lambda: len(prober.after(0)) >= 10, 10)
    window = prober.window()

    assert len(window.failures) == window.requests


def test_a_prober_that_ends_by_itself_is_an_error_and_never_a_pass(server: Server, tmp_path: Path):
    url = f"http://127.0.0.1:{server.server_port}/"
    with Prober(url, "fraud.example.com", ROWS, tmp_path / "requests.tsv", most_seconds=0.2) as prober:
        since = prober.mark()
        patience.until("its end", lambda: len(prober.after(0)) >= 10, 5)

        with pytest.raises(ProberError, match="ended by itself"):
            prober.window(since, since + 2)
