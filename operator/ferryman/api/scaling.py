"""How many pods a revision has: an autoscaler's bounds, or a fixed number."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import Model, rule, ruled

LEAST, MOST, UTILIZATION = 1, 10, 70
"""What the bounds and the target are where the spec leaves them out."""


class Scaling(Model):
    """How many pods a revision that carries all traffic has. A candidate's number follows its share."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                f"(has(self.minReplicas) ? self.minReplicas : {LEAST}) <= "
                f"(has(self.maxReplicas) ? self.maxReplicas : {MOST})",
                f"spec.scaling.minReplicas must not exceed spec.scaling.maxReplicas, which is {MOST} if it is left "
                "out: raise that one, too",
                ".minReplicas",
            ),
            rule(
                "!has(self.replicas) || !(has(self.minReplicas) || has(self.maxReplicas) || "
                "has(self.targetCPUUtilization))",
                "spec.scaling.replicas must stand alone: it is a fixed number of pods, and minReplicas, maxReplicas "
                "and targetCPUUtilization are an autoscaler's; take them away (in a merge patch, set them to null)",
                ".replicas",
            ),
        )
    )

    replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """A fixed number of pods, without an autoscaler."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Never fewer pods than this; 1 if it is left out."""

    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Never more pods than this; 10 if it is left out."""

    target_cpu_utilization: Annotated[int, Field(ge=1, le=100)] | None = Field(None, alias="targetCPUUtilization")
    """The average CPU use, in percent of the request, that the autoscaler aims at; 70 if it is left out."""

    @property
    def fixed(self) -> bool:
        """Tell whether the number of pods is given, so that there is no autoscaler."""
        return self.replicas is not None

    @property
    def least(self) -> int:
        """Return the fewest pods of a revision that carries all traffic."""
        return self.replicas or self.min_replicas or LEAST

    @property
    def most(self) -> int:
        """Return the most pods of a revision that carries all traffic."""
        return self.replicas or self.max_replicas or MOST

    @property
    def utilization(self) -> int:
        """Return the average CPU use that the autoscaler aims at, in percent of the request."""
        return self.target_cpu_utilization or UTILIZATION
