"""What a write of the operator does, and is kept from doing, at a real apiserver and with the chart's rights."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from api_tier import installation
from api_tier.direct import connected
from api_tier.kubectl import Kubectl, until
from api_tier.operator_process import OperatorProcess
from ferryman.api.modeldeployment import ObjectMeta
from ferryman.api.status import ModelDeploymentStatus
from ferryman.cluster import apply, errors, kinds
from ferryman.cluster.client import Client
from ferryman.look import Look
from ferryman.observed import Observed
from ferryman.outcome import Scale
from ferryman.render import names
from localcluster import controlplane

Body = dict[str, Any]


@pytest.fixture
async def client(plane: controlplane.ControlPlane, admin: Kubectl) -> AsyncIterator[Client]:
    async with connected(plane.kubeconfig_of(installation.SERVICE_ACCOUNT, installation.GROUPS)) as ours:
        yield ours


def owner(kubectl: Kubectl) -> ObjectMeta:
    return ObjectMeta(name="fraud", namespace=kubectl.namespace, uid="u1", generation=1, resource_version="1")


def deployment(kubectl: Kubectl, image: str = "v1") -> Body:
    labels = {"app": "fraud-1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "fraud-1", "namespace": kubectl.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "server", "image": image}]},
            },
        },
    }


def service(kubectl: Kubectl, selected: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fraud", "namespace": kubectl.namespace},
        "spec": {"selector": {"app": selected}, "ports": [{"port": 80, "protocol": "TCP"}]},
    }


def route(kubectl: Kubectl, to: str) -> Body:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "fraud", "namespace": kubectl.namespace},
        "spec": {"hosts": ["fraud"], "http": [{"route": [{"destination": {"host": to}}]}]},
    }


async def stands() -> None:
    """The record that a write follows from is as it was."""


async def write(
    client: Client, kubectl: Kubectl, *objects: Body, seen: tuple[Body, ...] = (), scales: tuple[Scale, ...] = ()
) -> int:
    observed = Observed(mesh=True, children=seen)
    return await apply.apply(
        client, owner(kubectl), observed, objects=objects, scales=scales, removals=(), confirm=stands
    )


async def remove(client: Client, kubectl: Kubectl, seen: Body) -> int:
    observed = Observed(mesh=True, children=(seen,))
    return await apply.apply(
        client, owner(kubectl), observed, objects=(), scales=(), removals=(seen,), confirm=stands
    )


async def settled(client: Client, kubectl: Kubectl) -> Body:
    """Return the Deployment of no pods once its controller has nothing more to write to it."""
    await write(client, kubectl, deployment(kubectl))
    await write(client, kubectl, seen=(await read(client, kubectl),), scales=(Scale("fraud-1", 0),))
    until(lambda: _rests(kubectl), what="the Deployment rests")
    return await read(client, kubectl)


async def read(client: Client, kubectl: Kubectl) -> Body:
    return await client.get(kinds.DEPLOYMENT, kubectl.namespace, "fraud-1")


async def write_what_is_there(
    client: Client, kubectl: Kubectl, *objects: Body, scale: Callable[[str], Scale] | None = None
) -> int:
    """Write over what stands; look again, as the operator does, when its controller has told of a pod meanwhile."""
    for _ in range(20):
        seen = await read(client, kubectl)
        scales = (scale(seen["metadata"]["resourceVersion"]),) if scale is not None else ()
        with contextlib.suppress(errors.Conflict):
            return await write(client, kubectl, *objects, seen=(seen,), scales=scales)
    raise AssertionError("its controller never rests")


async def test_a_scaled_number_survives_an_apply_that_says_nothing_of_it(client: Client, kubectl: Kubectl) -> None:
    seen = await settled(client, kubectl)

    assert await write(client, kubectl, seen=(seen,), scales=(Scale("fraud-1", 3),)) == 1
    until(lambda: _rests(kubectl, available="False"), what="its controller has told of the new number")
    assert await write_what_is_there(client, kubectl, deployment(kubectl, "v2")) == 1

    after = await read(client, kubectl)
    assert after["spec"]["replicas"] == 3
    assert names.FIELD_MANAGER not in _scalers(after), "who applies would take it along when it says no more of it"


async def test_who_scales_takes_the_number_from_whoever_set_it(client: Client, kubectl: Kubectl) -> None:
    await settled(client, kubectl)
    kubectl.patch("deployment", "fraud-1", {"spec": {"replicas": 1}})

    await write(client, kubectl, seen=(await read(client, kubectl),), scales=(Scale("fraud-1", 3),))

    assert _scalers(await read(client, kubectl)) == [names.SCALE_MANAGER]


async def test_pods_are_taken_away_only_from_what_was_seen(client: Client, kubectl: Kubectl) -> None:
    old = await settled(client, kubectl)
    version = old["metadata"]["resourceVersion"]
    kubectl("label", "deployment", "fraud-1", "somebody=was-here")

    with pytest.raises(errors.Conflict):
        await write(client, kubectl, seen=(old,), scales=(Scale("fraud-1", 2, seen=version),))
    assert (await read(client, kubectl))["spec"]["replicas"] == 0

    assert await write_what_is_there(client, kubectl, scale=lambda version: Scale("fraud-1", 2, seen=version)) == 1
    assert (await read(client, kubectl))["spec"]["replicas"] == 2


async def test_nothing_is_scaled_that_is_not_there_or_has_its_number(client: Client, kubectl: Kubectl) -> None:
    seen = await settled(client, kubectl)

    assert await write(client, kubectl, scales=(Scale("fraud-1", 5),)) == 0
    assert await write(client, kubectl, seen=(seen,), scales=(Scale("fraud-1", 0),)) == 0
    assert await read(client, kubectl) == seen


@pytest.mark.parametrize("rendered", [service, route], ids=["Service", "VirtualService"])
async def test_a_late_write_does_not_send_traffic_back(client: Client, kubectl: Kubectl, rendered: Any) -> None:
    body = rendered(kubectl, "first")
    await write(client, kubectl, body)
    old = await client.get(kinds.of(body), kubectl.namespace, "fraud")
    assert await write(client, kubectl, rendered(kubectl, "second"), seen=(old,)) == 1
    new = await client.get(kinds.of(body), kubectl.namespace, "fraud")

    with pytest.raises(errors.Conflict):
        await write(client, kubectl, rendered(kubectl, "third"), seen=(old,))

    assert await client.get(kinds.of(body), kubectl.namespace, "fraud") == new
    assert await write(client, kubectl, rendered(kubectl, "third"), seen=(new,)) == 1


@pytest.mark.parametrize("rendered", [service, route], ids=["Service", "VirtualService"])
async def test_what_was_deleted_meanwhile_needs_another_look(client: Client, kubectl: Kubectl, rendered: Any) -> None:
    body = rendered(kubectl, "first")
    await write(client, kubectl, body)
    old = await client.get(kinds.of(body), kubectl.namespace, "fraud")
    kubectl("delete", body["kind"].lower(), "fraud")

    with pytest.raises(errors.Conflict):
        await write(client, kubectl, rendered(kubectl, "second"), seen=(old,))


@pytest.mark.parametrize("rendered", [service, route], ids=["Service", "VirtualService"])
async def test_what_was_made_meanwhile_is_not_overwritten(client: Client, kubectl: Kubectl, rendered: Any) -> None:
    first = rendered(kubectl, "first")
    marked = apply._marked(rendered(kubectl, "late"), None)
    await write(client, kubectl, first)
    standing = await client.get(kinds.of(first), kubectl.namespace, "fraud")

    with pytest.raises(errors.Conflict):
        await client.apply(kinds.of(first), marked)

    assert await client.get(kinds.of(first), kubectl.namespace, "fraud") == standing


async def test_a_deployment_is_written_only_onto_what_was_seen(client: Client, kubectl: Kubectl) -> None:
    old = await settled(client, kubectl)
    kubectl("label", "deployment", "fraud-1", "somebody=was-here")

    with pytest.raises(errors.Conflict):
        await write(client, kubectl, deployment(kubectl, "v2"), seen=(old,))

    assert await write(client, kubectl, deployment(kubectl, "v2"), seen=(await read(client, kubectl),)) == 1


async def test_nothing_is_removed_that_was_changed_since_it_was_seen(client: Client, kubectl: Kubectl) -> None:
    old = await settled(client, kubectl)
    kubectl("label", "deployment", "fraud-1", "somebody=was-here")

    with pytest.raises(errors.Conflict):
        await remove(client, kubectl, old)

    await remove(client, kubectl, await read(client, kubectl))
    until(lambda: kubectl.get("deployment", "fraud-1") is None, what="it is gone")


async def test_an_object_that_is_refused_holds_up_no_other(client: Client, kubectl: Kubectl) -> None:
    wrong = deployment(kubectl)
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    address = service(kubectl, "a")
    address["metadata"] = {**address["metadata"], "name": "fraud-1", "labels": {names.LABEL_REVISION: "fraud-1"}}
    stays = await settled(client, kubectl)
    kubectl("delete", "deployment", "fraud-1")
    before, after = route(kubectl, "a"), service(kubectl, "b")

    with pytest.raises(errors.Invalid):
        await apply.apply(
            client,
            owner(kubectl),
            Observed(mesh=True),
            objects=(before, wrong, address, after),
            scales=(),
            removals=(stays,),
            confirm=stands,
        )

    assert kubectl.get("virtualservice", "fraud"), "what came before it is there"
    assert kubectl.get("service", "fraud-1"), "and so is what depends on nothing"
    assert kubectl.get("service", "fraud") is None, "a route may lead to what was refused"


async def test_nothing_follows_from_a_status_that_is_not_as_it_was_read(client: Client, kubectl: Kubectl) -> None:
    async def is_gone() -> None:
        raise errors.Conflict("status", "ModelDeployment", str(kubectl.namespace), "fraud", "wiped")

    seen = await settled(client, kubectl)
    observed = Observed(mesh=True, children=(seen,))
    for wish in (
        {"objects": (route(kubectl, "a"),), "scales": (), "removals": ()},
        {"objects": (), "scales": (Scale("fraud-1", 3),), "removals": ()},
        {"objects": (), "scales": (), "removals": (seen,)},
    ):
        with pytest.raises(errors.Conflict):
            await apply.apply(client, owner(kubectl), observed, **wish, confirm=is_gone)  # type: ignore[arg-type]

    assert kubectl.get("virtualservice", "fraud") is None
    assert (await read(client, kubectl))["spec"] == seen["spec"]
    nothing = {"objects": (), "scales": (), "removals": ()}
    assert await apply.apply(client, owner(kubectl), observed, **nothing, confirm=is_gone) == 0  # type: ignore[arg-type]


@pytest.fixture
def unattended(operator: OperatorProcess) -> Iterator[None]:
    """No operator runs: whatever is written is the test's."""
    operator.kill()
    yield
    operator.start()


async def test_a_status_is_confirmed_without_a_change_and_not_if_it_was_wiped(
    client: Client, kubectl: Kubectl, unattended: None
) -> None:
    kubectl.apply({"apiVersion": "ferryman.dev/v1alpha1", "kind": "ModelDeployment", **MODEL})
    look = Look(client, datetime.now(UTC))
    look.found(meta_of(kubectl), ModelDeploymentStatus())
    await look.record(ModelDeploymentStatus(withdrawn="fraud-1"))
    recorded = meta_of(kubectl)

    again = Look(client, datetime.now(UTC))
    again.found(recorded, ModelDeploymentStatus(withdrawn="fraud-1"))
    await again.confirm()
    assert meta_of(kubectl) == recorded, "it changes nothing"

    kubectl("patch", "mdep", "confirmed", "--subresource=status", "--type=merge", "-p", '{"status":null}')
    late = Look(client, datetime.now(UTC))
    late.found(recorded, ModelDeploymentStatus(withdrawn="fraud-1"))
    with pytest.raises(errors.Conflict):
        await late.confirm()


MODEL = {"metadata": {"name": "confirmed"}, "spec": {"model": {"uri": "s3://models/v1"}}}


def meta_of(kubectl: Kubectl) -> ObjectMeta:
    found = kubectl.get("mdep", "confirmed")
    assert found is not None
    return ObjectMeta.model_validate(found["metadata"])


def _rests(kubectl: Kubectl, available: str = "True") -> bool:
    """Tell whether its controller has seen what it is now, and tells of as many pods as are wanted."""
    found = kubectl.get("deployment", "fraud-1")
    assert found is not None
    status = found["status"]
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return (
        status.get("observedGeneration") == found["metadata"]["generation"]
        and status.get("replicas", 0) == status.get("updatedReplicas", 0) == found["spec"]["replicas"]
        and conditions.get("Available") == available
    )


def _scalers(body: Body) -> list[str]:
    """Return the managers to whom the number of pods belongs."""
    entries = body["metadata"]["managedFields"]
    return [each["manager"] for each in entries if "f:replicas" in each.get("fieldsV1", {}).get("f:spec", {})]
