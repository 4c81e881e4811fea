"""Makes the load: wrk for the mix over HTTP, every answer compared; h2load for gRPC, by the bytes of its answers."""

from __future__ import annotations

import json
import math
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import load
from benchmarks.server.load import LoadError
from benchmarks.soak.questions import Asked

SCRIPT = Path(__file__).parent / "mix.lua"
PAUSE_MS = 20
"""How long a connection thinks between two questions, on average: so their number is the rate."""
CALLERS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Some seconds of load, as the clients saw it."""

    requests: int
    seconds: float
    p99_ms: float
    errors: int
    sample: str = ""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def lua(asked: list[Asked]) -> str:
    """The questions as a table in Lua."""
    lines = (
        f"{{name={_quoted(one.name.encode())}, path={_quoted(one.path.encode())}, status={one.status},"
        f" headers={{{', '.join(f'[{_quoted(k.encode())}]={_quoted(v.encode())}' for k, v in one.headers.items())}}},"
        f" body={_quoted(one.body)}, answer={_quoted(one.answer)}}},"
        for one in asked
    )
    return "return {\n" + "\n".join(lines) + "\n}\n"


def _quoted(text: bytes) -> str:
    return '"' + "".join(chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\{one:03d}" for one in text) + '"'


def full(port: int, questions: Path, core: int, seconds: float) -> Measured:
    """As hard as eight connections can ask: the capacity."""
    [said] = _run([_wrk(port, questions, core, connections=8, seconds=seconds, pause_ms=0)], seconds)
    return parsed(said)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked: a share of the capacity."""

    http: float
    grpc: float

    @property
    def connections(self) -> int:
        """As many as it takes for that rate with pauses."""
        return max(4, round(self.http * PAUSE_MS / 1000))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is asked, what in which protocol, and from which core."""

    http: int
    grpc: int
    questions: Path
    call: Path
    answer_bytes: int
    """Of a right answer over gRPC."""
    core: int


def together(at: Place, pace: Pace, seconds: float) -> tuple[Measured, Measured]:
    """Both at once for so long: what HTTP's clients saw, and what gRPC's did."""
    log = at.call.with_suffix(".soak-log")
    log.unlink(missing_ok=True)
    http = _wrk(at.http, at.questions, at.core, connections=pace.connections, seconds=seconds, pause_ms=PAUSE_MS)
    said = _run([http, _h2load(at, pace.grpc, seconds, log)], seconds)
    calls = load.parse_h2load(said[1], log.read_text() if log.exists() else "", at.answer_bytes)
    return parsed(said[0]), Measured(calls.requests, calls.seconds, calls.p99_us / 1000, calls.errors)


def _run(commands: list[list[str]], seconds: float) -> list[str]:
    """Run them side by side; what each says."""
    running = [subprocess.Popen(one, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for one in commands]
    try:
        return [one.communicate(timeout=seconds + 60)[0] for one in running]
    except subprocess.TimeoutExpired as error:
        raise LoadError("the load did not end in time") from error
    finally:
        for one in running:
            one.kill()
            one.wait()


def parsed(said: str) -> Measured:
    """Read the line of JSON that our script has wrk print."""
    line = next((line for line in said.splitlines() if line.startswith("{")), None)
    if line is None:
        raise LoadError(f"wrk printed no report: {said.strip()[-300:]}")
    told = json.loads(line)
    errors = told["broken"] + told["wrong"]
    return Measured(told["requests"], told["microseconds"] / 1e6, told["p99"] / 1000, errors, told["sample"])


def _wrk(port: int, questions: Path, core: int, *, connections: int, seconds: float, pause_ms: int) -> list[str]:
    return [
        *("taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{math.ceil(seconds)}s", "--timeout", "30s", "--script", str(SCRIPT)),
        *(f"http://127.0.0.1:{port}", "--", str(questions), str(pause_ms)),
    ]


def _h2load(at: Place, rate: float, seconds: float, log: Path) -> list[str]:
    body = at.call.read_bytes()
    framed = at.call.with_suffix(".soak")
    framed.write_bytes(struct.pack(">BI", 0, len(body)) + body)
    return [
        *("taskset", "--cpu-list", str(at.core), "h2load", "--threads=1", f"--clients={CALLERS}"),
        *("--max-concurrent-streams=1", f"--rps={max(1, round(rate / CALLERS))}", f"--duration={math.ceil(seconds)}"),
        *(f"--data={framed}", f"--log-file={log}", "--header=content-type: application/grpc"),
        *("--header=te: trailers", f"http://127.0.0.1:{at.grpc}{load.METHOD}"),
    ]
