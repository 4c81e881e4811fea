"""The init container's own command."""

import json
import os
import subprocess
import sys
from pathlib import Path


def fetched(room: Path, uri: str, address: str, **secret: str) -> tuple[int, dict[str, str], str]:
    """Fetch into an empty room; return the exit status, the termination message, and the log."""
    words = room.parent / "termination-log"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(room.parent),
        "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "runtime-image"),
        "MLFLOW_TRACKING_URI": address,
        "FERRYMAN_MODEL_NAME": "iris",
        "FERRYMAN_MODEL_URI": uri,
        "FERRYMAN_MODEL_DIR": str(room),
        "FERRYMAN_TERMINATION_LOG": str(words),
        **secret,
    }
    done = subprocess.run(
        [sys.executable, "-m", "ferryman_server.fetch"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(words.read_text()) if words.exists() else {}, done.stderr
