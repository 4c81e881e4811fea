"""Downloads one object, or everything under a prefix, from S3 or what speaks like it."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

import boto3.session
import botocore.config
import botocore.exceptions

from ferryman_server.fetch import progress
from ferryman_server.fetch import source as sources
from ferryman_server.fetch.progress import Expect, unexpected
from ferryman_server.reason import FatalError, Reason, first_line

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_FORBIDDEN = {"403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}


def fetch(source: sources.Source, into: Path, *, limit: int, expect: Expect = unexpected) -> bool:
    """Download; True when the artefact is a single object."""
    try:
        client = _client()
        listed = _listing(client, source)
        _within(source, sum(listed.values()), limit)
        expect(sum(listed.values()))
        for key, size in listed.items():
            relative = PurePosixPath(key[len(source.path) :].lstrip("/") or PurePosixPath(key).name)
            if ".." in relative.parts:
                raise FatalError(Reason.ARTIFACT_CORRUPT, f'{source.uri} holds "{key}", which climbs out of it.')
            target = into / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(source.place, key, str(target))
            if target.stat().st_size != size:
                raise FatalError(
                    Reason.ARTIFACT_CORRUPT,
                    f"s3://{source.place}/{key} is {size} bytes in the listing and {target.stat().st_size} here; "
                    "was it replaced meanwhile? Try again.",
                )
    except botocore.exceptions.ClientError as error:
        raise _refused(source, error) from error
    except botocore.exceptions.NoCredentialsError as error:
        raise FatalError(
            Reason.ARTIFACT_FORBIDDEN,
            f"No credentials for {source.uri}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; "
            "name the Secret that has them.",
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        endpoint = _endpoint() or "Amazon S3"
        raise FatalError(
            Reason.ARTIFACT_UNREACHABLE,
            f"{endpoint} did not answer for {source.uri} ({first_line(error)}); "
            "check AWS_ENDPOINT_URL and the network.",
        ) from error
    return list(listed) == [source.path]


def _client() -> Any:
    # Path style, because a private endpoint seldom has a DNS name for each bucket.
    style = {"addressing_style": "path"} if _endpoint() else {}
    config = botocore.config.Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3}, s3=style)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.session.Session().client("s3", config=config, region_name=region)


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _listing(client: Any, source: sources.Source) -> dict[str, int]:
    folder = source.path.rstrip("/") + "/"
    found: dict[str, int] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=source.place, Prefix=source.path):
        for item in page.get("Contents", ()):
            key: str = item["Key"]
            if key == source.path and not key.endswith("/"):
                return {key: item["Size"]}
            if key.startswith(folder) and not key.endswith("/"):
                found[key] = item["Size"]
    if not found:
        raise FatalError(
            Reason.ARTIFACT_NOT_FOUND,
            f'Bucket "{source.place}" has nothing at "{source.path}"; check the key in {source.uri}.',
        )
    return found


def _within(source: sources.Source, total: int, limit: int) -> None:
    if total > limit:
        raise FatalError(
            Reason.ARTIFACT_CORRUPT,
            f"{source.uri} is {progress.size(total)}; the most a model may be is {progress.size(limit)}.",
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
    return FatalError(
        Reason.ARTIFACT_UNREACHABLE, f"{source.uri} could not be read: {first_line(error)}; try again later."
    )
