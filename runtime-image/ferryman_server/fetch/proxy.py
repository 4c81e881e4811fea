"""Downloads files that the tracking server itself hands out.

MLflow's client begins each file at its first byte, and takes as many as come. Its way of asking (credentials, TLS,
plug-ins, patience) is used here, with a stream of our own.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from ferryman_server.fetch.budget import Budget
from ferryman_server.fetch.stream import Stream

_AT_ONCE = 4
"""A server that keeps its files in a bucket brings each there first: others may come meanwhile."""


def bring(mlflow: Any, repository: Any, paths: list[str], into: Path, *, name: str, budget: Budget) -> None:
    """Download the files at some paths, each to its place below a directory."""

    def one(path: str) -> None:
        def ask(headers: dict[str, str]) -> requests.Response:
            answer: requests.Response = mlflow.utils.rest_utils.http_request(
                account, f"/{path}", "GET", stream=True, extra_headers=headers
            )
            mlflow.utils.request_utils.augmented_raise_for_status(answer)
            return answer

        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Stream(f'"{path}" of {name}', "The tracking server", ask).save(target, budget)

    account = mlflow.utils.credentials.get_default_host_creds(repository.artifact_uri)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(one, paths):
            pass


def leads_to_bucket(repository: Any) -> bool:
    """Tell whether files may be fetched from the bucket behind the server, which MLflow's client does in parts."""
    offered = getattr(repository, "_is_multipart_download_enabled", None)
    return bool(offered and offered())
