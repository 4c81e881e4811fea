"""What comes from a bucket: trees and files, gone on with where they were cut off."""

import functools
import hashlib
import os
import uuid
from collections.abc import Callable

import pytest
from server.fetch import relay
from server.fetch.fetching import fetch, refused

from ferryman_server.fetch import digest
from ferryman_server.fetch import s3 as s3_fetch
from ferryman_server.reason import Reason


def test_a_prefix_gives_a_tree_and_a_key_gives_a_file(bucket, room, shelf):
    tree = fetch(room, f"s3://{bucket}/models/iris")
    file = fetch(room, f"s3://{bucket}/single/model.onnx")

    assert tree.files == digest.files(shelf.mlflow_onnx())
    assert tree.digest == digest.of_tree(shelf.mlflow_onnx())
    assert file.files == {"model.onnx": 5}
    assert file.digest == "sha256:" + hashlib.sha256(b"graph").hexdigest()


def test_an_empty_prefix_and_a_missing_bucket_are_not_found(bucket, room):
    for uri in (f"s3://{bucket}/models/rose", "s3://no-such-bucket/models"):
        assert refused(room, uri).reason is Reason.ARTIFACT_NOT_FOUND


def test_s3_without_credentials_names_the_secret(s3, room, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    error = refused(room, "s3://bucket/model")

    assert error.reason is Reason.ARTIFACT_FORBIDDEN
    assert "Secret" in error.message


def test_an_s3_endpoint_that_does_not_answer_is_named(s3, room, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    error = refused(room, "s3://bucket/model")

    assert error.reason is Reason.ARTIFACT_UNREACHABLE
    assert "http://127.0.0.1:9" in error.message


def _put(s3: str, content: bytes) -> tuple[str, Callable[[bytes], object]]:
    """Make a bucket with one object; return its address, and how to replace it."""
    import boto3

    client, name = boto3.client("s3", endpoint_url=s3, region_name="us-east-1"), f"big{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    replace = functools.partial(client.put_object, Bucket=name, Key="big/weights.bin")
    replace(Body=content)
    return f"s3://{name}/big", lambda content: replace(Body=content)


@pytest.mark.parametrize("part", [s3_fetch._PART, 128 * 1024])
def test_an_object_goes_on_where_it_was_cut_off(s3, room, impatient, monkeypatch, part):
    content = os.urandom(1_000_000)
    uri, _ = _put(s3, content)
    monkeypatch.setattr(s3_fetch, "_PART", part)

    with relay.before(s3, after=300_000) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        fetched = fetch(room, uri)

    assert fetched.files == {"weights.bin": len(content)}
    assert (room / "artifact/weights.bin").read_bytes() == content
    assert part < len(content) or line.cuts == 3


def test_an_object_that_is_cut_off_again_and_again_is_given_up(s3, room, impatient, monkeypatch):
    uri, _ = _put(s3, os.urandom(1_000_000))

    with relay.before(s3, after=2_000) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        error = refused(room, uri)

    assert error.reason is Reason.ARTIFACT_UNREACHABLE
    assert line.cuts == 21


def test_an_object_that_is_replaced_meanwhile_is_no_mixture(s3, room, impatient, monkeypatch):
    uri, replace = _put(s3, os.urandom(1_000_000))

    with relay.before(s3, after=300_000) as line:
        line.cut = lambda: replace(os.urandom(1_000_000))
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        error = refused(room, uri)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "was replaced" in str(error)
    assert line.cuts == 1


def test_an_object_of_other_bytes_than_were_promised_isrefused(s3, room):
    uri, _ = _put(s3, b"weights")
    right = "sha256:" + hashlib.sha256(b"weights.bin\x007\x00weights").hexdigest()

    error = refused(room, uri, model_digest="sha256:" + "0" * 64)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert right in error.message
    assert fetch(room, uri, model_digest=right).digest == right


def test_a_bucket_larger_than_a_model_may_be_is_not_fetched(bucket, room):
    error = refused(room, f"s3://{bucket}/models/iris", max_artifact_bytes=999)

    assert error.reason is Reason.ARTIFACT_CORRUPT
    assert "larger than 999 B" in error.message
    assert list(room.iterdir()) == []
