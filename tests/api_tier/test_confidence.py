"""What the operator was told in confidence stands nowhere, even where whoever it is shown to says it aloud."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from api_tier import installation
from api_tier.kubectl import Kubectl, until
from api_tier.operator_process import OperatorProcess
from api_tier.served import Served, body
from localcluster import controlplane

OWN, THEIRS, SIGNING = "planted-own-0451", "planted-theirs-0451", "planted-signing-0451"
BASIC = base64.b64encode(f"operator:{OWN}".encode()).decode()
KINDS = "modeldeployments,events,services,deployments,configmaps,leases"


class Echo(http.server.BaseHTTPRequestHandler):
    """A registry that refuses every question, and repeats all that it was sent with it."""

    heard: set[str]

    def do_GET(self) -> None:
        self.heard.add(self.headers.get("Authorization", ""))
        said = f"no such account: {self.headers.get('Authorization')}".encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET  # noqa: N815 the library's name

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    with controlplane.ControlPlane(tmp_path_factory.mktemp("apart")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(plane: controlplane.ControlPlane) -> Kubectl:
    return installation.admin_of(plane)


@pytest.fixture
def echoes() -> Iterator[tuple[list[str], set[str]]]:
    """Two such registries, by their addresses, and what accounts they were shown."""
    heard: set[str] = set()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Echo,), {"heard": heard}))
            )
            for _ in range(2)
        ]
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield [f"http://127.0.0.1:{server.server_port}" for server in servers], heard


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        ({"MLFLOW_TRACKING_TOKEN": OWN}, f"Bearer {OWN}"),
        ({"MLFLOW_TRACKING_USERNAME": "operator", "MLFLOW_TRACKING_PASSWORD": OWN}, f"Basic {BASIC}"),
    ],
    ids=["token", "password"],
)
def test_no_credential_stands_in_an_object_an_event_the_log_the_metrics_or_the_command_line(  # noqa: PLR0917
    plane: controlplane.ControlPlane,
    kubectl: Kubectl,
    echoes: tuple[list[str], set[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    account: dict[str, str],
    shown: str,
) -> None:
    (own, theirs), heard = echoes
    for name, value in {**account, "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    operator = OperatorProcess(
        plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS),
        tmp_path / "log",
        controlplane.free_ports(2),
        tracking_uri=own,
        registries=theirs,
        registry_token_0=THEIRS,
        registry_poll_seconds="1",
        write_back="true",
        log_level="DEBUG",
        webhook_port=str(controlplane.free_ports(1)[0]),
        webhook_secret=SIGNING,
    )
    operator.start()
    try:
        kubectl.apply(
            body("own", "models:/fraud@champion"),
            body(
                "theirs",
                "models:/fraud@champion",
                model={"uri": "models:/fraud@champion", "registry": {"trackingURI": theirs}},
            ),
        )
        for name in ("own", "theirs"):
            model = Served(kubectl, name)
            until(
                lambda model=model: "hidden" in model.condition("ModelResolved").get("message", ""), what="it is told"
            )
        objects = kubectl("get", KINDS, "-o", "yaml")
        line = Path(f"/proc/{operator.pid}/cmdline").read_text()
        everything = " ".join([objects, operator.log(), operator.metrics(), line])
    finally:
        operator.stop()

    assert {shown, f"Bearer {THEIRS}"} <= heard, "each was shown its own account, and said it aloud"
    assert f"Bearer {OWN}" not in heard - {shown}
    for secret in ("planted", BASIC):
        assert secret not in everything
