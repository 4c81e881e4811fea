"""Downloads one object, or everything under a prefix, from S3 or what speaks like it.

An object comes in parts, several at once. Each goes on where it was cut off, if the object is still the same.
"""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import boto3.session
import botocore.config
import botocore.exceptions

from ferryman_server import log
from ferryman_server.fetch import progress
from ferryman_server.fetch import source as sources
from ferryman_server.fetch.budget import Budget
from ferryman_server.fetch.patience import Patience
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.reason import FatalError, Reason, first_line

_PART = 16 * 1024 * 1024
_CHUNK = 64 * 1024
"""At most so much is lost of what came before a cut."""
_AT_ONCE = 8
_CUT = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
)
_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_FORBIDDEN = {"403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_REPLACED = {"412", "PreconditionFailed", "416", "InvalidRange"}


@dataclass(frozen=True, slots=True)
class _Object:
    bucket: str
    key: str
    size: int
    mark: str
    """Its ETag in the listing."""

    @property
    def name(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class _Part:
    """What is missing of an object: from one byte to before another."""

    object: _Object
    target: Path
    begin: int
    end: int

    def wanted(self) -> dict[str, str]:
        """Return what to ask with; a whole object is asked for as such, because S3 knows its checksum."""
        one = self.object
        which = {"Bucket": one.bucket, "Key": one.key, "IfMatch": one.mark}
        if (self.begin, self.end) == (0, one.size):
            return which
        return {**which, "Range": f"bytes={self.begin}-{self.end - 1}"}


def fetch(source: sources.Source, into: Path, *, limit: int, expect: Expect = unexpected) -> bool:
    """Download; True when the artefact is a single object."""
    try:
        client = _client()
        listed = _listing(client, source)
        total = sum(one.size for one in listed)
        Budget(source.uri, limit).foresee(total)  # no part brings more than the listing says
        expect(total)
        parts = [part for one in listed for part in _parts(one, _target(source, one, into))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda part: _bring(client, part), parts):
                pass
    except botocore.exceptions.ClientError as error:
        raise _refused(source, error) from error
    except botocore.exceptions.NoCredentialsError as error:
        raise FatalError(
            Reason.ARTIFACT_FORBIDDEN,
            f"No credentials for {source.uri}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; "
            "name the Secret that has them.",
        ) from error
    except botocore.exceptions.FlexibleChecksumError as error:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT, f"{source.uri} came damaged ({first_line(error)}); try again."
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        endpoint = _endpoint() or "Amazon S3"
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{endpoint} did not answer for {source.uri} ({first_line(error)}); "
            "check AWS_ENDPOINT_URL and the network.",
        ) from error
    return [one.key for one in listed] == [source.path]


def _bring(client: Any, part: _Part) -> None:
    """Ask until every byte of a part is here, for as long as each answer brings some."""
    patience = Patience()
    while part.begin < part.end:
        begin, here = part.begin, part.begin
        try:
            answer = client.get_object(**part.wanted())
            with contextlib.closing(answer["Body"]) as body, part.target.open("r+b") as file:
                if _begins(answer) != begin:
                    raise _replaced(part.object)
                file.seek(begin)
                for chunk in body.iter_chunks(_CHUNK):
                    here += len(chunk)
                    if here > part.end:
                        raise _replaced(part.object)
                    file.write(chunk)
        except _CUT as error:
            if patience.ends(brought=here > begin):
                raise
            log.line(
                f"The connection ended after {progress.size(here)} of {part.object.name} ({type(error).__name__}); "
                "asking for the rest"
            )
            patience.wait()
        else:
            if here != part.end:
                raise _replaced(part.object)
        part = replace(part, begin=here)


def _begins(answer: Any) -> int:
    """Return at which byte an answer begins: `bytes 10-19/100` at 10, a whole object at 0."""
    return int(answer.get("ContentRange", "bytes 0-").removeprefix("bytes ").partition("-")[0])


def _parts(one: _Object, target: Path) -> list[_Part]:
    begins = range(0, one.size, _PART)
    return [_Part(one, target, begin, min(begin + _PART, one.size)) for begin in begins]


def _target(source: sources.Source, one: _Object, into: Path) -> Path:
    """Make the empty file that an object comes to."""
    relative = PurePosixPath(one.key[len(source.path) :].lstrip("/") or PurePosixPath(one.key).name)
    if ".." in relative.parts:
        raise FatalError(Reason.ARTIFACT_CORRUPT, f'{source.uri} holds "{one.key}", which climbs out of it.')
    target = into / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    return target


def _client() -> Any:
    # Path style, because a private endpoint seldom has a DNS name for each bucket.
    style = {"addressing_style": "path"} if _endpoint() else {}
    config = botocore.config.Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 3},
        s3=style,
        max_pool_connections=_AT_ONCE,
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.session.Session().client("s3", config=config, region_name=region, endpoint_url=_endpoint() or None)


def _endpoint() -> str:
    """Return where S3 is, by the names that Amazon's clients and MLflow's have for it; nothing for Amazon's own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _listing(client: Any, source: sources.Source) -> list[_Object]:
    folder = source.path.rstrip("/") + "/"
    found: list[_Object] = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=source.place, Prefix=source.path):
        for item in page.get("Contents", ()):
            one = _Object(source.place, item["Key"], item["Size"], item["ETag"])
            if one.key == source.path and not one.key.endswith("/"):
                return [one]
            if one.key.startswith(folder) and not one.key.endswith("/"):
                found.append(one)
    if not found:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f'Bucket "{source.place}" has nothing at "{source.path}"; check the key in {source.uri}.',
        )
    return found


def _replaced(one: _Object) -> FatalError:
    return FatalError(
        Reason.ARTIFACT_CORRUPT, f"{one.name} is not what was listed any more; was it replaced meanwhile? Try again."
    )


def _refused(source: sources.Source, error: botocore.exceptions.ClientError) -> FatalError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in _MISSING:
        return FatalError(
            Reason.ARTIFACT_NOT_FOUND, f"{source.uri} does not exist ({code}); check the bucket and the key."
        )
    if code in _FORBIDDEN:
        return FatalError(
            Reason.ARTIFACT_FORBIDDEN,
            f"Access to {source.uri} was denied ({code}); "
            "check the credentials in the Secret and the bucket's policy.",
        )
    if code in _REPLACED:
        return FatalError(
            Reason.ARTIFACT_CORRUPT, f"{source.uri} was replaced while it was fetched ({code}); try again."
        )
    return FatalError(
        Reason.ARTIFACT_UNREACHABLE, f"{source.uri} could not be read: {first_line(error)}; try again later."
    )
