"""How fast a `kubectl patch` is in the answers that clients get, measured twenty times beside a route made by hand.

Seconds differ from machine to machine, and most of them are kubectl's start and Istio's push; what Ferryman answers
for is what it adds to them: where a move by hand takes 0.3 s, one of its own takes less than 0.6. docs/proof.md says
the seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster import by_hand, figures, lanes
from cluster.served import Served

from ferrydemo import patience
from ferrydemo.modeldeployment import revision
from ferrydemo.prober import Prober

MOVES = 20
IN_A_ROW = 3
"""At 99 % so many answers in a row of one revision show the split, and at 1 % they all but never happen."""
MOST_TIMES = 2.0
"""How much longer than by hand a move may take: a second write, and the decision between the two."""
WORST_SECONDS = 2.0


def test_a_patch_of_the_split_is_in_the_answers_within_twice_the_time_of_a_route_made_by_hand(
    served: Served, tmp_path: Path
):
    served.patch(served.other(), canary={"trafficPercent": 1})
    status = served.until_weight(1)
    served.measured(status, 1, seconds=2)
    stable, candidate = revision(status, "stable"), revision(status, "candidate")

    ours, theirs = [], []
    with by_hand.route(served, tmp_path / "by-hand.jsonl") as hand, lanes.undisturbed():
        for percent in (99, 1) * (MOVES // 2):
            gaining = candidate if percent > 50 else stable
            theirs.append(moved("by hand", hand.prober, lambda to=percent: hand.patch(to), gaining))
            ours.append(
                moved(
                    "kubectl patch",
                    served.prober,
                    lambda to=percent: served.patch(canary={"trafficPercent": to}),
                    gaining,
                )
            )

    middle, by_itself = (sorted(moves)[MOVES // 2] for moves in (ours, theirs))
    print(f"patch to measured split: median {middle:.2f} s, worst {max(ours):.2f} s; by hand {by_itself:.2f} s")
    assert middle < MOST_TIMES * by_itself
    assert max(ours) < WORST_SECONDS


def moved(what: str, prober: Prober, move: Callable[[], None], gaining: str) -> float:
    """Move the split from one end to the other; return how long after the command began the answers followed."""
    began = prober.mark()
    move()

    def followed() -> float:
        good = [answer for answer in prober.after(began) if not answer.fault]
        ends = range(IN_A_ROW, len(good) + 1)
        rows = (good[end - IN_A_ROW : end] for end in ends)
        return next((row[0].at - began for row in rows if {answer.revision for answer in row} == {gaining}), 0.0)

    seconds = patience.until(f"the answers to follow to {gaining}", followed, 10)
    return figures.note(f"{what} to measured split", seconds)
