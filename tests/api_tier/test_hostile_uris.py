"""Hostile model URIs, at the apiserver: its rules and the operator's are one table, and must say the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile import corpus
from hostile.judge import Judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_tier.kubectl import Kubectl
from ferryman.api import reference
from localcluster.controlplane import ControlPlane


@pytest.fixture(scope="module")
def judge(plane: ControlPlane, admin: Kubectl) -> Iterator[Judge]:
    with Judge(plane.kubeconfig) as judge:
        yield judge


def words(uri: str) -> str:
    """Return what the operator says to a URI; nothing to one that it takes."""
    try:
        reference.checked(uri)
    except ValueError as refused:
        return str(refused)
    return ""


def said(judge: Judge, uri: str) -> str:
    return judge.create({"model": {"uri": uri}})


def test_every_hostile_uri_is_refused_with_the_words_that_the_operator_would_use(judge: Judge) -> None:
    taken, otherwise = [], []
    for hostile in corpus.hostile():
        answer = said(judge, hostile.uri)
        if not answer:
            taken.append(hostile)
        elif len(hostile.uri) <= 1024 and words(hostile.uri) not in answer:
            otherwise.append((hostile, answer))

    assert taken == []
    assert otherwise == []


def test_every_plain_uri_is_taken(judge: Judge) -> None:
    assert {uri: answer for uri in corpus.plain() if (answer := said(judge, uri))} == {}


alphabet = st.text("aA1.-_/%:@~;?#\\ \n\u00e92e5cf0", min_size=1, max_size=6)


@given(uri=st.sampled_from(corpus.plain()), odd=alphabet, begin=st.floats(0, 1), length=st.integers(0, 6))
@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_apiserver_and_the_operator_agree_about_spoilt_uris(
    judge: Judge, uri: str, odd: str, begin: float, length: int
) -> None:
    at = round(begin * len(uri))
    spoilt = uri[:at] + odd + uri[at + length :]

    answer, word = said(judge, spoilt), words(spoilt)

    assert bool(answer) == bool(word), (spoilt, answer, word)
    assert word in answer
