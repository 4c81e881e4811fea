"""Credentials of a pod stay out of the words that it leaves."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ferryman_server import reason, secrecy

PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted-key-0451",
    "MLFLOW_TRACKING_TOKEN": "planted-token-0451",
    "SHORT_KEY": "abc",
}


def test_a_text_loses_what_is_named_like_a_secret():
    said = "Bearer planted-token-0451 for https://me:planted-pass@host/x, signed planted-key-0451abc"

    kept = secrecy.redacted(said, PLANTED)

    assert kept == "Bearer (hidden) for https://(hidden)@host/x, signed (hidden)abc"


def test_a_text_loses_the_key_inside_a_connection_string():
    environment = {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=planted-azure-0451==;Endpoint=x"}

    assert secrecy.redacted("signed with planted-azure-0451==", environment) == "signed with (hidden)"


def _basic(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    "environment",
    [
        {"MLFLOW_TRACKING_USERNAME": "planted-me", "MLFLOW_TRACKING_PASSWORD": "planted-pass:0451"},
        {"MLFLOW_TRACKING_URI": "http://planted-me:planted-pass%3A0451@registry:5000/path"},
    ],
)
def test_a_text_loses_a_password_as_http_carries_it(environment):
    said = f"sent Authorization: Basic {_basic('planted-me:planted-pass:0451')} with planted-pass:0451"

    assert secrecy.redacted(said, environment) == "sent Authorization: Basic (hidden) with (hidden)"


def test_a_text_loses_the_pieces_of_a_google_key():
    key = {
        "type": "service_account",
        "client_email": "reader@tests.iam.gserviceaccount.com",
        "private_key_id": "planted-id-0451",
        "private_key": "-----BEGIN KEY-----\nplantedMIIEvQ0451\nplantedIBADAN0451\n-----END KEY-----\n",
        "client_secret": "planted-client-0451",
    }
    environment = {"GOOGLE_APPLICATION_CREDENTIALS_JSON": json.dumps(key, indent=2)}

    said = secrecy.redacted(
        "reader@tests.iam.gserviceaccount.com, planted-id-0451: plantedIBADAN0451 is no key, nor is "
        f"{json.dumps(key['private_key'])}, and planted-client-0451",
        environment,
    )

    assert "planted" not in said
    assert said.startswith("reader@tests.iam.gserviceaccount.com, (hidden): (hidden) is no key, nor is ")


@pytest.mark.parametrize("text", ['{"private_key": ["planted', '["planted-0451"]', '{"private_key": 7}'])
def test_a_key_that_is_none_hides_itself_alone(text):
    assert (
        secrecy.redacted(f"{text} is no key", {"GOOGLE_APPLICATION_CREDENTIALS_JSON": text}) == "(hidden) is no key"
    )


def test_the_last_words_of_a_pod_have_none(monkeypatch, tmp_path):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    error = reason.FatalError(reason.Reason.ARTIFACT_FORBIDDEN, "the store refused planted-key-0451")

    reason.publish(error, tmp_path / "words")

    assert "planted" not in str(error)
    assert json.loads((tmp_path / "words").read_text())["message"] == "the store refused (hidden)"


@pytest.mark.parametrize("uri", ["models:/iris/1", "s3://bucket/model"])
def test_nothing_that_a_fetch_says_has_any(tmp_path, uri):
    """The address that does not answer carries a password, too."""
    environment = {
        **PLANTED,
        "AWS_ACCESS_KEY_ID": "planted-id-0451",
        "AWS_ENDPOINT_URL": "http://me:planted-pass-0451@127.0.0.1:9",
        "MLFLOW_TRACKING_URI": "http://me:planted-pass-0451@127.0.0.1:9",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "PYTHONPATH": str(Path(__file__).parents[2] / "runtime-image"),
        "HOME": str(tmp_path),
        "FERRYMAN_MODEL_NAME": "iris",
        "FERRYMAN_MODEL_URI": uri,
        "FERRYMAN_MODEL_DIR": str(tmp_path / "model"),
        "FERRYMAN_TERMINATION_LOG": str(tmp_path / "words"),
    }

    done = subprocess.run(
        [sys.executable, "-m", "ferryman_server.fetch"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "planted" not in done.stdout + done.stderr + (tmp_path / "words").read_text()
    assert json.loads((tmp_path / "words").read_text())["reason"].startswith("Artifact")
