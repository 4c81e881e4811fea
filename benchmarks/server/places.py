"""Where the benchmark keeps what it makes."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER_VENV = REPOSITORY / ".venv-server"
UV = REPOSITORY / ".venv" / "bin" / "uv"
LOCKS = Path(__file__).parent / "locks"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ferryman" / "bench"
MODELS = CACHE / "models"
LOGS = CACHE / "logs"
REPORT = REPOSITORY / ".reports" / "bench-server.json"
PAGE = REPOSITORY / "docs" / "benchmarks.md"
