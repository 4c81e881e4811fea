"""What a failed look is called in the status, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ferryman.api.conditions import Condition, ConditionType, Reason
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import errors, setback
from ferryman.cluster.queue import Key
from ferryman.cluster.setback import Setback
from ferryman.look import Failing, Look

WHERE = ("apply", "Deployment", "default", "fraud-1")
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEFORE + timedelta(hours=1)
KEY = Key("default", "fraud")
META = ObjectMeta(name="fraud", namespace="default", uid="u1", generation=7, resource_version="1")

SAID: dict[str, tuple[Exception, Reason, str]] = {
    "a right is lacking": (
        errors.Forbidden(*WHERE, 'User "x" cannot patch resource "deployments" in API group "apps"'),
        Reason.PERMISSION_DENIED,
        "cannot patch resource",
    ),
    "a quota is exceeded": (
        errors.Forbidden(*WHERE, "exceeded quota: small, requested: count/deployments.apps=1"),
        Reason.QUOTA_EXCEEDED,
        "exceeded quota: small",
    ),
    "a webhook says no, with a code of its own": (
        errors.Invalid(*WHERE, 'admission webhook "guard.example.com" denied the request: no'),
        Reason.ADMISSION_DENIED,
        "guard.example.com",
    ),
    "a policy says no": (
        errors.Invalid(*WHERE, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
        Reason.ADMISSION_DENIED,
        "ValidatingAdmissionPolicy 'p'",
    ),
    "a plugin says no": (errors.Forbidden(*WHERE, "violates something"), Reason.ADMISSION_DENIED, "something"),
    "the object is not valid": (
        errors.Invalid(*WHERE, "spec.selector: immutable"),
        Reason.OBJECT_INVALID,
        "immutable",
    ),
    "the name is taken": (errors.NameConflict(*WHERE, "it exists"), Reason.NAME_CONFLICT, "it exists"),
    "it moves all the time": (errors.Conflict(*WHERE, "modified"), Reason.CONTENDED, "modified"),
    "a former child stays": (errors.Former(*WHERE, "not collected yet"), Reason.CONTENDED, "not collected"),
    "nobody answers": (errors.Unavailable(*WHERE, "HTTP 503"), Reason.API_UNAVAILABLE, "503"),
    "a webhook does not answer": (
        errors.Unavailable(*WHERE, 'failed calling webhook "guard.example.com"'),
        Reason.API_UNAVAILABLE,
        "guard.example.com",
    ),
    "a look took too long": (TimeoutError(), Reason.API_UNAVAILABLE, "too long"),
    "a fault of ours": (KeyError("secret"), Reason.OPERATOR_FAILED, "KeyError"),
}


@pytest.mark.parametrize(("error", "reason", "words"), SAID.values(), ids=SAID.keys())
def test_what_it_is_called(error: Exception, reason: Reason, words: str) -> None:
    told = setback.of(error)

    assert told.reason is reason
    assert words in told.message
    assert "secret" not in told.message, "what a fault quotes may be anything"


def condition(kind: ConditionType, status: Any, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason.value,
        message=message,
        observed_generation=3,
        last_transition_time=BEFORE,
    )


AVAILABLE = condition(ConditionType.AVAILABLE, "True", Reason.STABLE_SERVES)
READY = condition(ConditionType.READY, "True", Reason.READY)
SHORT = condition(ConditionType.READY, "False", Reason.UNDER_WAY)


def status(*claims: Condition) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(observed_generation=3, conditions=list(claims), reason=claims[-1].reason)


def ready(told: ModelDeploymentStatus) -> Condition:
    return told.conditions[-1]


REFUSED = Setback(Reason.QUOTA_EXCEEDED, "exceeded")
SILENT = Setback(Reason.API_UNAVAILABLE, "HTTP 503")


def test_a_refusal_makes_ready_false_and_leaves_what_serves() -> None:
    told = REFUSED.on(status(AVAILABLE, READY), 7, NOW)

    assert told.conditions[0] == AVAILABLE
    assert (ready(told).status, ready(told).reason, ready(told).observed_generation) == ("False", "QuotaExceeded", 7)
    assert ready(told).last_transition_time == NOW
    assert told.reason == "QuotaExceeded"
    assert told.observed_generation == 3, "the new spec was not acted on"


def test_silence_says_nothing_about_what_serves() -> None:
    assert ready(SILENT.on(status(AVAILABLE, READY), 7, NOW)).status == "Unknown"


def test_the_clock_of_ready_stands_while_its_status_does() -> None:
    assert ready(REFUSED.on(status(AVAILABLE, SHORT), 7, NOW)).last_transition_time == BEFORE


def test_what_is_told_is_told_until_somebody_knows_better() -> None:
    standing = REFUSED.on(status(AVAILABLE, READY), 7, NOW)

    kept = setback.kept(status(AVAILABLE, READY), standing, 8)

    assert ready(kept) == ready(standing).model_copy(update={"observed_generation": 8})
    assert setback.kept(status(AVAILABLE, READY), status(AVAILABLE, SHORT), 8) == status(AVAILABLE, READY)


def test_a_quota_that_refuses_pods_is_no_setback_of_the_look() -> None:
    pods = condition(ConditionType.CANDIDATE_HEALTHY, "False", Reason.QUOTA_EXCEEDED)
    standing = status(pods, condition(ConditionType.READY, "False", Reason.QUOTA_EXCEEDED))

    assert setback.told(standing) is None
    assert setback.kept(status(AVAILABLE, READY), standing, 8) == status(AVAILABLE, READY)


class Attempts:
    """Looks that fail one after the other at one object."""

    def __init__(self, standing: ModelDeploymentStatus) -> None:
        self.standing = standing
        self.failing = Failing()
        self.written = 0

    def fail(self, bad: Setback, after: float, generation: int = 7) -> int:
        """Fail so many seconds after the first; return how often the status has been written."""
        now = BEFORE + timedelta(seconds=after)
        look = Look(None, now, META.model_copy(update={"generation": generation}), self.standing)  # type: ignore[arg-type]
        if self.failing.due(KEY, look, bad, now):
            fresh = bad.on(self.standing, generation, now)
            self.written += fresh != self.standing
            self.standing = fresh
        return self.written


def test_a_refusal_is_told_at_once_and_once() -> None:
    attempts = Attempts(status(AVAILABLE, READY))

    assert [attempts.fail(REFUSED, after) for after in (0, 0.2, 0.6, 30, 300)] == [1] * 5


def test_silence_is_told_when_it_lasts() -> None:
    attempts = Attempts(status(AVAILABLE, READY))

    written = [attempts.fail(SILENT, after) for after in (0, 0.2, 0.6, 1.4, 3, 6.2, 12.6, 300)]

    assert written == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_look_that_went_through_begins_the_count_anew() -> None:
    attempts = Attempts(status(AVAILABLE, READY))
    attempts.fail(SILENT, 0)
    attempts.failing.ended(KEY)

    assert attempts.fail(SILENT, 20) == 0
    assert attempts.fail(SILENT, 26) == 1


def test_words_that_change_with_each_attempt_are_written_once_a_minute() -> None:
    attempts = Attempts(status(AVAILABLE, READY))

    words = [
        attempts.fail(Setback(Reason.ADMISSION_DENIED, f"request {after} is denied"), after)
        for after in range(0, 180, 30)
    ]

    assert words == [1, 1, 2, 2, 3, 3]


def test_another_reason_is_told_at_once() -> None:
    attempts = Attempts(status(AVAILABLE, READY))
    attempts.fail(REFUSED, 0)

    assert attempts.fail(Setback(Reason.NAME_CONFLICT, "it exists"), 1) == 2


def test_a_new_spec_is_answered_at_once() -> None:
    attempts = Attempts(status(AVAILABLE, READY))
    attempts.fail(REFUSED, 0)

    assert attempts.fail(REFUSED, 1, generation=8) == 2
