"""The environment contract with the operator: what a pod is told, as one frozen value.

Nothing else in this package reads FERRYMAN_* variables.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ferryman_server.reason import FatalError, Reason

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MIB = 1024 * 1024
PRECISIONS = ("fp16", "int8")


class Format(enum.StrEnum):
    """What the artefact is; `auto` looks."""

    AUTO = "auto"
    MLFLOW = "mlflow"
    SKLEARN = "sklearn"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    ONNX = "onnx"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    KSERVE = "kserve"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the fetch step and the server are told from outside."""

    model_name: str
    model_version: str = ""
    revision: str = ""
    model_uri: str = ""
    model_location: str = ""  # where the registry's store has it, as pinned; else the registry is asked
    model_format: Format = Format.AUTO
    model_dir: Path = Path("/mnt/model")
    model_digest: str = ""
    allow_pickle: bool = False
    optimize: bool = True
    precision: str = ""  # fp16 or int8, for nets, at the price of answers that differ a little
    pvc_mount: Path = Path("/mnt/pvc")
    host: str = ""  # every address of the pod, in either family
    port: int = 8080
    grpc_port: int = 9000  # 0: no gRPC
    warmup_requests: int = 10
    warmup_file: Path | None = None  # else the one beside the model, if there is one
    max_batch_size: int = 64
    max_body_bytes: int = 64 * _MIB
    max_connections: int = 4096  # of one port, in each worker
    max_rows: int = 1_000_000  # of one request
    max_queue_bytes: int = 256 * _MIB
    max_queue_seconds: int = 60
    max_artifact_bytes: int = 20 * 1024 * _MIB
    drain_seconds: int = 5
    cpu_request: float = 0.0  # cores; 0: as the cgroup tells it
    workers: int = 0  # 0: one, and more where the CPU limit and the work call for them
    sample_percent: float = 0.0  # 0: no sample is kept, and its port is closed
    sample_port: int = 8081
    sample_count: int = 1000
    sample_bytes: int = _MIB
    traces: bool = False  # by OpenTelemetry's own variables
    cache_bytes: int = 0  # 0: no answer is remembered
    cache_ttl_seconds: int = 300
    cache_redis: str = field(default="", repr=False)  # it may hold a password
    allow_http: bool = False
    private_hosts: tuple[str, ...] = ()
    termination_log: Path = Path("/dev/termination-log")


def from_environment(env: Mapping[str, str]) -> Settings:
    """Read the contract; a value that cannot be meant is refused by the variable's name."""
    name = env.get("FERRYMAN_MODEL_NAME", "")
    if not name:
        raise _refused("FERRYMAN_MODEL_NAME", "", "the name that clients use in the URL path")
    digest = env.get("FERRYMAN_MODEL_DIGEST", "")
    if digest and not _DIGEST.fullmatch(digest):
        raise _refused("FERRYMAN_MODEL_DIGEST", digest, "sha256: and 64 hexadecimal digits")
    wanted = env.get("FERRYMAN_MODEL_FORMAT", "") or "auto"
    if wanted not in set(Format):
        raise FatalError(
            Reason.UNKNOWN_FORMAT,
            f'Model "{name}": format "{wanted}" is not known; use one of {", ".join(Format)}.',
        )
    revision = env.get("FERRYMAN_REVISION", "")
    cache_bytes = _whole(env, "FERRYMAN_CACHE_BYTES", 0, least=0)
    optimize = _choice(env, "FERRYMAN_OPTIMIZE", "auto", "off", *PRECISIONS)
    return Settings(
        model_name=name,
        model_version=env.get("FERRYMAN_MODEL_VERSION", ""),
        revision=revision,
        model_uri=env.get("FERRYMAN_MODEL_URI", ""),
        model_location=env.get("FERRYMAN_MODEL_LOCATION", ""),
        model_format=Format(wanted),
        model_dir=Path(env.get("FERRYMAN_MODEL_DIR") or "/mnt/model"),
        model_digest=digest,
        allow_pickle=_flag(env, "FERRYMAN_ALLOW_PICKLE"),
        optimize=optimize != "off",
        precision=optimize if optimize in PRECISIONS else "",
        pvc_mount=Path(env.get("FERRYMAN_PVC_MOUNT") or "/mnt/pvc"),
        host=env.get("FERRYMAN_HOST", ""),
        port=_whole(env, "FERRYMAN_PORT", 8080, least=0),
        grpc_port=_whole(env, "FERRYMAN_GRPC_PORT", 9000, least=0),
        warmup_requests=_whole(env, "FERRYMAN_WARMUP_REQUESTS", 10, least=0),
        warmup_file=Path(env["FERRYMAN_WARMUP_FILE"]) if env.get("FERRYMAN_WARMUP_FILE") else None,
        max_batch_size=_whole(env, "FERRYMAN_MAX_BATCH_SIZE", 64, least=1),
        max_body_bytes=_whole(env, "FERRYMAN_MAX_BODY_BYTES", 64 * _MIB, least=1),
        max_connections=_whole(env, "FERRYMAN_MAX_CONNECTIONS", 4096, least=1),
        max_rows=_whole(env, "FERRYMAN_MAX_ROWS", 1_000_000, least=1),
        max_queue_bytes=_whole(env, "FERRYMAN_MAX_QUEUE_BYTES", 256 * _MIB, least=1),
        max_queue_seconds=_whole(env, "FERRYMAN_MAX_QUEUE_SECONDS", 60, least=1),
        max_artifact_bytes=_whole(env, "FERRYMAN_MAX_ARTIFACT_BYTES", 20 * 1024 * _MIB, least=1),
        drain_seconds=_whole(env, "FERRYMAN_DRAIN_SECONDS", 5, least=0),
        cpu_request=_cores(env, "FERRYMAN_CPU_REQUEST"),
        workers=0 if env.get("FERRYMAN_WORKERS") == "auto" else _whole(env, "FERRYMAN_WORKERS", 0, least=1),
        sample_percent=_percent(env, "FERRYMAN_SAMPLE_PERCENT"),
        sample_port=_whole(env, "FERRYMAN_SAMPLE_PORT", 8081, least=1),
        sample_count=_whole(env, "FERRYMAN_SAMPLE_COUNT", 1000, least=1),
        sample_bytes=_whole(env, "FERRYMAN_SAMPLE_BYTES", _MIB, least=1),
        traces=_traces(env),
        cache_bytes=cache_bytes,
        cache_ttl_seconds=_whole(env, "FERRYMAN_CACHE_TTL_SECONDS", 300, least=1),
        cache_redis=_redis(env.get("FERRYMAN_CACHE_REDIS", ""), cache_bytes, revision),
        allow_http=_flag(env, "FERRYMAN_ALLOW_HTTP"),
        private_hosts=tuple(env.get("FERRYMAN_PRIVATE_HOSTS", "").lower().replace(",", " ").split()),
        termination_log=Path(env.get("FERRYMAN_TERMINATION_LOG") or "/dev/termination-log"),
    )


def _flag(env: Mapping[str, str], variable: str) -> bool:
    value = env.get(variable, "").lower()
    if value not in {"", "true", "false"}:
        raise _refused(variable, value, "true or false")
    return value == "true"


def _choice(env: Mapping[str, str], variable: str, *choices: str) -> str:
    value = env.get(variable, "") or choices[0]
    if value not in choices:
        raise _refused(variable, value, " or ".join(choices))
    return value


def _whole(env: Mapping[str, str], variable: str, default: int, *, least: int) -> int:
    value = env.get(variable, "")
    if not value:
        return default
    if not value.isdecimal() or int(value) < least:
        raise _refused(variable, value, f"a whole number, {least} or more")
    return int(value)


def _traces(env: Mapping[str, str]) -> bool:
    """Where spans are to go, as OpenTelemetry's specification has it; but not anywhere unless something says so."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporters = [one.strip() for one in env.get("OTEL_TRACES_EXPORTER", "").lower().split(",") if one.strip()]
    if exporters:
        return "otlp" in exporters
    return bool(env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def _percent(env: Mapping[str, str], variable: str) -> float:
    value = env.get(variable, "")
    if not re.fullmatch(r"(\d{1,3}(\.\d{1,6})?)?", value) or float(value or 0) > 100:
        raise _refused(variable, value, "a percentage, 0 to 100")
    return float(value or 0)


def _cores(env: Mapping[str, str], variable: str) -> float:
    value = env.get(variable, "")
    if not re.fullmatch(r"(\d{1,4}(\.\d{1,6})?)?", value):
        raise _refused(variable, value, "a number of cores, as 2 or 0.5")
    return float(value or 0)


def _redis(url: str, cache_bytes: int, revision: str) -> str:
    """The address of a Redis; what is wrong with it is said without it, because of its password."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        fits = False
    if not fits:
        raise FatalError(Reason.LOAD_FAILED, "FERRYMAN_CACHE_REDIS must be redis:// or rediss://, a host and a port.")
    if not cache_bytes:
        raise FatalError(Reason.LOAD_FAILED, "FERRYMAN_CACHE_REDIS is set, and FERRYMAN_CACHE_BYTES is 0: no cache.")
    if not revision:
        raise FatalError(
            Reason.LOAD_FAILED,
            "FERRYMAN_CACHE_REDIS needs FERRYMAN_REVISION, so that models do not answer for others.",
        )
    return url


def _refused(variable: str, value: str, wanted: str) -> FatalError:
    return FatalError(Reason.LOAD_FAILED, f'{variable} is "{value}"; it must be {wanted}.')
