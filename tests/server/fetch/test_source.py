"""Model URIs, good and bad."""

import pytest

from ferryman_server.fetch import source
from ferryman_server.fetch.source import Kind, Source
from ferryman_server.reason import FatalError, Reason


@pytest.mark.parametrize(
    ("uri", "kind", "place", "path"),
    [
        ("models:/iris/7", Kind.REGISTRY, "iris", "7"),
        ("models://iris/7", Kind.REGISTRY, "iris", "7"),
        ("models:/m-0123456789abcdef0123456789abcdef", Kind.REGISTRY, "m-0123456789abcdef0123456789abcdef", ""),
        ("models:/my%20model/7", Kind.REGISTRY, "my model", "7"),
        ("s3://bucket/a/b", Kind.S3, "bucket", "a/b"),
        ("https://host:8443/m.onnx?sig=1", Kind.WEB, "host:8443", "m.onnx"),
        ("pvc://claim/a/b", Kind.VOLUME, "claim", "a/b"),
        ("pvc://claim", Kind.VOLUME, "claim", ""),
    ],
)
def test_a_uri_names_a_place_and_a_path_in_it(uri, kind, place, path):
    assert source.parse(uri) == Source(kind, uri, place, path)


@pytest.mark.parametrize(
    "uri",
    [
        "models:/iris",
        "models:/m-0123456789abcdef0123456789abcdef/",
        "models:/m-0123456789abcdef0123456789abcde",
        "models:/m-0123456789ABCDEF0123456789abcdef",
        "models:/iris@champion",
        "s3://bucket",
        "https://host",
        "ftp://x/y",
        "model.onnx",
        "pvc://c/../x",
    ],
)
def test_a_uri_that_names_no_model_is_refused_with_what_would_do(uri):
    with pytest.raises(FatalError, match="is not a model address; write") as refused:
        source.parse(uri)

    assert refused.value.reason is Reason.ARTIFACT_NOT_FOUND


def test_plain_http_is_refused_unless_allowed():
    with pytest.raises(FatalError, match="use https") as refused:
        source.parse("http://host/m.onnx")

    assert refused.value.reason is Reason.ARTIFACT_FORBIDDEN
    assert source.parse("http://host/m.onnx", allow_http=True).kind is Kind.WEB
