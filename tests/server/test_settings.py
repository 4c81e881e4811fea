"""The environment contract."""

from pathlib import Path

import pytest

from ferryman_server import settings
from ferryman_server.reason import FatalError, Reason
from ferryman_server.settings import Format, Settings


def test_the_operators_environment_becomes_settings():
    found = settings.from_environment(
        {
            "FERRYMAN_MODEL_NAME": "fraud",
            "FERRYMAN_MODEL_VERSION": "7",
            "FERRYMAN_REVISION": "fraud-0a1b2c3d",
            "FERRYMAN_MODEL_URI": "models:/fraud/7",
            "FERRYMAN_MODEL_FORMAT": "mlflow",
            "FERRYMAN_MODEL_DIR": "/m",
            "FERRYMAN_MODEL_DIGEST": "sha256:" + "a" * 64,
            "FERRYMAN_ALLOW_PICKLE": "true",
            "FERRYMAN_PVC_MOUNT": "/p",
            "FERRYMAN_PORT": "9000",
            "FERRYMAN_WARMUP_REQUESTS": "3",
            "FERRYMAN_WARMUP_FILE": "/w/recorded.jsonl",
            "FERRYMAN_MAX_BATCH_SIZE": "32",
            "FERRYMAN_MAX_CONNECTIONS": "100",
            "FERRYMAN_MAX_ROWS": "1000",
            "FERRYMAN_MAX_QUEUE_BYTES": "4096",
            "FERRYMAN_MAX_QUEUE_SECONDS": "9",
            "FERRYMAN_DRAIN_SECONDS": "9",
            "FERRYMAN_CPU_REQUEST": "1.5",
            "FERRYMAN_TERMINATION_LOG": "/t",
        }
    )

    assert found == Settings(
        model_name="fraud",
        model_version="7",
        revision="fraud-0a1b2c3d",
        model_uri="models:/fraud/7",
        model_format=Format.MLFLOW,
        model_dir=Path("/m"),
        model_digest="sha256:" + "a" * 64,
        allow_pickle=True,
        pvc_mount=Path("/p"),
        port=9000,
        warmup_requests=3,
        warmup_file=Path("/w/recorded.jsonl"),
        max_batch_size=32,
        max_connections=100,
        max_rows=1000,
        max_queue_bytes=4096,
        max_queue_seconds=9,
        drain_seconds=9,
        cpu_request=1.5,
        termination_log=Path("/t"),
    )


def test_empty_values_mean_the_defaults():
    env = dict.fromkeys(("FERRYMAN_MODEL_VERSION", "FERRYMAN_MODEL_FORMAT", "FERRYMAN_WARMUP_FILE"), "")

    assert settings.from_environment({"FERRYMAN_MODEL_NAME": "fraud", **env}) == Settings("fraud")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("FERRYMAN_MODEL_NAME", "", "the name that clients use"),
        ("FERRYMAN_PORT", "http", "a whole number, 0 or more"),
        ("FERRYMAN_MAX_BATCH_SIZE", "0", "a whole number, 1 or more"),
        ("FERRYMAN_ALLOW_PICKLE", "yes", "true or false"),
        ("FERRYMAN_CPU_REQUEST", "500m", "a number of cores, as 2 or 0.5"),
        ("FERRYMAN_MODEL_DIGEST", "md5:1", "64 hexadecimal digits"),
        ("FERRYMAN_MODEL_FORMAT", "coreml", '"coreml" is not known; use one of auto, mlflow'),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(variable, value, told):
    with pytest.raises(FatalError) as refused:
        settings.from_environment({"FERRYMAN_MODEL_NAME": "fraud", variable: value})

    assert told in refused.value.message
    assert refused.value.reason in {Reason.LOAD_FAILED, Reason.UNKNOWN_FORMAT}


def test_nothing_is_remembered_unless_it_is_wanted():
    found = settings.from_environment({"FERRYMAN_MODEL_NAME": "fraud"})

    assert (found.cache_bytes, found.cache_ttl_seconds, found.cache_redis) == (0, 300, "")


CACHE = {"FERRYMAN_MODEL_NAME": "fraud", "FERRYMAN_REVISION": "fraud-0a1b2c3d", "FERRYMAN_CACHE_BYTES": "1000000"}


@pytest.mark.parametrize("url", ["redis://cache:6379/0", "rediss://me:s3cr3t@cache", "redis://[::1]:6379"])
def test_a_redis_is_an_address_and_what_is_printed_of_the_settings_does_not_hold_it(url):
    found = settings.from_environment(CACHE | {"FERRYMAN_CACHE_REDIS": url, "FERRYMAN_CACHE_TTL_SECONDS": "60"})

    assert (found.cache_bytes, found.cache_ttl_seconds, found.cache_redis) == (1_000_000, 60, url)
    assert "cache:" not in repr(found)
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"FERRYMAN_CACHE_REDIS": "http://:s3cr3t@cache"}, "must be redis:// or rediss://"),
        ({"FERRYMAN_CACHE_REDIS": "s3cr3t"}, "must be redis:// or rediss://"),
        ({"FERRYMAN_CACHE_REDIS": "redis://:s3cr3t@cache:port"}, "must be redis:// or rediss://"),
        ({"FERRYMAN_CACHE_REDIS": "redis://:s3cr3t@"}, "must be redis:// or rediss://"),
        ({"FERRYMAN_CACHE_REDIS": "redis://:s3cr3t@cache", "FERRYMAN_CACHE_BYTES": "0"}, "FERRYMAN_CACHE_BYTES is 0"),
        ({"FERRYMAN_CACHE_REDIS": "redis://:s3cr3t@cache", "FERRYMAN_REVISION": ""}, "needs FERRYMAN_REVISION"),
        ({"FERRYMAN_CACHE_TTL_SECONDS": "0"}, "FERRYMAN_CACHE_TTL_SECONDS"),
        ({"FERRYMAN_CACHE_BYTES": "many"}, "FERRYMAN_CACHE_BYTES"),
    ],
)
def test_a_cache_that_cannot_be_meant_is_refused_without_its_password(env, told):
    with pytest.raises(FatalError) as refused:
        settings.from_environment(CACHE | env)

    assert told in refused.value.message
    assert "s3cr3t" not in refused.value.message
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "optimize", "precision"),
    [("", True, ""), ("auto", True, ""), ("off", False, ""), ("fp16", True, "fp16"), ("int8", True, "int8")],
)
def test_smaller_numbers_are_only_for_those_who_ask(value, optimize, precision):
    found = settings.from_environment({"FERRYMAN_MODEL_NAME": "fraud", "FERRYMAN_OPTIMIZE": value})

    assert (found.optimize, found.precision) == (optimize, precision)
