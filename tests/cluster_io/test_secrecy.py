"""What was told in confidence, in whatever form a registry says it again."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse

import pytest

from ferryman.registry.secrecy import HIDDEN, redacted

SECRET = 'pl/an+ted "0451"?>~'
ENVIRONMENT = {
    "MLFLOW_TRACKING_USERNAME": "operator",
    "MLFLOW_TRACKING_PASSWORD": SECRET,
    "PROXY_USERNAME": "o",
    "PROXY_PASSWORD": "short",
    "HOME": "/home/operator",
}


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote_plus(SECRET)),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"operator:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"operator:{SECRET}".encode()).decode().rstrip("="),
        base64.b64encode(b"o:short").decode(),
    ],
)
def test_a_secret_is_hidden_in_each_form_in_which_it_is_sent(form: str) -> None:
    said = redacted(f"no such account: '{form}' at /home/operator", ENVIRONMENT)

    assert form.rstrip("=") not in said
    assert said.startswith(f"no such account: '{HIDDEN}")
    assert said.endswith("' at /home/operator")


def test_a_secret_that_is_no_text_keeps_nothing_from_being_said() -> None:
    assert redacted("it is \udcff12345", {"MLFLOW_TRACKING_TOKEN": "\udcff12345"}) == f"it is {HIDDEN}"


def test_what_only_looks_like_a_secret_is_left() -> None:
    said = "the token of short operators is at https://mlflow.example.com/a@b"

    assert redacted(said, ENVIRONMENT) == said
