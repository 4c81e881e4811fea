"""What breaks for those who call stable, and what does not."""

from __future__ import annotations

import pytest

from ferryman.rollout.compatibility import MOST_SAID, MOST_TEXT, Difference, Released, Signature, Value, difference

AMOUNT, COUNTRY = Value("amount", "long"), Value("country", "string")
FRAUD = Value("fraud", "boolean")
STABLE = Signature((AMOUNT, COUNTRY), (FRAUD,))


def breaks(inputs: tuple[Value, ...] | None, outputs: tuple[Value, ...] | None = (FRAUD,)) -> tuple[str, ...]:
    return difference(Released(STABLE), Released(Signature(inputs, outputs))).breaks


@pytest.mark.parametrize(
    "inputs",
    [
        (AMOUNT, COUNTRY),
        (AMOUNT, COUNTRY, Value("hour", "long", required=False)),
        (Value("amount", "double"), COUNTRY),
        (AMOUNT, Value("country", "string", required=False)),
    ],
    ids=["the same", "an optional input more", "a wider number", "an input that it can do without"],
)
def test_what_stable_was_asked_the_candidate_can_be_asked(inputs: tuple[Value, ...]) -> None:
    assert breaks(inputs) == ()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ((AMOUNT, COUNTRY, Value("hour", "long")), 'it needs "hour" (long), which stable does not take'),
        ((AMOUNT,), 'it does not take "country" any more'),
        ((AMOUNT, Value("country", "long")), 'it takes "country" as long, and stable as string'),
        ((Value("amount", "integer"), COUNTRY), 'it takes "amount" as integer, and stable as long'),
        ((COUNTRY, AMOUNT), "it takes the same inputs in another order, so rows without names would be misread"),
        ((Value("", "float64 [-1,2]"),), "it has 1 inputs, and stable has 2"),
    ],
)
def test_what_breaks_is_said_by_its_name(inputs: tuple[Value, ...], said: str) -> None:
    assert breaks(inputs) == (said,)


def test_an_input_that_stable_does_without_must_not_be_needed() -> None:
    old = Released(Signature((Value("amount", "long", required=False),)))

    assert difference(old, Released(Signature((AMOUNT,)))).breaks == ('it needs "amount", which stable does without',)


def test_an_answer_of_another_type_or_none_at_all_breaks() -> None:
    inputs = STABLE.inputs

    assert breaks(inputs, (Value("fraud", "double"),)) == ('it gives "fraud" as double, and stable as boolean',)
    assert breaks(inputs, (Value("score", "boolean"),)) == ('it does not give "fraud" any more',)
    assert breaks(inputs, (FRAUD, Value("score", "double"))) == ()


def test_values_without_names_are_compared_by_their_place() -> None:
    old, new = (Released(Signature((Value("", kind),))) for kind in ("float32 [-1,4]", "float32 [-1,5]"))

    assert difference(old, old).breaks == ()
    assert difference(old, new).breaks == ("its input 1 is float32 [-1,5], and stable as float32 [-1,4]",)


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("v1.4.0", "v1.5.0", False),
        ("1.4.0", "v1.4.1-rc.1", False),
        ("v1.4.0", "v2.0.0", True),
        ("v2.0.0", "v1.9.0", True),
        ("v1.4.0", None, False),
        ("v1.4.0", "the second", False),
    ],
)
def test_another_major_release_breaks_by_its_own_word(old: str, new: str | None, broken: bool) -> None:
    found = difference(Released(STABLE, old), Released(STABLE, new))

    assert bool(found.breaks) is broken


def test_a_candidate_that_does_not_say_what_it_gives_is_not_known_to_give_what_stable_does() -> None:
    silent = Released(Signature(STABLE.inputs))

    assert difference(Released(STABLE), silent) == Difference((), known=False)
    assert difference(silent, Released(STABLE)) == Difference((), known=True)


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("float32 [-1,4]", "float64 [-1,4]", False),
        ("int32 [-1,4]", "float64 [-1,4]", False),
        ("float64 [-1,4]", "float32 [-1,4]", True),
        ("float32 [-1,4]", "float64 [-1,5]", True),
        ("long", "double [-1]", True),
    ],
)
def test_a_tensor_may_be_taken_in_wider_numbers_of_the_same_shape(old: str, new: str, broken: bool) -> None:
    before, after = (Released(Signature((Value("x", kind),))) for kind in (old, new))

    assert bool(difference(before, after).breaks) is broken


def test_a_type_without_end_is_told_in_a_few_words() -> None:
    endless = Signature((Value("x", "array " + "x" * 100_000),))

    [said] = difference(Released(endless), Released(Signature((Value("x", "long"),)))).breaks

    assert len(said) == MOST_TEXT
    assert said.startswith('it takes "x" as long, and stable as array xxx')


@pytest.mark.parametrize("without", [None, Signature(), Signature(outputs=(FRAUD,))])
def test_without_two_signatures_nobody_can_tell(without: Signature | None) -> None:
    assert difference(Released(STABLE), Released(without)) == Difference((), known=False)
    assert difference(Released(without), Released(STABLE)) == Difference((), known=False)


def test_many_differences_are_told_in_a_few_words() -> None:
    wide = Signature(tuple(Value(f"x{number}", "double") for number in range(500)))

    said = difference(Released(Signature(())), Released(wide)).breaks

    assert len(said) == MOST_SAID + 1
    assert said[-1] == f"and {500 - MOST_SAID} more"
