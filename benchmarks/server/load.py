"""Makes load with programs that cost far less than any server here: wrk for HTTP/1.1, h2load for gRPC.

Both keep every connection busy with one request at a time. wrk counts answers that are not 2xx or 3xx. h2load knows
no gRPC, where an error is a 200 without a message: so bytes are counted, of which each right answer has the same.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server.questions import Question

SCRIPT = Path(__file__).parent / "wrk.lua"
METHOD = "/inference.GRPCInferenceService/ModelInfer"
PROGRAMS = {"wrk": "wrk", "h2load": "nghttp2-client", "taskset": "util-linux"}


class LoadError(Exception):
    """The load could not be made or its report not be read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice of load, as the clients saw it."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    errors: int


def missing() -> str:
    """Return what to install first, or nothing."""
    packages = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    return f"apt-get install {' '.join(packages)}" if packages else ""


def write(questions: list[Question], folder: Path) -> Path:
    """Lay out the requests for wrk: one file each, and their headers, which they share."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, question in enumerate(questions, start=1):
        (folder / f"{number}").write_bytes(question.body)
    (folder / "headers").write_text("".join(f"{key}: {value}\n" for key, value in questions[0].headers.items()))
    return folder


def http(url: str, folder: Path, core: int, *, connections: int, seconds: float, pause_ms: int = 0) -> Measured:
    """Ask a URL the requests of a folder; with a pause, so that each connection thinks between two."""
    count = sum(1 for file in folder.iterdir() if file.name.isdigit())
    command = [
        *("taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{math.ceil(seconds)}s", "--timeout", "30s", "--script", str(SCRIPT)),
        *(url, "--", str(folder), str(count), str(pause_ms)),
    ]
    return parse_wrk(_said(command, seconds))


def grpc(port: int, request: Path, core: int, *, connections: int, seconds: float, answer_bytes: int) -> Measured:
    """Ask a gRPC server one request over and over, each connection one at a time."""
    body = request.read_bytes()
    framed, log = request.with_suffix(".framed"), request.with_suffix(".log")
    framed.write_bytes(struct.pack(">BI", 0, len(body)) + body)
    log.unlink(missing_ok=True)
    command = [
        *("taskset", "--cpu-list", str(core), "h2load", "--threads=1", f"--clients={connections}"),
        *("--max-concurrent-streams=1", f"--duration={seconds:g}", f"--data={framed}", f"--log-file={log}"),
        *("--header=content-type: application/grpc", "--header=te: trailers", f"http://127.0.0.1:{port}{METHOD}"),
    ]
    said = _said(command, seconds)
    return parse_h2load(said, log.read_text() if log.exists() else "", answer_bytes)


def grpc_answer_bytes(port: int, request: Path, core: int) -> int:
    """Return how many bytes one right answer has, with its frame."""
    body = request.read_bytes()
    framed = request.with_suffix(".framed")
    framed.write_bytes(struct.pack(">BI", 0, len(body)) + body)
    command = [
        *("taskset", "--cpu-list", str(core), "h2load", "--clients=1", "--requests=1", f"--data={framed}"),
        *("--header=content-type: application/grpc", "--header=te: trailers", f"http://127.0.0.1:{port}{METHOD}"),
    ]
    return _data_bytes(_said(command, 20))


def _said(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{command[3]} did not end in time") from error
    if done.returncode:
        raise LoadError(f"{command[3]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


# --- reports, as values ---------------------------------------------------------------------------


def parse_wrk(said: str) -> Measured:
    """Read the line of JSON that our script has wrk print."""
    line = next((line for line in said.splitlines() if line.startswith("{")), None)
    if line is None:
        raise LoadError(f"wrk printed no report: {said.strip()[-300:]}")
    told = json.loads(line)
    errors = sum(told[kind] for kind in ("status", "connect", "read", "write", "timeout"))
    return Measured(told["requests"], told["microseconds"] / 1e6, told["p50"], told["p99"], errors)


def parse_h2load(said: str, log: str, answer_bytes: int) -> Measured:
    """Read h2load's report and its log: a line a request with its start, its status and its microseconds."""
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m)\b", said)
    counts = re.search(r"(\d+) done, (\d+) succeeded", said)
    if not finished or not counts:
        raise LoadError(f"h2load printed no report: {said.strip()[-300:]}")
    seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished[2]]
    done, succeeded = int(counts[1]), int(counts[2])
    answered = min(succeeded, round(_data_bytes(said) / answer_bytes)) if answer_bytes else 0
    taken = sorted(int(line.split("\t")[2]) for line in log.splitlines() if line.count("\t") == 2)
    return Measured(done, seconds, percentile(taken, 50), percentile(taken, 99), done - answered)


def percentile(ordered: list[int], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return float(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)])


def _data_bytes(said: str) -> int:
    found = re.search(r"\((\d+)\) data", said)
    return int(found[1]) if found else 0
