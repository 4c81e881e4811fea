"""Where this server is in its life, and the model once there is one: what every protocol looks at."""

import enum
from dataclasses import dataclass

from ferryman_server.dataplane.plane import DataPlane
from ferryman_server.manifest import Manifest
from ferryman_server.settings import Settings
from ferryman_server.witness import Witnesses


class Phase(enum.StrEnum):
    """A server goes through these once, in this order."""

    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    DRAINING = "draining"


@dataclass(slots=True)
class Serving:
    """The one thing that changes in this process; only `life` changes it."""

    settings: Settings
    phase: Phase = Phase.LOADING
    plane: DataPlane | None = None
    manifest: Manifest | None = None
    witnesses: Witnesses | None = None

    @property
    def answers(self) -> bool:
        """Whether predictions are answered: also while draining, for those who have not heard yet."""
        return self.plane is not None and self.phase in {Phase.READY, Phase.DRAINING}

    @property
    def ready(self) -> bool:
        """Whether new traffic should come."""
        return self.phase is Phase.READY

    def lacks(self, name: str, version: str | None) -> str:
        """Why another model or version than ours cannot be had here; empty for ours."""
        ours, ours_version = self.settings.model_name, self.settings.model_version
        if name != ours:
            return f'There is no model "{name}" here; this server has "{ours}".'
        if version is not None and version != ours_version:
            what = f'version "{ours_version}"' if ours_version else "a model without a version number"
            return f'Model "{name}" has no version "{version}" here; this server has {what}.'
        return ""

    def sentence(self) -> str:
        """For a probe or a client that asks why not."""
        name = self.settings.model_name
        match self.phase:
            case Phase.LOADING:
                return f'Model "{name}" is still loading.'
            case Phase.WARMING:
                return f'Model "{name}" is loaded and warming up.'
            case Phase.READY:
                return f'Model "{name}" is ready.'
            case Phase.DRAINING:
                return f'Model "{name}" is draining: this server has been told to stop.'
