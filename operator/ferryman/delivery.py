"""One delivery of MLflow's registry webhooks: whether MLflow sent it, just now, and which model it speaks of. Pure.

MLflow signs as the Standard Webhooks specification does (mlflow/webhooks/delivery.py): HMAC-SHA256 over
`ID.TIMESTAMP.BODY`, in base64, after `v1,`. What a delivery says of versions is not believed, not even when it is
genuine: it may be late, or repeated. It is only a reason to ask the registry.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

SIGNATURE = "X-MLflow-Signature"
TIMESTAMP = "X-MLflow-Timestamp"
DELIVERY = "X-MLflow-Delivery-Id"
VERSION = "v1"
OLDEST_SECONDS = 300.0
"""How old a delivery may be, and how far the two clocks may be apart."""
LONGEST_NAME = 256


class UnsignedError(Exception):
    """Nobody who knows the secret sent this, or not lately."""


class UnreadableError(Exception):
    """It is genuine, and not what MLflow sends."""


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """Return what MLflow writes into the signature's header."""
    signed = _bytes(f"{delivery}.{timestamp}.") + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"{VERSION},{base64.b64encode(digest).decode()}"


def model(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Return the registered model that a delivery tells of; None for news of something else.

    `now` is in seconds since the epoch. Raises UnsignedError or UnreadableError.
    """
    given, timestamp = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, "")
    expected = signature(secret, headers.get(DELIVERY, ""), timestamp, body)
    # an empty secret is known to everybody
    if not secret or not hmac.compare_digest(_bytes(given), expected.encode()):
        raise UnsignedError("the signature is missing, or made with another secret")
    # the timestamp is signed: what is read here, MLflow wrote
    if not timestamp.isdigit() or abs(now - int(timestamp)) > OLDEST_SECONDS:
        raise UnsignedError(f"the delivery is not from the last {OLDEST_SECONDS:.0f} s, or the clocks differ")
    return _named(body)


def _bytes(header: str) -> bytes:
    """Return what a header was on the wire: not all of it need be text."""
    return header.encode("utf-8", "surrogateescape")


def _named(body: bytes) -> str | None:
    try:
        told = json.loads(body)
        entity, data = told["entity"], told["data"]
        name = data["name"] if str(entity).startswith(("registered_model", "model_version")) else None
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableError("the body is not one of MLflow's events") from error
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= LONGEST_NAME):
        raise UnreadableError("the body names no model")
    return name
