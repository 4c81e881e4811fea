"""What is known of a version, beside what it is: it goes with the version, and never outgrows what may be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ferryman.api.modeldeployment import ModelDeploymentSpec, ObjectMeta
from ferryman.api.revision import ResolvedModel, Retiring, Revision
from ferryman.api.status import ModelDeploymentStatus
from ferryman.registry import questions, signatures
from ferryman.render import deployment, names
from ferryman.render import revision as revisions
from ferryman.rollout import memory
from ferryman.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = ObjectMeta(name="fraud", namespace="ml", uid="u", generation=1, resource_version="1")
MOST_ANNOTATED = 256 * 1024
"""Bytes that the annotations of an object may have, all together (apimachinery's ValidateAnnotationsSize)."""
LONG = "ß" * 128


def version(number: int, **known: Any) -> ResolvedModel:
    uri = f"models:/fraud/{number}"
    return ResolvedModel(uri=uri, requested=uri, version=str(number), source=f"models:/m-{number}", **known)


def fat(number: int) -> Revision:
    """Return a revision of which everything is known, as long as it may be."""
    words = [LONG] * signatures.MOST_SAID
    tags = {f"{tag:03}{LONG[3:]}": LONG for tag in range(questions.MOST_TAGS)}
    model = version(number, flavors=words, inputs=words, outputs=words, tags=tags)
    spec = ModelDeploymentSpec.model_validate({"model": {"uri": model.uri}})
    return revisions.wished("fraud", spec, model, Settings(), NOW)


def test_what_was_logged_with_a_version_is_known_of_its_next_revision() -> None:
    told = version(7, flavors=["sklearn 1.9.1"], inputs=["amount: double"], outputs=["fraud: boolean"])

    again = version(7).described_by([version(6), told])

    assert again == told, "a change of the pods' memory makes another revision of the same version"


def test_a_number_that_was_given_again_is_another_version() -> None:
    told = version(7, inputs=["amount: double"])
    other = version(7).model_copy(update={"source": "models:/m-another"})

    assert other.described_by([told]) is None
    assert not other.same_bytes(told)


def test_the_memory_of_ten_revisions_with_long_descriptions_can_be_stored() -> None:
    left = [Retiring(revision=fat(number)) for number in range(1, 11)]
    status = ModelDeploymentStatus(stable=fat(11), candidate=fat(12), challenger=fat(13), history=left, retiring=left)

    text = memory.written(status)

    assert len(text.encode()) < MOST_ANNOTATED / 2
    kept = ModelDeploymentStatus.model_validate(json.loads(text))
    assert kept.stable is not None
    assert kept.stable.model == fat(11).model
    assert [each.revision.revision for each in kept.history] == [fat(number).revision for number in range(1, 11)]


def test_a_revision_with_a_long_description_can_be_recorded_on_its_deployment() -> None:
    body = deployment.deployment(OWNER, fat(1), Settings())

    text = body["metadata"]["annotations"][names.ANNOTATION_RECORD]
    assert len(text.encode()) < MOST_ANNOTATED / 2
    assert Revision.model_validate({**json.loads(text), "since": NOW}).model == fat(1).model
