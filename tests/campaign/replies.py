"""What the proxy says in the apiserver's place, in the apiserver's own form."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from campaign.asked import Asked

Body = dict[str, Any]

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def failure(code: int, message: str, asked: Asked | None = None, retry_after: int | None = None) -> Body:
    """Return a Status that tells of a failure."""
    details: Body = {}
    if asked is not None and asked.resource:
        details = {"name": asked.name, "group": asked.group, "kind": asked.resource.partition("/")[0]}
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    reason = _REASONS.get(code, "InternalError")
    if code == HTTPStatus.CONFLICT and asked is not None and asked.verb == "create":
        reason = "AlreadyExists"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def error_event(code: int, message: str) -> bytes:
    """Return the line of a watch that tells that it has failed."""
    return json.dumps({"type": "ERROR", "object": failure(code, message)}).encode() + b"\n"
