"""What a registry says goes into statuses, events and logs; what it was told in confidence must not come with it."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

HIDDEN = "(hidden)"
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|KEY")
PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
"""An account and its password in an address; a name alone may be part of a place, as in Azure's."""
SHORTEST = 6
"""A value as short as this stands in many a text by chance."""


def redacted(said: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text without the values of variables that are named like secrets, nor passwords in addresses.

    Nor is it left quoted as in an address or a text of JSON, or encoded as in a header.
    """
    for secret in sorted(set(_secrets(environment)), key=len, reverse=True):
        said = said.replace(secret, HIDDEN)
    return re.sub(r"://[^/@\s]+@", f"://{HIDDEN}@", said)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if SECRET.search(name.upper()) and len(value) >= SHORTEST:
            yield from _forms(value)
        user = environment.get(name.replace("PASSWORD", "USERNAME"), "")
        if value and user and "PASSWORD" in name:
            yield from _encoded(f"{user}:{value}")


def _forms(secret: str) -> Iterator[str]:
    """Return a secret as it may stand in a header, an address or a text of JSON."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield from _encoded(secret)
    plain = secret.encode(errors="surrogateescape")
    for quoted in (quote(plain), quote(plain, safe=""), quote_plus(plain)):
        yield quoted
        yield re.sub("%..", lambda escape: escape[0].lower(), quoted)


def _encoded(secret: str) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret.encode(errors="surrogateescape")).decode().rstrip("=")
