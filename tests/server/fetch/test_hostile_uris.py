"""Hostile model URIs, in the pod: refused when they are read, or before a connection. Nobody is ever asked."""

import http.server
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hostile import corpus
from hostile.corpus import Hostile

from ferryman_server import manifest as manifests
from ferryman_server import settings as contract
from ferryman_server.fetch import run, source
from ferryman_server.reason import FatalError, Reason

HOSTILE = [each for each in corpus.hostile() if each.fetch != "harmless"]
PUBLIC, POD, METADATA = "93.184.215.14", "10.96.0.7", "169.254.169.254"
real_getaddrinfo = socket.getaddrinfo


class Names:
    """What a resolver says; numbers, in whatever notation, mean what they mean. It notes whom anybody connects to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        self.reached: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self.resolve)
        monkeypatch.setattr(socket.socket, "connect", lambda _, address: self._connect(address))

    def resolve(self, host: str, port: int, *args: int, **more: int) -> list[tuple[object, ...]]:
        try:
            return real_getaddrinfo(host, port, *args, **{**more, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return self.resolve(answer, port, *args, **more)

    def _connect(self, address: tuple[object, ...]) -> None:
        self.reached.append(str(address[0]))
        raise ConnectionRefusedError(111, "nobody is there")


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: f"{hostile.group}: {hostile.uri[:50]!a}")
def test_a_hostile_uri_is_refused_and_nobody_is_asked(
    hostile: Hostile, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, POD)

    with pytest.raises(FatalError):
        run.run(contract.Settings("fraud", model_uri=hostile.uri, model_dir=room))

    assert names.reached == []
    if hostile.fetch == "unread":
        with pytest.raises(FatalError):
            source.parse(hostile.uri)


@pytest.mark.parametrize("uri", corpus.plain())
def test_a_plain_uri_is_read(uri: str) -> None:
    if "@" not in uri or not uri.startswith("models:/"):  # an alias is resolved before a pod hears of it
        assert source.parse(uri).uri == uri


LEADS_INSIDE = {
    "kubernetes.default": "10.96.0.1",
    "minio.storage": "10.96.14.2",
    "169.254.169.254.nip.io": METADATA,
    "a9fea9fe.nip.io": METADATA,
    "localtest.me": "127.0.0.1",
    "metadata.tencentyun.com": "169.254.0.23",
    "rebind.example.net": "::ffff:169.254.169.254",
    "sixtofour.example.net": "2002:a9fe:a9fe::",
    "nat64.example.net": "64:ff9b::a9fe:a9fe",
    "teredo.example.net": "2001:0:c0a8:1::5601:5601",
    "ula.example.net": "fd12::1",
    "eks.example.net": "fd00:ec2::23",
    "anycast.example.net": "224.0.0.1",
    "azure.example.net": "168.63.129.16",
    "nowhere.example.net": "0.0.0.0",
    "v6.example.net": "::1",
    "scoped.example.net": "fe80::1",
    "tailnet.example.net": "100.64.1.2",
    "alibaba.example.net": "100.100.100.200",
}


@pytest.mark.parametrize(("host", "address"), LEADS_INSIDE.items())
def test_a_public_name_that_leads_inside_is_not_connected_to(
    host: str, address: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, address)

    with pytest.raises(FatalError) as refused:
        run.run(contract.Settings("fraud", model_uri=f"https://{host}/model.onnx", model_dir=room))

    assert names.reached == []
    assert refused.value.reason is Reason.ARTIFACT_FORBIDDEN
    assert host in refused.value.message


@pytest.mark.parametrize("address", [f"::ffff:{PUBLIC}", "64:ff9b::5db8:d70e"])
def test_a_public_address_inside_an_ipv6_one_is_public(
    address: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster with IPv6 alone reaches the rest of the world so."""
    names = Names(monkeypatch, address)

    with pytest.raises(FatalError) as refused:
        run.run(contract.Settings("fraud", model_uri="https://models.example.net/model.onnx", model_dir=room))

    assert refused.value.reason is Reason.ARTIFACT_UNREACHABLE
    assert names.reached == [address]


def test_a_name_is_resolved_once_and_what_came_out_is_connected_to(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, PUBLIC, METADATA)

    with pytest.raises(FatalError) as refused:
        run.run(contract.Settings("fraud", model_uri="https://rebind.example.net/model.onnx", model_dir=room))

    assert refused.value.reason is Reason.ARTIFACT_UNREACHABLE
    assert names.reached == [PUBLIC]


def test_a_host_with_one_address_inside_among_others_is_refused(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, PUBLIC)
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in (PUBLIC, METADATA)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

    with pytest.raises(FatalError):
        run.run(contract.Settings("fraud", model_uri="https://both.example.net/model.onnx", model_dir=room))

    assert names.reached == []


@pytest.mark.parametrize(
    ("allowed", "host", "reached"),
    [
        ("models.corp.example", "models.corp.example", True),
        (".corp.example", "models.corp.example", True),
        ("models.corp.example", "MODELS.corp.example", True),
        ("corp.example", "models.corp.example", False),
        (".corp.example", "corp.example", False),
        (".corp.example", "models-corp.example", False),
        ("other.example,.storage.svc", "minio.storage.svc", True),
    ],
)
def test_an_installation_may_name_hosts_that_are_private(
    allowed: str, host: str, reached: bool, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, POD)
    environment = {"FERRYMAN_MODEL_NAME": "fraud", "FERRYMAN_PRIVATE_HOSTS": allowed}
    settings = contract.from_environment(environment)

    with pytest.raises(FatalError):
        run.run(replace(settings, model_uri=f"https://{host}/model.onnx", model_dir=room))

    assert names.reached == [POD] * reached


def test_no_installation_lets_a_pod_reach_the_metadata(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, METADATA)
    settings = contract.Settings("fraud", private_hosts=(".example.net", METADATA), model_dir=room)

    for host in ("metadata.example.net", METADATA):
        with pytest.raises(FatalError):
            run.run(replace(settings, model_uri=f"https://{host}/model.onnx"))

    assert names.reached == []


def test_through_a_proxy_an_address_is_refused_all_the_same(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, POD)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.net:3128")
    settings = contract.Settings("fraud", model_dir=room)

    for host in (METADATA, "2852039166", "[::ffff:169.254.169.254]"):
        with pytest.raises(FatalError) as refused:
            run.run(replace(settings, model_uri=f"https://{host}/model.onnx"))
        assert refused.value.reason is Reason.ARTIFACT_FORBIDDEN

    assert names.reached == []


# --- redirects, from a real server on loopback, which the installation allows ---


class Fork(http.server.BaseHTTPRequestHandler):
    """Redirects to what its path says, to itself for ever, or gives a model."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.path == "/model.onnx":
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"graph")
            return
        self.send_response(302)
        self.send_header(
            "Location", self.path if self.path == "/round" else urllib.parse.unquote(self.path.removeprefix("/to/"))
        )
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def fork() -> Iterator[str]:
    Fork.seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fork)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "target", [f"https://{METADATA}/latest", "https://[::1]/", "https://10.96.0.1/api", "https://0/"]
)
def test_a_redirect_is_looked_at_as_the_first_address_is(fork: str, target: str, room: Path) -> None:
    settings = contract.Settings("fraud", allow_http=True, private_hosts=("127.0.0.1",), model_dir=room)

    with pytest.raises(FatalError) as refused:
        run.run(replace(settings, model_uri=f"{fork}/to/{target}"))

    assert refused.value.reason is Reason.ARTIFACT_FORBIDDEN
    assert manifests.read(room) is None


def test_a_redirect_to_an_allowed_place_is_followed_and_one_in_circles_is_not(fork: str, room: Path) -> None:
    settings = contract.Settings("fraud", allow_http=True, private_hosts=("127.0.0.1",), model_dir=room)

    run.run(replace(settings, model_uri=f"{fork}/to/{fork}/model.onnx"))
    assert (room / "artifact/model.onnx").read_bytes() == b"graph"

    with pytest.raises(FatalError) as refused:
        run.run(replace(settings, model_uri=f"{fork}/round"))
    assert refused.value.reason is Reason.ARTIFACT_UNREACHABLE
    assert Fork.seen.count("/round") == 6
