"""What a store says goes into a termination message and a log; the pod's credentials must not come with it."""

import base64
import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

_HIDDEN = "(hidden)"
_SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|KEY|CONNECTION_STRING")
_INSIDE = re.compile(r"(?:^|;)(?:AccountKey|SharedAccessSignature)=([^;]+)")  # of an Azure connection string
_IN_ADDRESS = re.compile(r"://([^/:@\s]*):([^/@\s]+)@")
_OF_GOOGLE = ("private_key", "private_key_id", "client_secret", "refresh_token")
_SHORTEST = 6  # a value as short as this stands in many a text by chance


def redacted(said: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text without the values of variables that are named like secrets, nor passwords in addresses."""
    secrets = {*_named(environment), *_passwords(environment)}
    for secret in sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True):
        said = said.replace(secret, _HIDDEN)
    return re.sub(r"://[^/@\s]+@", f"://{_HIDDEN}@", said)


def _named(environment: Mapping[str, str]) -> Iterator[str]:
    """Give the values, and what a client takes out of one and may say alone."""
    for name, value in environment.items():
        if _SECRET.search(name.upper()):
            yield value
            yield from _INSIDE.findall(value)
            yield from _of_google(value)


def _of_google(value: str) -> Iterator[str]:
    """Give the pieces of a service account's key: of the private key each line, as its encodings break it there."""
    key: object = None
    with contextlib.suppress(ValueError):
        key = json.loads(value)
    if isinstance(key, dict):
        for name in _OF_GOOGLE:
            lines = str(key.get(name, "")).splitlines()
            yield from (line for line in lines if not line.startswith("-----"))


def _passwords(environment: Mapping[str, str]) -> Iterator[str]:
    """Give the passwords in addresses, and each password as HTTP carries it: with its user, in base64 (RFC 7617)."""
    pairs = [
        (environment.get(name[: -len("PASSWORD")] + "USERNAME", ""), value)
        for name, value in environment.items()
        if name.endswith("PASSWORD")
    ]
    for value in environment.values():
        pairs += [(unquote(user), unquote(password)) for user, password in _IN_ADDRESS.findall(value)]
    for user, password in pairs:
        yield password
        yield base64.b64encode(f"{user}:{password}".encode()).decode()
