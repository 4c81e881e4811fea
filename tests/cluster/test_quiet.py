"""After convergence nothing is written. Runs last: the rest of the run is the two minutes that this needs."""

from __future__ import annotations

import time

from cluster.quiet import Quiet, children

from ferrydemo import patience
from ferrydemo.kube import Kube

QUIET_SECONDS = 120.0


def test_a_converged_object_is_left_alone_for_two_minutes(quiet: Quiet, installed: Kube):
    patience.until("two minutes to pass", lambda: time.monotonic() - quiet.since >= QUIET_SECONDS, QUIET_SECONDS + 10)

    assert children(installed, "quiet") == quiet.children, quiet.deployment.last_words()
