"""What a registry says goes into statuses, events and logs; what it was told in confidence must not come with it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping

HIDDEN = "(hidden)"
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|KEY")
PASSWORD = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
"""An account and its password in an address; a name alone may be part of a place, as in Azure's."""
SHORTEST = 6
"""A value as short as this stands in many a text by chance."""


def redacted(said: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text without the values of variables that are named like secrets, nor passwords in addresses."""
    for secret in sorted(_secrets(environment), key=len, reverse=True):
        said = said.replace(secret, HIDDEN)
    return re.sub(r"://[^/@\s]+@", f"://{HIDDEN}@", said)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if SECRET.search(name.upper()) and len(value) >= SHORTEST:
            yield value
    user, password = (environment.get(f"MLFLOW_TRACKING_{part}", "") for part in ("USERNAME", "PASSWORD"))
    if user and password:
        yield base64.b64encode(f"{user}:{password}".encode()).decode()
