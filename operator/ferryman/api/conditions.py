"""The vocabulary of status: condition types, their reasons, and the sentence that explains each.

A condition's type is a claim that one hopes is true. `Ready` is computed from the others and is never set by
hand. A condition's clock moves only when its status does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict

from ferryman.api.base import Model

Status = Literal["True", "False", "Unknown"]


class ConditionType(StrEnum):
    """What is claimed."""

    ACCEPTED = "Accepted"
    """The spec is understood."""
    MODEL_RESOLVED = "ModelResolved"
    """It is known which bytes `spec.model.uri` means."""
    AVAILABLE = "Available"
    """The stable revision has the pods it needs and answers requests."""
    ROUTED = "Routed"
    """Traffic is split as the rollout asks, as read back from the route."""
    SCHEDULABLE = "Schedulable"
    """The nodes have room for the pods that a starting candidate needs. Absent when nothing starts, or when the
    operator may not look at nodes. It warns and holds nothing up."""
    CANDIDATE_HEALTHY = "CandidateHealthy"
    """The revision that the spec asks for runs, or is on its way without a known obstacle."""
    SIGNATURE_COMPATIBLE = "SignatureCompatible"
    """Those who call the stable revision can call the candidate as they do. Absent without a candidate from the
    registry."""
    CHALLENGER_MIRRORED = "ChallengerMirrored"
    """Live requests are copied to the challenger. Absent without `rollout.shadow.uri`. It holds nothing up."""
    REGISTRY_UPDATED = "RegistryUpdated"
    """The registry says what became of each version, as `spec.model.registry` asks. Absent where nothing is asked. It
    holds nothing up."""
    READY = "Ready"
    """What the spec asks for is what serves."""


class Reason(StrEnum):
    """Why a condition has its status. The docstring below each is what a cluster admin should know."""

    ACCEPTED = "Accepted"
    """The spec is understood."""
    INVALID_SPEC = "InvalidSpec"
    """A field of the spec cannot be honoured; the message names it. What served before serves on."""

    RESOLVED = "Resolved"
    """The registry, or the URI itself, says which bytes are meant."""
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    """The model registry did not answer; what was resolved before serves on, and it is asked again."""
    REGISTRY_NOT_CONFIGURED = "RegistryNotConfigured"
    """The spec names a registry model, and the operator was installed without a tracking URI."""
    MODEL_NOT_FOUND = "ModelNotFound"
    """The registry has no model of that name."""
    VERSION_NOT_FOUND = "VersionNotFound"
    """The registry has the model, and no such version of it."""
    ALIAS_NOT_FOUND = "AliasNotFound"
    """The registry has the model, and no such alias on it."""

    SIGNATURE_KEPT = "SignatureKept"
    """The candidate takes and gives what stable does."""
    SIGNATURE_BREAKS = "SignatureBreaks"
    """The candidate takes or gives something else than stable; it is held until `rollout.allowBreaking` or another
    version is set."""
    BREAKING_ALLOWED = "BreakingAllowed"
    """The candidate takes or gives something else than stable, and the spec allows that."""
    SIGNATURE_UNKNOWN = "SignatureUnknown"
    """One of the two has no signature, or the registry could not be asked for it; the candidate is not held."""

    WRITTEN_BACK = "WrittenBack"
    """The registry was told of everything that `spec.model.registry` asks for."""
    WRITE_BACK_PENDING = "WriteBackPending"
    """The registry is being told."""
    WRITE_BACK_NOT_ALLOWED = "WriteBackNotAllowed"
    """The spec asks to write to the registry, and the installation does not allow it (chart: `mlflow.writeBack`)."""
    REGISTRY_REFUSED = "RegistryRefused"
    """The registry does not let the operator's account write; the message says what."""

    STABLE_SERVES = "StableServes"
    """The stable revision has ready pods."""
    STABLE_SHORT = "StableUnavailable"
    """The stable revision has no ready pod."""
    NO_STABLE = "NoStableRevision"
    """No revision has become ready yet."""

    ROUTE_PROGRAMMED = "RouteProgrammed"
    """The route is as the rollout asks."""
    ROUTE_PENDING = "RoutePending"
    """The route is not yet as the rollout asks."""
    MESH_MISSING = "IstioMissing"
    """The cluster has no Istio: the Service serves the stable revision, and traffic cannot be split or mirrored."""

    NO_CANDIDATE = "NoCandidate"
    """The stable revision is what the spec asks for."""
    CANDIDATE_STARTING = "CandidateStarting"
    """The candidate's pods are being started."""
    CANDIDATE_READY = "CandidateReady"
    """The candidate has the pods that it needs for its share of traffic."""
    CANDIDATE_SHORT = "CandidateShort"
    """The candidate lacks pods for the share that the spec asks for; it keeps the share it has."""
    CANDIDATE_WITHDRAWN = "CandidateWithdrawn"
    """The spec took the revision back to 0 after it had traffic; raise the number, or name another model."""
    ABORTED = "Aborted"
    """A person aborted the rollout of the revision; `ferryman.dev/retry` brings it back."""
    ROLLED_BACK = "RolledBack"
    """A person rolled back from the revision that the spec asks for; `ferryman.dev/retry` brings it back."""
    UNSTABLE = "Unstable"
    """The candidate lost all its pods again and again after they were ready."""
    DOWNTIME_NEEDED = "DowntimeNeeded"
    """There is no room for a second pod and only one serves: it would have to stop before the candidate can start."""
    NO_SPLIT = "NoSplit"
    """With one pod and no room for a second there is nothing to split: the candidate gets everything or nothing."""
    STOPPED_FOR_CANDIDATE = "StoppedForCandidate"
    """The only pod was stopped to make room for the candidate, as `rollout.allowDowntime` allows."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The candidate was not ready by the deadline, with no more exact cause to be seen."""

    ROOM_FOUND = "RoomFound"
    """The nodes have room for the candidate's pods."""
    NO_ROOM = "NoRoom"
    """The nodes have no room for the candidate's pods as they are; a node autoscaler may add some."""

    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The server image cannot be pulled."""
    UNSCHEDULABLE = "Unschedulable"
    """No node has room for the pod; the message says what is short."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The pod was killed for its memory limit."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The namespace's quota does not allow the pod, or the object that is to be made."""
    POD_REFUSED = "PodRefused"
    """Admission refused the pod; the message says whose."""
    SECRET_MISSING = "SecretMissing"  # noqa: S105 a reason, not a secret
    """The pod names a Secret or a volume claim that does not exist."""
    VOLUME_FAILED = "VolumeFailed"
    """The node cannot mount a volume of the pod."""
    NODE_FAILED = "NodeFailed"
    """The node cannot start the pod, for a reason of its own: its network or its container runtime."""
    CRASHING = "Crashing"
    """The pod's process ends again and again without saying why."""
    CRASHED = "Crashed"
    """The server died while it was serving; the message says of what, as far as anybody knows."""
    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    """The model's files are not where the registry or the URI says."""
    ARTIFACT_CORRUPT = "ArtifactCorrupt"
    """The model's files are incomplete, or their digest is not the expected one."""
    ARTIFACT_UNREACHABLE = "ArtifactUnreachable"
    """The store of the model's files did not answer."""
    ARTIFACT_FORBIDDEN = "ArtifactForbidden"
    """The store of the model's files refused the credentials, or there were none."""
    UNTRUSTED_FORMAT = "UntrustedFormat"
    """The model is a pickle, which runs code when loaded, and its source is not one that this installation trusts."""
    UNKNOWN_FORMAT = "UnknownFormat"
    """No known model format was found among the model's files."""
    LOAD_FAILED = "LoadFailed"
    """The model's files are there, and loading them failed."""
    WARMUP_FAILED = "WarmupFailed"
    """The model loaded, and its warm-up predictions failed."""

    PERMISSION_DENIED = "PermissionDenied"
    """The operator's role lacks a right; the message names the verb and the kind. What served before serves on."""
    ADMISSION_DENIED = "AdmissionDenied"
    """A webhook or a policy of the cluster refuses what the operator writes; the message says whose."""
    OBJECT_INVALID = "ObjectInvalid"
    """The apiserver does not take an object that the spec leads to; what served before serves on."""
    NAME_CONFLICT = "NameConflict"
    """An object of a name that is needed belongs to somebody else; it is never overwritten."""
    API_UNAVAILABLE = "ApiUnavailable"
    """The apiserver has failed to do for a while what was asked of it; it is asked again."""
    CONTENDED = "Contended"
    """Somebody changes an object again and again just before the operator does."""
    OPERATOR_FAILED = "OperatorFailed"
    """The operator came upon something that nobody foresaw; its log says what. What served before serves on."""

    CHALLENGER_COPIED = "ChallengerCopied"
    """The challenger gets a copy of live requests, as much as is asked for."""
    CHALLENGER_SERVES = "ChallengerServes"
    """The challenger is what serves, or the candidate: there is nothing to compare it with."""
    CHALLENGER_STARTING = "ChallengerStarting"
    """The challenger's pods are being started, or the route is being written."""

    PROMOTED = "Promoted"
    """The candidate became stable."""
    RETURNED = "Returned"
    """The spec asked for the stable revision again."""
    SUPERSEDED = "Superseded"
    """Another revision was named before the candidate was promoted."""

    PAUSED = "Paused"
    """The rollout is held, by a pause in its plan or by `ferryman.dev/pause`; `ferryman.dev/resume` lets it go on."""
    UNDER_WAY = "UnderWay"
    """A rollout, or its way back, has not come to rest; the message says what it is doing."""
    READY = "Ready"
    """What the spec asks for is what serves."""


class Condition(Model):
    """One claim about the object, in the shape that Kubernetes gives conditions."""

    model_config = ConfigDict(extra="ignore")

    type: ConditionType
    """What is claimed."""
    status: Status
    """Whether it holds."""
    reason: str
    """Why, in one word of a closed catalogue."""
    message: str = ""
    """Why, in a sentence."""
    observed_generation: int
    """The generation of the spec that this claim speaks of."""
    last_transition_time: datetime
    """When the status last changed."""


class Verdict(Model):
    """A claim before it has a clock: what a planner says of a condition."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str


def stamped(
    verdicts: Iterable[Verdict], previous: Iterable[Condition], generation: int, now: datetime
) -> list[Condition]:
    """Turn verdicts into conditions; the clock of a condition whose status did not change stands still."""
    before = {condition.type: condition for condition in previous}

    def since(verdict: Verdict) -> datetime:
        old = before.get(verdict.type)
        unchanged = old is not None and old.status == verdict.status
        return old.last_transition_time if old is not None and unchanged else now.replace(microsecond=0)

    return [
        Condition(
            type=verdict.type,
            status=verdict.status,
            reason=verdict.reason.value,
            message=verdict.message,
            observed_generation=generation,
            last_transition_time=since(verdict),
        )
        for verdict in verdicts
    ]
