"""Where a version's files may lie: decided on the location that the registry names, before anybody is asked.

Whoever may register a version writes its location, and MLflow's client goes there with the credentials of the pod. So
the tracking server itself and the clouds' buckets may be meant, and no host that a location names.
"""

import urllib.parse

_BUCKETS = frozenset({"s3", "gs", "wasbs"})
_LEADS_ON = frozenset({"models", "runs"})
"""To another location, which the tracking server names and which is looked at in its turn."""
_PORTS = {"http": 80, "https": 443}
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"


def refusal(location: str, server: str) -> str:
    """Return why a location is not gone to, and what to do; nothing for one that is."""
    parts, registry = urllib.parse.urlsplit(location), urllib.parse.urlsplit(server)
    match parts.scheme:
        case scheme if scheme in _BUCKETS or (scheme in _LEADS_ON and not parts.netloc):
            return ""
        case "mlflow-artifacts" if not parts.netloc or _same(parts._replace(scheme=registry.scheme), registry):
            return ""
        case "http" | "https" if _same(parts, registry) and _below(parts.path, registry.path.rstrip("/") + _PROXY):
            return ""
        case "" | "file" if registry.scheme not in _PORTS:  # somebody's own machine, where both are
            return ""
        case "" | "file":
            return (
                "lies in a directory of the machine that logged it, which this pod has not; "
                "let the tracking server keep the files (mlflow-artifacts:) or a bucket, and log the model again"
            )
        case "mlflow-artifacts" | "http" | "https":
            return (
                f"lies at {_host(parts)}, which is not the tracking server, {_host(registry)}, and would be shown "
                "the pod's credentials; register the version with a location that begins with mlflow-artifacts:/"
            )
        case scheme:
            return (
                f"lies at {scheme}://{_host(parts)}, from where nothing is fetched; "
                "keep it with the tracking server (mlflow-artifacts:), or in s3://, gs:// or wasbs://"
            )


def proxied(location: str) -> bool:
    """Tell whether the tracking server hands the files of a location out itself."""
    return urllib.parse.urlsplit(location).scheme in {"mlflow-artifacts", "http", "https"}


def _same(parts: urllib.parse.SplitResult, registry: urllib.parse.SplitResult) -> bool:
    """Tell whether a location is at the tracking server; one that two readers could read in two ways is not."""
    if not {"\\", "@"}.isdisjoint(parts.netloc):
        return False
    try:
        return _origin(parts) == _origin(registry)
    except (ValueError, KeyError):  # a port that is none; a scheme without hosts
        return False


def _origin(parts: urllib.parse.SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _below(path: str, root: str) -> bool:
    return f"{path}/".startswith(f"{root}/")


def _host(parts: urllib.parse.SplitResult) -> str:
    """Name a host as people write it, without user and password."""
    return parts.netloc.rpartition("@")[2]
