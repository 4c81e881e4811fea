"""docs/protocols.md: what it shows is what happens."""

import re
import subprocess
from pathlib import Path

from server import process

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocols.md"


def test_every_line_of_the_page_is_answered_as_it_says(shelf, tmp_path):
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = [
        (command, answer)
        for block in blocks
        for command, answer in re.findall(r"^\$ (.*?)\n(\{.*?)$", block, re.DOTALL | re.MULTILINE)
    ]
    contract = {"FERRYMAN_ALLOW_PICKLE": "true", "FERRYMAN_OPTIMIZE": "off"}
    with process.server(shelf.mlflow_sklearn(), tmp_path, **contract) as running:
        running.until_ready()
        told = [
            subprocess.run(
                ["bash", "-c", command.replace("localhost:8080", running.address.removeprefix("http://"))],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for command, _ in shown
        ]

    assert len(shown) == sum(block.count("$ curl") for block in blocks) == 21
    assert told == [answer for _, answer in shown]
