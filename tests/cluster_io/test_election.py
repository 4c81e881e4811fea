"""Who may act: never two at once, whatever clocks, delays, lost answers, pauses and restarts there are."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ferryman.cluster.election import DEADLINE, DURATION, NOBODY, RENEW, Election, Record


def holder(name: str = "a", now: float = 0.0) -> Election:
    one = Election(name)
    one.saw(None, now)
    one.won(Record(name, "1"), sent=now, now=now)
    return one


def test_a_lease_that_never_was_is_had_at_once() -> None:
    one = Election("a")
    assert not one.may_claim(100.0), "nothing is known yet"

    one.saw(None, 100.0)

    assert one.may_claim(100.0)


def test_a_lease_that_was_released_is_had_at_once() -> None:
    one = Election("a")
    one.saw(Record("b", "1"), 0.0)
    one.saw(Record(NOBODY, "2"), 1.0)

    assert one.may_claim(1.0)


def test_a_holder_that_is_silent_is_followed_after_the_duration_and_not_before() -> None:
    one = Election("a")
    one.saw(Record("b", "1"), 0.0)
    one.saw(Record("b", "1"), DURATION - 0.1)

    assert not one.may_claim(DURATION - 0.1)
    assert one.may_claim(DURATION)


def test_each_renewal_begins_the_wait_anew() -> None:
    one = Election("a")
    one.saw(Record("b", "1"), 0.0)
    one.saw(Record("b", "2"), 14.0)

    assert not one.may_claim(14.0 + DURATION - 0.1)


def test_a_lease_that_somebody_deleted_may_have_a_holder_who_does_not_know() -> None:
    one = Election("a")
    one.saw(Record("b", "1"), 0.0)
    one.saw(None, 14.0)

    assert not one.may_claim(14.0 + DURATION - 0.1)
    assert one.may_claim(14.0 + DURATION)


def test_a_holder_of_another_version_that_asks_for_more_time_gets_it() -> None:
    one = Election("a")
    one.saw(Record("b", "1", duration=60.0), 0.0)

    assert not one.may_claim(59.9)
    assert one.may_claim(60.0)


def test_a_holder_writes_for_ten_seconds_after_it_sent_its_renewal_however_late_the_answer_came() -> None:
    one = Election("a")
    one.saw(None, 0.0)
    one.won(Record("a", "1"), sent=0.0, now=4.0)

    assert one.due(4.0) == RENEW - 4.0
    assert one.left(DEADLINE - 0.5) == 0.5
    assert one.left(DEADLINE) == 0.0


def test_a_process_that_was_stopped_holds_nothing_when_it_goes_on() -> None:
    one = holder()

    one.won(Record("a", "2"), sent=5.0, now=125.0)  # the answer lay there all the time

    assert one.left(125.0) == 0.0


def test_who_ended_neither_writes_nor_claims() -> None:
    one = holder()

    one.end()

    assert one.left(0.0) == 0.0
    assert not one.may_claim(1000.0)


def test_a_claim_whose_answer_was_lost_is_known_by_its_name() -> None:
    one = Election("a")
    one.saw(Record("a", "7"), 0.0)

    assert one.left(0.0) == 0.0, "that it was written is not to know when"
    assert one.may_claim(0.0)
    assert one.taken() is None


WHICH = st.integers(0, 1)
AFTER = st.sampled_from([0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 9.0])
LATE = st.sampled_from([0.0, 0.0, 0.0, 3.0])
FATES = st.sampled_from([*["answered"] * 6, "held up", "lost on the way", "answer held up", "answer lost"])


@dataclass
class Candidate:
    """A process and its clock, with the one claim of it that is held up, before or after it is written."""

    election: Election
    offset: float
    rate: float
    onto: str | None = None
    sent: float = 0.0
    claims: str | None = None
    written: Record | None = None


class TwoNeverAct(RuleBasedStateMachine):
    """Two processes that begin anew now and then, and one Lease in a store that compares versions."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.lease: Record | None = None
        self.starts = 0
        self.candidates: list[Candidate] = []

    @initialize(clocks=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.9, 1.1)), min_size=2, max_size=2))
    def start(self, clocks: list[tuple[float, float]]) -> None:
        self.candidates = [Candidate(self._election(), offset, rate) for offset, rate in clocks]

    @rule(after=AFTER, which=WHICH, late=LATE, fate=FATES)
    def one_looks_and_claims(self, after: float, which: int, late: float, fate: str) -> None:
        self.time += after
        one, was = self.candidates[which], self.lease
        self.time += late
        one.election.saw(was, self._now(one))
        if one.election.may_claim(self._now(one)):
            self._claim(one, fate)

    @rule(after=AFTER, fate=FATES)
    def whoever_acts_renews(self, after: float, fate: str) -> None:
        self.time += after
        for one in self.candidates:
            if one.election.left(self._now(one)) > 0:
                self._claim(one, fate)

    @rule(which=WHICH, what=st.sampled_from(["write", "answer", "release", "death", "pause"]))
    def something_happens(self, which: int, what: str) -> None:
        one = self.candidates[which]
        match what:
            case "write":
                self._write_arrives(one)
            case "answer":
                self._answer_arrives(one)
            case "release":
                self._release(one)
            case "death":
                one.election = self._election()  # a write of its that is on its way may still arrive
            case "pause":
                self.time += 120.0

    @invariant()
    def one_acts_at_most(self) -> None:
        acting = [one.election.identity for one in self.candidates if one.election.left(self._now(one)) > 0]
        assert len(acting) <= 1, acting

    def _claim(self, one: Candidate, fate: str) -> None:
        seen = one.election.seen
        one.sent, one.claims, one.written = self._now(one), one.election.identity, None
        one.onto = seen.version if seen is not None else None
        if fate == "lost on the way":
            one.claims = None
        elif fate != "held up":
            self._write_arrives(one)
            if fate == "answered":
                self._answer_arrives(one)
            elif fate == "answer lost":
                one.claims = one.written = None

    def _write_arrives(self, one: Candidate) -> None:
        if one.claims is None or one.written is not None:
            return
        if one.onto == (self.lease.version if self.lease is not None else None):
            one.written = self._write(one.claims)
        else:
            one.claims = None

    def _answer_arrives(self, one: Candidate) -> None:
        if one.written is not None:
            if one.claims == one.election.identity:
                one.election.won(one.written, one.sent, self._now(one))
            one.claims = one.written = None

    def _release(self, one: Candidate) -> None:
        held, seen = one.election.left(self._now(one)) > 0, one.election.seen
        one.election.end()
        if held and self.lease is not None and seen is not None and seen.version == self.lease.version:
            self._write(NOBODY)
        one.election = self._election()

    def _now(self, one: Candidate) -> float:
        return self.time * one.rate + one.offset

    def _election(self) -> Election:
        self.starts += 1
        return Election(f"p{self.starts}")

    def _write(self, name: str) -> Record:
        version = int(self.lease.version) + 1 if self.lease is not None else 1
        self.lease = Record(name, str(version))
        return self.lease


TestTwoNeverAct = TwoNeverAct.TestCase
TestTwoNeverAct.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
