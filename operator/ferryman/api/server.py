"""The pods that serve a revision: what a user may wish of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from ferryman.api.base import SUBDOMAIN, Model, rule, ruled
from ferryman.api.guest import Container, Image
from ferryman.api.quantity import Quantity, Size

GPU = "nvidia.com/gpu"
BATCH, WARMUP = 64, 5
"""What the bundled server takes at once, and predicts before it is ready, where the spec says nothing."""


class Resources(Model):
    """Compute resources of one serving pod, as in a container's `resources`."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
                "quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
                "spec.server.resources.requests must not exceed spec.server.resources.limits",
                ".requests",
            )
        )
    )

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What the scheduler sets aside for each pod."""

    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What each pod may use at most. `nvidia.com/gpu` here chooses the GPU image and tolerates GPU nodes."""


class Batching(Model):
    """How concurrent requests share one call of the model. A lone request never waits."""

    max_batch_size: Annotated[int, Field(ge=1, le=4096)] = BATCH
    """The most rows in one call of the model; 1 turns batching off."""


class Warmup(Model):
    """What a pod does between loading its model and saying that it is ready."""

    requests: Annotated[int, Field(ge=0, le=1000)] = WARMUP
    """How many predictions are made on the model's example, or on rows that fit its schema."""


class Optimize(StrEnum):
    """Whether a model may be served by a program that answers the same, only faster."""

    AUTO = "auto"
    OFF = "off"
    FP16 = "fp16"
    INT8 = "int8"


class SecretKey(Model):
    """One key of a Secret in the object's own namespace."""

    name: Annotated[str, Field(pattern=SUBDOMAIN, max_length=253)]
    """The Secret's name."""

    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
    """The key in it."""


class Cache(Model):
    """Answers that are remembered: an equal question to the same revision is not asked of the model again."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                "quantity(string(self.memory)).compareTo(quantity('0')) > 0",  # no pattern is asked of a bare number
                "spec.server.cache.memory must be more than 0: to remember nothing, leave spec.server.cache out",
                ".memory",
            )
        )
    )

    memory: Size
    """How much memory each worker of a pod may spend on answers, at most half of `resources.limits.memory`."""

    ttl_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """For how long an answer is remembered."""

    redis_secret: SecretKey | None = None
    """Where the address of a Redis stands (`redis://` or `rediss://`) that the pods share answers through. A Redis
    that is slow or gone costs a request 5 ms at most, and soon nothing."""


class Sampling(Model):
    """Answers that are kept for a while, so that what two revisions say to the same requests can be compared."""

    percent: Annotated[int, Field(ge=1, le=100)]
    """The share of requests that are kept with their answers, chosen by their `x-request-id`: stable and shadow keep
    the same ones. Each pod tells them at its own port 8081, `/samples`, which no Service leads to."""


class Server(Model):
    """The pods that serve a revision."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            rule(
                f"!has(self.resources) || !has(self.resources.requests) || "
                f"!('{GPU}' in self.resources.requests) || "
                f"(has(self.resources.limits) && '{GPU}' in self.resources.limits && "
                f"string(self.resources.limits['{GPU}']) == string(self.resources.requests['{GPU}']))",
                f"spec.server.resources.limits must hold {GPU} with the same number as requests: "
                "Kubernetes does not overcommit GPUs",
                ".resources",
            ),
            rule(
                "!has(self.cache) || !has(self.resources) || !has(self.resources.limits) || "
                "!('memory' in self.resources.limits) || "
                "quantity(string(self.cache.memory)).add(quantity(string(self.cache.memory)))"
                ".compareTo(quantity(string(self.resources.limits['memory']))) <= 0",
                "spec.server.cache.memory must be at most half of spec.server.resources.limits.memory: the model "
                "needs the rest",
                ".cache",
            ),
            rule(
                "has(self.image) == has(self.container)",
                "spec.server.image and spec.server.container must be given together: a server of somebody else's, "
                "and where it answers",
                ".image",
            ),
            rule(
                f"!has(self.image) || (!has(self.cache) && !has(self.workers) && !has(self.sampling) "
                f"&& (!has(self.optimize) || self.optimize == '{Optimize.AUTO}') "
                f"&& (!has(self.batching) || self.batching.maxBatchSize == {BATCH}) "
                f"&& (!has(self.warmup) || self.warmup.requests == {WARMUP}))",
                "spec.server.batching, warmup, optimize, workers, sampling and cache are the bundled server's: with "
                "spec.server.image they must be left out, for nothing would heed them",
                ".image",
            ),
        )
    )

    resources: Resources = Resources()
    """Compute resources of one serving pod."""

    batching: Batching = Batching()
    """How concurrent requests share one call of the model."""

    warmup: Warmup = Warmup()
    """What a pod does before it says that it is ready."""

    optimize: Optimize = Optimize.AUTO
    """`auto` serves a model as an ONNX graph where both answered a few hundred rows alike; `fp16` and `int8` let a
    graph of a neural net have smaller numbers, too, where its answers are nearly the same; `"off"`, with its quotes,
    because YAML takes the bare word for false, serves it as it is."""

    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """How many processes serve in each pod, each with its own copy of the model. Left out, as many as the pod's CPU
    limit has whole cores and its memory has room for."""

    cache: Cache | None = None
    """Answers that are remembered. Left out, none are."""

    sampling: Sampling | None = None
    """Answers that are kept to be compared. Left out, none are."""

    image: Image | None = None
    """The image of a server of somebody else's, such as Triton, TensorFlow Serving, or your own. It is rolled out as
    the bundled one is, with the same canaries, mirrors and rollbacks."""

    container: Container | None = None
    """How that image is run, and where it answers."""
