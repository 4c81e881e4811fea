"""The examples are documentation that runs: the apiserver accepts each of them, field by field."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferrydemo.kube import Kube
from localcluster import paths

EXAMPLES = sorted((paths.REPOSITORY / "examples").glob("*/manifest.yaml"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_accepted(installed: Kube, namespace: str, manifest: Path):
    told = installed.kubectl(
        *("-n", namespace, "apply", "--dry-run=server", "--validate=strict", "-f", str(manifest))
    )

    assert "modeldeployment.ferryman.dev/" in told


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_has_a_page_of_a_screen(manifest: Path):
    page = (manifest.parent / "README.md").read_text().splitlines()

    assert len(page) <= 50
    assert any("kubectl apply" in line for line in page)
