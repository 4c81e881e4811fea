"""A fetch as the init container does it, into an empty volume, and what it is refused for."""

from dataclasses import replace
from pathlib import Path

import pytest

from ferryman_server import manifest as manifests
from ferryman_server import settings as contract
from ferryman_server.fetch import run
from ferryman_server.reason import FatalError

SETTINGS = contract.Settings("iris", allow_http=True, private_hosts=("127.0.0.1",))


def fetch(room: Path, uri: str, **more: object) -> manifests.Manifest:
    return run.run(replace(SETTINGS, model_uri=uri, model_dir=room, **more))  # type: ignore[arg-type]


def refused(room: Path, uri: str, **more: object) -> FatalError:
    with pytest.raises(FatalError) as error:
        fetch(room, uri, **more)
    assert manifests.read(room) is None
    return error.value
