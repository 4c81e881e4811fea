"""What a model's pod tells the world outside the cluster: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import ferryman_server

ASK = """
import os, ferryman_server
from mlflow.telemetry import utils
print(utils.is_telemetry_disabled(), os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_the_libraries_are_told_to_report_nothing_before_they_are_imported():
    environment = {name: value for name, value in os.environ.items() if name not in {*ferryman_server.SILENT, "CI"}}
    package = Path(ferryman_server.__file__).parents[1]

    environment["PYTHONPATH"] = str(package)
    command = [sys.executable, "-c", ASK]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert told.stdout.split() == ["True", "1"], told.stderr
