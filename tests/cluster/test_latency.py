"""How fast a `kubectl patch` is in the answers that clients get, measured twenty times."""

from __future__ import annotations

from cluster import figures, lanes
from cluster.served import Served

from ferrydemo import patience
from ferrydemo.modeldeployment import Status, revision

MOVES = 20
IN_A_ROW = 3
"""At 99 % so many answers in a row of one revision show the split, and at 1 % they all but never happen."""
MEDIAN_SECONDS = 0.6
WORST_SECONDS = 2.0


def test_a_patch_of_the_split_is_in_the_answers_within_six_tenths_of_a_second(served: Served):
    served.patch(served.other(), canary={"trafficPercent": 1})
    status = served.until_weight(1)
    served.measured(status, 1, seconds=2)

    with lanes.undisturbed():
        moves = [moved(served, status, percent) for percent in (99, 1) * (MOVES // 2)]

    middle = sorted(moves)[MOVES // 2]
    print(f"patch to measured split: median {middle:.2f} s, worst {max(moves):.2f} s, of {MOVES}")
    assert middle < MEDIAN_SECONDS
    assert max(moves) < WORST_SECONDS


def moved(served: Served, status: Status, percent: int) -> float:
    """Move the split from one end to the other; return how long after the command began the answers followed."""
    gaining = revision(status, "candidate" if percent > 50 else "stable")
    began = served.prober.mark()
    served.patch(canary={"trafficPercent": percent})

    def followed() -> float:
        good = [answer for answer in served.prober.after(began) if not answer.fault]
        ends = range(IN_A_ROW, len(good) + 1)
        rows = (good[end - IN_A_ROW : end] for end in ends)
        return next((row[0].at - began for row in rows if {answer.revision for answer in row} == {gaining}), 0.0)

    seconds = patience.until(f"the answers to follow {percent} %", followed, 10)
    return figures.note("kubectl patch to measured split", seconds)
