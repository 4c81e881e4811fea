"""What the clients of artefact stores need, and what they mean by their errors; none of them is imported for it.

MLflow fetches from a bucket with the library of whoever keeps it: botocore's, Google's, Azure's. Their errors have no
class in common, and say their HTTP status each in a way of its own.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferryman_server.reason import Reason

KEY = "GOOGLE_APPLICATION_CREDENTIALS_JSON"
"""The variable in which a Secret gives the text of a service account's key."""
_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
REASONS = {
    401: Reason.ARTIFACT_FORBIDDEN,
    403: Reason.ARTIFACT_FORBIDDEN,
    404: Reason.ARTIFACT_NOT_FOUND,
}
_WITHOUT_CREDENTIALS = frozenset(
    {
        "ClientAuthenticationError",  # azure-core, azure-identity
        "CredentialUnavailableError",
        "DefaultCredentialsError",  # google-auth
        "NoCredentialsError",  # botocore
        "RefreshError",  # google-auth
    }
)


@contextlib.contextmanager
def credentials() -> Iterator[None]:
    """Let Google's client find its key, which it reads from a file only; the file is gone afterwards."""
    text = os.environ.get(KEY)
    if not text:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="google-") as room:
        file = Path(room) / "key.json"
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        os.environ[_FILE] = str(file)
        try:
            yield
        finally:
            del os.environ[_FILE]


def reason(error: BaseException) -> Reason | None:
    """Return what a client's error, or the one that led to it, means; None where it says nothing of the kind."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__name__ in _WITHOUT_CREDENTIALS:
            return Reason.ARTIFACT_FORBIDDEN
        found = REASONS.get(_status(seen))
        if found is not None:
            return found
        seen = seen.__cause__ or seen.__context__
    return None


def _status(error: BaseException) -> int:
    """Return the HTTP status that an error stands for; 0 if it names none."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    for said in (
        getattr(response, "status_code", None),  # requests
        getattr(error, "status_code", None),  # azure-core
        getattr(error, "code", None),  # google-api-core
    ):
        if isinstance(said, int):
            return int(said)
    return 0
