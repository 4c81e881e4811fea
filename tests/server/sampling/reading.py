"""What a server has kept of its requests, read as the operator would read it."""

from typing import Any

import httpx


def read(port: int | str, since: float = 0.0) -> dict[str, Any]:
    answer = httpx.get(f"http://127.0.0.1:{port}/samples", params={"since": since}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_key(told: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one for one in told["samples"]}
