"""Runs steps that wait for each other, the others at the same time."""

import concurrent.futures
import dataclasses
import graphlib
from collections.abc import Callable, Sequence

from localcluster import progress


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Something to do, once the steps that it needs are done."""

    name: str
    action: Callable[[progress.Say], object]
    needs: tuple[str, ...] = ()
    quiet_below: float = 0.5


def run(steps: Sequence[Step], board: progress.Board) -> None:
    """Do all steps; after the first failure none is begun, those under way end, and the failure is raised."""
    by_name = {step.name: step for step in steps}
    order = graphlib.TopologicalSorter({step.name: step.needs for step in steps})
    order.prepare()

    def do(step: Step) -> str:
        with board.step(step.name, step.quiet_below) as say:
            step.action(say)
        return step.name

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(steps))) as pool:
        pending: set[concurrent.futures.Future[str]] = set()
        while order.is_active():
            pending |= {pool.submit(do, by_name[name]) for name in order.get_ready()}
            done, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                order.done(future.result())
