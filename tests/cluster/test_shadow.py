"""Shadows that fail: whatever a mirror does, nobody who asks the live track finds out."""

from __future__ import annotations

import re

import pytest
from cluster import figures
from cluster.served import ACT_SECONDS, START_SECONDS, Served

from ferrydemo import measure, patience
from ferrydemo.modeldeployment import revision, share

SLACK_SECONDS = 1.0
"""What one more pod on two busy processors may cost; who waited for the mirror that hangs would wait for a minute."""
ANSWERS = r'ferryman_requests_total\{.*code="'
IN_FLIGHT = r"ferryman_requests_in_flight\{"
SECONDS = 6.0
"""How long the live track is measured, before and during."""


@pytest.mark.parametrize(("kind", "series"), [("raising", ANSWERS + "5"), ("hanging", IN_FLIGHT)])
def test_a_shadow_that_fails_harms_no_live_answer(served: Served, kind: str, series: str):
    """Case 103, with a mirror that answers every request with an error, and one that answers none."""
    stable = revision(served.deployment.status(), "stable")
    before = measure.window(served.prober, SECONDS)
    served.patch(served.models.of(kind).uri, shadow={"percent": 100}, canary={"trafficPercent": 0})
    status = served.deployment.wait("a shadow", lambda said: share(said, "shadow") == 100, START_SECONDS)
    shadow = revision(status, "candidate")
    patience.until("copies", lambda: counted(served, shadow, series) > 50, ACT_SECONDS)

    during = measure.window(served.prober, SECONDS)

    for name, window in (("before", before), ("during", during)):
        figures.note(f"shadow that is {kind}: live p50 {name}", window.p50)
        figures.note(f"shadow that is {kind}: live p99 {name}", window.p99)
    assert measure.fits(during, {stable: 100})
    assert counted(served, stable, ANSWERS + "[45]") == 0
    assert during.p50 < before.p50 + SLACK_SECONDS
    assert share(served.deployment.status(), "shadow") == 100


def test_a_shadow_whose_pods_are_killed_is_not_missed(served: Served):
    """Case 103: the mirror is lost under traffic, and comes back."""
    stable = revision(served.deployment.status(), "stable")
    served.patch(served.other(), shadow={"percent": 100}, canary={"trafficPercent": 0})
    status = served.deployment.wait("a shadow", lambda said: share(said, "shadow") == 100, START_SECONDS)
    since = served.prober.mark()

    served.delete_pods("-l", f"ferryman.dev/revision={revision(status, 'candidate')}", "--force", "--grace-period=0")

    served.deployment.wait("no shadow", lambda said: not share(said, "shadow"), ACT_SECONDS)
    served.deployment.wait("the shadow again", lambda said: share(said, "shadow") == 100, START_SECONDS)
    assert set(served.prober.window(since).by_revision) == {stable}


def counted(served: Served, name: str, series: str) -> int:
    """Add up what the pods of a revision say of themselves."""
    pages = [served.deployment.metrics(pod) for pod in served.deployment.pods(name) if pod.ready]
    values = [re.findall(rf"^{series}.* (\S+)$", page, re.MULTILINE) for page in pages]
    return sum(int(float(value)) for page in values for value in page)
