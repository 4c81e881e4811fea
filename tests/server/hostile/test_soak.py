"""The long load's own parts: its questions, its pace, and how it judges the memory."""

import itertools
import json
import re

import pytest
from benchmarks.server.questions import Sheet
from benchmarks.soak import load, minutes, page, questions
from benchmarks.soak.minutes import Minute

SHEET = Sheet([[5.1, 3.5, 1.4, 0.2]] * 256, [0] * 256, [])


def hour(memory, errors=0):
    return [Minute(at, 9_000, errors * (at == 30), 2.0, memory(at), 0.5) for at in range(1, 61)]


@pytest.mark.parametrize(
    ("memory", "good"),
    [
        (lambda at: 120.0, True),
        (lambda at: 120.0 + at % 7 / 10, True),
        (lambda at: min(120.0 + at, 131.0), True),  # a warm-up of eleven minutes
        (lambda at: 120.0 + at / 30, False),  # two megabytes an hour
        (lambda at: 120.0 + at % 3 + at / 10, False),
    ],
)
def test_the_memory_may_settle_and_must_not_grow(memory, good):
    assert minutes.verdict(hour(memory)).good is good


def test_one_wrong_answer_is_one_too_many():
    found = minutes.verdict(hour(lambda at: 120.0, errors=1))

    assert (found.good, found.words) == (False, "1 answers were wrong or did not come")


def test_a_few_minutes_say_nothing_of_the_memory():
    assert minutes.verdict(hour(lambda at: 120.0 + at)[:9]).words.endswith("too few to say anything of the memory")


def test_the_slope_is_that_of_the_line():
    slope, give = minutes.slope(hour(lambda at: 100 + 3 * at / 60))

    assert (round(slope, 6), round(give, 6)) == (3.0, 0.0)


def test_bad_requests_are_spread_among_good_ones_in_every_protocol():
    asked = questions.made(SHEET)
    bad = {one.name for one in questions.BAD}
    places = [at for at, one in enumerate(asked) if one.name in bad]

    assert {one.path for one in asked if one.name not in bad} == {questions.V1, questions.V2, questions.MLFLOW}
    assert len(places) == len(bad)
    assert max(after - before for before, after in itertools.pairwise(places)) <= 20


def test_a_question_is_written_in_luas_plain_letters():
    one = questions.Asked("any byte", "/x", bytes(range(256)), {"a-b": "c"}, 400, b'{"error":"\\n"}1')

    told = load.lua([one])

    assert told.isascii()
    body = re.search(r' body="(.*?)", answer="(.*?)"}', told)
    assert [unquoted(part) for part in body.groups()] == [one.body, one.answer]
    assert ' headers={["a-b"]="c"}' in told


def unquoted(text: str) -> bytes:
    """Lua's decimal escapes, which always have three digits here."""
    return re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1])]), text.encode())


def test_what_the_script_says_is_read():
    said = {
        "requests": 600,
        "microseconds": 2_000_000,
        "p50": 900,
        "p99": 2500,
        "broken": 1,
        "wrong": 2,
        "sample": "x",
    }

    found = load.parsed(f"Running\n{json.dumps(said)}\n")

    assert (found.rate, found.p99_ms, found.errors, found.sample) == (300.0, 2.5, 3, "x")
    with pytest.raises(load.LoadError):
        load.parsed("unable to connect")


def test_the_page_tells_every_fifth_minute_and_the_verdict():
    told = page.text({"day": "1 Jan 2027"}, hour(lambda at: 120.0))

    assert told.count("\n| ") == 14  # the head, minute 1, and every fifth
    assert "**no error; the memory changes by +0.00 ± 0.00 MB an hour, and may grow by 1.**" in told
    assert all(len(line) <= 118 for line in told.splitlines())
