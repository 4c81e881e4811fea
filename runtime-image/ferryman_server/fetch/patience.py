"""How long a download that is cut off is gone on with: for as long as each answer brings something."""

import time

_MOST_CUTS, _MOST_FRUITLESS = 20, 2
LONGEST_WAIT = 5.0


class Patience:
    """That of one file, or of one part of it."""

    def __init__(self) -> None:
        self.cuts = 0
        self._fruitless = 0

    def ends(self, *, brought: bool) -> bool:
        """Take in a cut, and whether something came before it; tell whether it was one too many."""
        self.cuts += 1
        self._fruitless = 0 if brought else self._fruitless + 1
        return self.cuts > _MOST_CUTS or self._fruitless == _MOST_FRUITLESS

    def wait(self) -> None:
        """Let whoever cut it off come to itself."""
        time.sleep(min(0.5 * 2**self.cuts, LONGEST_WAIT))
