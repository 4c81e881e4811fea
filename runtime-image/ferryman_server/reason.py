"""Why a model pod did not start, or crashed: the words that the operator reads, and the door they leave by.

A start that fails for good, or a crash, ends the process with one JSON object in the termination log. The
operator copies its reason and sentence into the ModelDeployment's status, so the sentence must be
understood by somebody who never saw this pod.
"""

import contextlib
import enum
import json
from pathlib import Path

from ferryman_server import secrecy

# The kubelet keeps 4096 bytes of a termination message; beyond that the JSON would be cut in two.
_LONGEST = 3500


class Reason(enum.StrEnum):
    """A closed list; the operator has a sentence for each."""

    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    ARTIFACT_CORRUPT = "ArtifactCorrupt"
    ARTIFACT_UNREACHABLE = "ArtifactUnreachable"
    ARTIFACT_FORBIDDEN = "ArtifactForbidden"
    UNTRUSTED_FORMAT = "UntrustedFormat"
    UNKNOWN_FORMAT = "UnknownFormat"
    LOAD_FAILED = "LoadFailed"
    WARMUP_FAILED = "WarmupFailed"
    CRASHED = "Crashed"


class FatalError(Exception):
    """The model cannot be served, and trying again unchanged will not help this process."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = secrecy.redacted(message)
        super().__init__(f"{reason}: {self.message}")


def publish(error: FatalError, termination_log: Path) -> None:
    """Leave the last words where the kubelet picks them up; on a laptop there may be no such place."""
    words = json.dumps({"reason": str(error.reason), "message": error.message[:_LONGEST]})
    with contextlib.suppress(OSError):
        termination_log.write_text(words, encoding="utf-8")


def retract(termination_log: Path) -> None:
    """Take back words that turned out not to be the last."""
    with contextlib.suppress(OSError):
        if termination_log.exists():
            termination_log.write_text("", encoding="utf-8")


def first_line(error: BaseException) -> str:
    """What an exception says, in one line: for messages that people read, never a stack trace."""
    text = str(error).strip()
    return (text.splitlines()[0][:500] if text else "") or type(error).__name__
