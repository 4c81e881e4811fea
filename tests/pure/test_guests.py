"""Servers that somebody else wrote: what they are told, and how they are asked whether they are ready."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from pure.simulation import Cluster

from ferryman.api.guest import Container

IMAGE = "example.com/theirs:1"


def pod(**container: Any) -> dict[str, Any]:
    cluster = Cluster()
    cluster.patch(server={"image": IMAGE, "container": {"protocol": "V2", **container}})
    cluster.settle()
    deployment = cluster.children["Deployment", cluster.revision(cluster.spec["model"]["uri"])]
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def test_the_bundled_image_fetches_and_the_guest_serves() -> None:
    spec = pod()

    assert (spec["initContainers"][0]["image"], spec["containers"][0]["image"]) == ("server:1", IMAGE)


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"protocol": "V1"}, "/v1/models/fraud"),
        ({"protocol": "V2"}, "/v2/health/ready"),
        ({"protocol": "TorchServe"}, "/ping"),
        ({"protocol": "V2", "healthPath": "/healthy"}, "/healthy"),
        ({"protocol": None, "healthPath": "/"}, "/"),
    ],
)
def test_a_guest_is_ready_where_its_protocol_says_so(told: dict[str, Any], path: str) -> None:
    probe = pod(**told)["containers"][0]["readinessProbe"]

    assert probe["httpGet"] == {"path": path, "port": "http"}


def test_a_guest_runs_its_own_entry_point_unless_it_is_told_another() -> None:
    plain, told = pod()["containers"][0], pod(command=["serve"], args=["$(FERRYMAN_MODEL_DIR)"])["containers"][0]

    assert not {"command", "args"} & set(plain)
    assert (told["command"], told["args"]) == (["serve"], ["$(FERRYMAN_MODEL_DIR)"])


def test_a_guest_without_grpc_has_no_port_for_it() -> None:
    assert [port["name"] for port in pod()["containers"][0]["ports"]] == ["http"]
    assert pod(grpcPort=8001)["containers"][0]["ports"][1] == {"name": "grpc", "containerPort": 8001}


def test_a_guest_does_not_learn_where_models_come_from_nor_with_which_rights() -> None:
    told = {entry["name"] for entry in pod()["containers"][0]["env"]}

    ours = {"FERRYMAN_MODEL_NAME", "FERRYMAN_MODEL_VERSION", "FERRYMAN_REVISION", "FERRYMAN_MODEL_DIR"}
    assert told == {*ours, "HOME"}
    assert "envFrom" not in pod()["containers"][0]


def test_a_variable_of_the_users_takes_the_place_of_ours() -> None:
    entries = pod(env=[{"name": "HOME", "value": "/x"}])["containers"][0]["env"]

    assert [entry["value"] for entry in entries if entry["name"] == "HOME"] == ["/x"]


@pytest.mark.parametrize("names", [["FERRYMAN_MODEL_DIR"], ["A", "A"]])
def test_an_object_older_than_the_rule_is_held_to_it(names: list[str]) -> None:
    with pytest.raises(pydantic.ValidationError, match="must name each variable once"):
        Container.model_validate({"env": [{"name": name, "value": "x"} for name in names]})


def test_a_server_of_somebody_elses_is_a_revision_of_its_own() -> None:
    plain, guest = Cluster(), Cluster()
    guest.patch(server={"image": IMAGE, "container": {"protocol": "V2"}})

    assert plain.settle().status.stable != guest.settle().status.stable
