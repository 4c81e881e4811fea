"""Hostile model URIs, in the operator: the rules that hold even where the schema was passed by.

The corpus names what is known; the properties spoil good URIs in ways that nobody wrote down.
"""

from __future__ import annotations

import os
import re
import time

import pytest
from hostile import corpus
from hostile.corpus import Hostile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ferryman.api import reference
from ferryman.api.modeldeployment import ModelSource

EXAMPLES = settings(
    max_examples=max(50, int(os.environ.get("FERRYMAN_EXAMPLES", "1500")) // 5),
    deadline=None,
    derandomize="FERRYMAN_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
PLAIN = corpus.plain()
OUTSIDE = (
    "".join(chr(code) for code in (*range(0x20), 0x5C, 0x7F)) + "\u2028\u202e\u200b\uff0e\u2024\uff0f\u0430\u0661"
)


@pytest.mark.parametrize("hostile", corpus.hostile(), ids=lambda hostile: f"{hostile.group}: {hostile.uri[:50]!a}")
def test_a_hostile_uri_is_refused(hostile: Hostile) -> None:
    with pytest.raises(ValidationError) as refused:
        ModelSource(uri=hostile.uri)

    assert len(refused.value.errors()) == 1
    assert "spec.model.uri must" in str(refused.value) or "characters" in str(refused.value)


def test_the_corpus_is_as_large_as_it_is_said_to_be_and_names_nothing_twice() -> None:
    uris = [hostile.uri for hostile in corpus.hostile()]

    assert len(uris) >= 200
    assert len(set(uris)) == len(uris)


@pytest.mark.parametrize("uri", PLAIN)
def test_a_plain_uri_is_taken(uri: str) -> None:
    assert ModelSource(uri=uri).uri == uri


def test_every_rule_has_a_hostile_uri_that_no_other_rule_refuses() -> None:
    """A rule that nothing needs can go."""
    broken = [[rule.message for rule in reference.RULES if not rule.holds(each.uri)] for each in corpus.hostile()]

    alone = {messages[0] for messages in broken if len(messages) == 1}
    assert {rule.message for rule in reference.RULES} - alone == set()


def refused(uri: str) -> bool:
    try:
        reference.checked(uri)
    except ValueError:
        return True
    return False


@given(uri=st.sampled_from(PLAIN), odd=st.sampled_from(OUTSIDE), place=st.floats(0, 1))
@EXAMPLES
def test_a_character_that_is_no_printable_ascii_spoils_any_uri(uri: str, odd: str, place: float) -> None:
    at = round(place * len(uri))

    assert refused(uri[:at] + odd + uri[at:])


@given(
    uri=st.sampled_from(PLAIN),
    part=st.sampled_from(
        ["..", ".", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%2f..", "..;x", "%00", "%0d%0a", "", "%5c"]
    ),
    place=st.integers(0, 5),
)
@EXAMPLES
def test_a_part_that_climbs_or_is_empty_spoils_any_uri(uri: str, part: str, place: int) -> None:
    scheme, slashes, rest = re.split("(//?)", uri, maxsplit=1)
    parts = rest.split("/")
    at = min(place, len(parts) - 1)  # after the last part stands the end, where an empty one is a folder's slash

    assert refused(scheme + slashes + "/".join([*parts[:at], part, *parts[at:]]))


@given(
    uri=st.sampled_from([uri for uri in PLAIN if "://" in uri]),
    user=st.text("abc:%40.@", min_size=1, max_size=8).filter(lambda user: "/" not in user),
)
@EXAMPLES
def test_a_user_before_the_host_spoils_any_uri(uri: str, user: str) -> None:
    scheme, rest = uri.split("://", 1)

    assert refused(f"{scheme}://{user}@{rest}")


@given(uri=st.sampled_from(PLAIN), mark=st.sampled_from("?#"), more=st.text(min_size=0, max_size=8))
@EXAMPLES
def test_a_query_or_a_fragment_spoils_any_uri(uri: str, mark: str, more: str) -> None:
    assert refused(uri + mark + more)


address = st.integers(0, 2**32 - 1).flatmap(
    lambda number: st.sampled_from(
        [
            str(number),
            hex(number),
            f"0{number:o}",
            ".".join(str(byte) for byte in number.to_bytes(4, "big")),
            ".".join(hex(byte) for byte in number.to_bytes(4, "big")),
            ".".join(f"0{byte:o}" for byte in number.to_bytes(4, "big")),
            f"{number >> 24}.{number & 0xFFFFFF}",
            f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        ]
    )
)


@given(address=address, port=st.sampled_from(["", ":443", ":8080"]), path=st.sampled_from(["/m", "/a/b.onnx"]))
@example(address="0x7F.1", port="", path="/m")
@EXAMPLES
def test_no_notation_of_any_address_is_a_host(address: str, port: str, path: str) -> None:
    assert refused(f"https://{address}{port}{path}")


@given(text=st.text(max_size=60), scheme=st.sampled_from(["", *reference.SCHEMES]))
@EXAMPLES
def test_what_is_taken_is_plain_text_of_a_known_scheme(text: str, scheme: str) -> None:
    uri = scheme + text
    if not refused(uri):
        assert uri.isascii()
        assert uri.isprintable()
        assert uri.startswith(reference.SCHEMES)
        assert not {".", "..", "%2e"} & set(uri.lower().split("/"))


@pytest.mark.parametrize(
    "head", ["https://", "https://models.example.com/", "s3://bucket/", "pvc://", "models:/", ""]
)
@pytest.mark.parametrize("unit", ["a", "a.", "-", "/", "%2", "%2e", "a-", "../", " ", "a ", "@a", ".a/"])
def test_no_text_takes_long_to_refuse(head: str, unit: str) -> None:
    """S31: patterns cost no more than the length of the text; 40 kB is forty times what the schema lets through."""
    uri = head + unit * (40_000 // len(unit)) + "\x00"
    began = time.process_time()

    assert refused(uri)

    assert time.process_time() - began < 0.5
