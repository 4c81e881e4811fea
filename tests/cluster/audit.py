"""What the operator asked of the apiserver, as the audit log tells it, held against what the chart lets it do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import yaml

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Right(NamedTuple):
    """One verb on one kind of object, as RBAC knows it."""

    group: str
    resource: str
    verb: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the audited user."""

    right: Right
    namespace: str
    name: str
    code: int
    denied: bool
    """RBAC said no. A 403 may also be admission's: for a quota, say, or in a namespace that is being deleted."""
    at: datetime

    @property
    def used(self) -> tuple[Right, ...]:
        """The rights that it took: an apply that makes an object takes `create` as well as `patch`."""
        if self.denied:
            return ()
        made = self.right.verb == "patch" and self.code == 201
        return (self.right, self.right._replace(verb="create")) if made else (self.right,)


def requests(log: Path) -> list[Request]:
    """Read the log and what was rotated out of it; requests for no resource, such as discovery, are left out."""
    return [
        _request(event)
        for file in sorted(log.parent.glob(f"{log.stem}*{log.suffix}"))
        for event in _events(file)
        if "resource" in event.get("objectRef", {})
    ]


def _events(file: Path) -> Iterator[dict[str, Any]]:
    with file.open() as lines:
        for line in lines:
            if line.endswith("\n"):  # the last one may be being written
                yield json.loads(line)


def _request(event: dict[str, Any]) -> Request:
    about = event["objectRef"]
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    return Request(
        right=Right(about.get("apiGroup", ""), resource, event["verb"]),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        denied=event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid",
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
    )


AT_ITS_START = timedelta(seconds=30)
"""How long an apiserver that has just begun may deny what it grants: its authorizer has not read the roles yet."""


def denied(made: Iterable[Request], given: set[Right]) -> list[Request]:
    """Return what was denied, but for rights of the chart's at the start of an apiserver.

    Such a start shows in a denial that was taken back: the same was asked again soon, and was granted.
    """
    made = list(made)
    refused, granted = [each for each in made if each.denied], [each for each in made if not each.denied]
    starts = [
        no.at
        for no in refused
        if any(_same(no, yes) and timedelta() <= yes.at - no.at < AT_ITS_START for yes in granted)
    ]
    return [
        each
        for each in refused
        if each.right not in given or not any(abs(each.at - start) < AT_ITS_START for start in starts)
    ]


def _same(one: Request, other: Request) -> bool:
    return (one.right, one.namespace, one.name) == (other.right, other.namespace, other.name)


def used(made: Iterable[Request]) -> set[Right]:
    """Return every right that was taken."""
    return {right for request in made for right in request.used}


def granted(chart: str, account: str) -> set[Right]:
    """Return every right that a chart's manifests give to a ServiceAccount, wherever."""
    bodies = [body for body in yaml.safe_load_all(chart) if body]
    roles = {
        (body["roleRef"]["kind"], body["roleRef"]["name"])
        for body in bodies
        if body["kind"] in {"RoleBinding", "ClusterRoleBinding"}
        if any(subject["name"] == account for subject in body["subjects"])
    }
    return {
        Right(group, resource, verb)
        for body in bodies
        if (body["kind"], body["metadata"]["name"]) in roles
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def strays(made: Iterable[Request], own_namespace: str) -> list[Request]:
    """Return the writes outside the namespaces of ModelDeployments, where the operator has written a status.

    Its Lease alone is in its own namespace.
    """
    made = list(made)
    theirs = {each.namespace for each in made if each.right.resource == "modeldeployments/status"}
    return [
        each
        for each in made
        if each.right.verb in WRITES and each.namespace not in theirs
        if not (each.right.resource == "leases" and each.namespace == own_namespace)
    ]
