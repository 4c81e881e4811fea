"""What can go wrong between us and the apiserver, in our own words.

`client.py` translates once; nobody else knows HTTP codes. Each error names the verb, the object and the fact.
"""

# ruff: noqa: N818  the name is the fact: "apply Service a/b: NotFound"
from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class ClusterError(Exception):
    """A request to the apiserver did not do what it was for."""

    verb: str
    kind: str
    namespace: str
    name: str
    detail: str
    retry_after: float = 0.0
    """For how many seconds the apiserver does not want to be asked again."""

    def __str__(self) -> str:
        """Return one line: what was tried, on what, and what came of it."""
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.kind} {where}: {type(self).__name__}: {self.detail}"


class NotFound(ClusterError):
    """There is no such object, or no such kind."""


class Conflict(ClusterError):
    """The object is not as it was when we decided: look again."""


class Former(Conflict):
    """An object of an earlier ModelDeployment of this name stands in the way; the garbage collector takes it."""


class Refused(ClusterError):
    """The apiserver says no to this very object; others may well be written."""


class Forbidden(Refused):
    """The operator's ServiceAccount may not do this; its role is in the chart."""


class Leaving(ClusterError):
    """The namespace is being deleted; nothing new may be made in it."""


class Vanished(ClusterError):
    """The object that is looked at is gone: there is nothing left to do for it."""


class Gone(ClusterError):
    """The version that we asked for is no longer kept."""


class Invalid(Refused):
    """The apiserver understood the object and refused it."""


class Unavailable(ClusterError):
    """The apiserver did not answer, or asked us to come back later."""


class NameConflict(Refused):
    """An object of this name exists and is not ours: it is never overwritten."""
