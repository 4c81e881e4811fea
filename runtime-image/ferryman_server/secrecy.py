"""What a store says goes into a termination message and a log; the pod's credentials must not come with it."""

import os
import re
from collections.abc import Mapping

_HIDDEN = "(hidden)"
_SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|KEY|CONNECTION_STRING")
_INSIDE = re.compile(r"(?:^|;)(?:AccountKey|SharedAccessSignature)=([^;]+)")  # of an Azure connection string
_SHORTEST = 6  # a value as short as this stands in many a text by chance


def redacted(said: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text without the values of variables that are named like secrets, nor passwords in addresses."""
    named = [value for name, value in environment.items() if _SECRET.search(name.upper())]
    named += [inside for value in named for inside in _INSIDE.findall(value)]
    for secret in sorted((value for value in named if len(value) >= _SHORTEST), key=len, reverse=True):
        said = said.replace(secret, _HIDDEN)
    return re.sub(r"://[^/@\s]+@", f"://{_HIDDEN}@", said)
