"""Which registry a model is in, and what that is told of its releases: nothing unless a user asks for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import Model, rule, ruled

RESERVED = r"^([Ll][Aa][Tt][Ee][Ss][Tt]|[Vv][0-9]+)$"
"""What MLflow keeps for itself: such an alias could be read as a version."""

SERVER = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9/._~-]*)?$"
"""A server's address, without user, password, query or fragment."""


class OnRollback(StrEnum):
    """What becomes of the alias that `uri` follows, when the version that it stands for was rolled back."""

    LEAVE = "Leave"
    """It stays where it is; the version does not come back by itself."""
    RESTORE = "Restore"
    """It is set back to the version that serves, if it still stands for the one that was rolled back."""


class Registry(Model):
    """Which registry a model is in, and what it is told."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "!has(self.stableAlias) || (has(self.writeBack) && self.writeBack)",
                "spec.model.registry.stableAlias needs spec.model.registry.writeBack: true",
                ".stableAlias",
            ),
            rule(
                "!has(self.onRollback) || self.onRollback != 'Restore' || (has(self.writeBack) && self.writeBack)",
                "spec.model.registry.onRollback: Restore needs spec.model.registry.writeBack: true",
                ".onRollback",
            ),
            rule(
                f"!has(self.stableAlias) || !self.stableAlias.matches('{RESERVED}')",
                "spec.model.registry.stableAlias must not be 'latest' or look like a version: MLflow keeps those",
                ".stableAlias",
            ),
        )
    )

    tracking_uri: Annotated[str, Field(pattern=SERVER, max_length=512)] | None = Field(None, alias="trackingURI")
    """The MLflow tracking server that `uri` is asked of, where it is not the installation's own: one of those that
    the installation knows beside it (chart: `mlflow.registries`)."""

    write_back: bool = False
    """Tag each version that was promoted or rolled back here with the outcome, the time and the revision, under
    `ferryman.NAMESPACE.NAME`. The installation has to allow it (chart: `mlflow.writeBack`)."""

    stable_alias: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=255)] | None = None
    """An alias that is set to the version that serves, after each promotion and each rollback of one."""

    on_rollback: OnRollback = OnRollback.LEAVE
    """What becomes of the alias that `uri` names when the version that it stands for was rolled back: `Leave` it
    there, or `Restore` it to the version that serves."""
