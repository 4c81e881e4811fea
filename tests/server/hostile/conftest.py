"""Real servers that hostile requests are sent to, and that must be well at the end."""

from collections.abc import Iterator

import pytest
from server import process
from server.hostile import bad_requests, tensor_model


@pytest.fixture(scope="session")
def call_ports() -> dict[str, int]:
    """Where each of them takes gRPC."""
    return {name: process.free_port() for name in bad_requests.GOOD}


@pytest.fixture(scope="session")
def servers(shelf, tmp_path_factory, call_ports) -> Iterator[dict[str, process.Running]]:
    """A process for each model on disk: a table of numbers, a table of words, tensors."""
    models = {"iris": shelf.skops(), "homes": shelf.mlflow_pyfunc()}
    models["tensors"] = tensor_model.write(tmp_path_factory.mktemp("tensors"))
    contract = {"FERRYMAN_ALLOW_PICKLE": "true", "FERRYMAN_OPTIMIZE": "off"}
    opened = [
        process.server(root, tmp_path_factory.mktemp(name), **contract, FERRYMAN_GRPC_PORT=str(call_ports[name]))
        for name, root in models.items()
    ]
    found = dict(zip(models, (one.__enter__() for one in opened), strict=True))
    try:
        for running in found.values():
            running.until_ready()
        yield found
        for name, running in found.items():
            good, right = bad_requests.GOOD[name]
            assert running.post(bad_requests.V1, good).json() == right
            assert "Traceback" not in running.log.read_text()
            assert " failed: " not in running.log.read_text()
    finally:
        for one in reversed(opened):
            one.__exit__(None, None, None)
