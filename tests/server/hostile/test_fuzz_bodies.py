"""A few thousand of the random requests; `make fuzz-server` asks a hundred thousand."""

import random

import pytest
from server import plain
from server.hostile import fuzz, mutations, nearly, worlds
from server.hostile.fuzz import Got

from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import FREE

BODIES, SEED = 4_200, 20


async def test_whatever_comes_is_answered_or_refused_and_leaves_nothing_behind(shelf, tmp_path):
    report = await fuzz.run(shelf, tmp_path, BODIES, SEED, lambda _: None)

    assert report.faults == []
    assert set(report.rows) == {"V1", "TF Serving", "V2 JSON", "V2 binary", "MLflow JSON", "MLflow CSV", "gRPC"}
    for protocol, row in report.rows.items():
        assert row.classes[2], protocol  # some are still good, so not everything is refused at the door
        assert row.classes[4] > row.classes[2], protocol
    assert report.objects[1] - report.objects[0] < fuzz.MOST_OBJECTS


async def test_the_same_seed_asks_the_same():
    async with worlds.opened("free", Model("test", FREE, worlds.first)) as world:
        one, other = (fuzz.Run(5, 0, print).asked(world, number)[1] for number in (3, 3))
        another = fuzz.Run(6, 0, print).asked(world, 3)[1]

    assert one == other != another


async def test_a_model_that_breaks_an_answer_of_another_form_and_a_changed_answer_are_found():
    """The net has no hole where the fish is: what it must catch, it does."""
    seen = []

    def moody(rows):
        seen.append(rows)
        if rows.count > 1:
            raise RuntimeError("more than one row")
        return {"y": rows.arrays[0] * len(seen)}

    async with worlds.opened("free", Model("test", FREE, worlds.first)) as world:
        world.app._serving.plane = plain.serve(Model("test", FREE, moody))[0].plane
        run = fuzz.Run(1, 0, lambda _: None)
        asked = nearly.Asked("V1", nearly.V1, mutations.encoded(world.good.v1), nearly.JSON)
        run._judge(world, 7, asked, await fuzz.ask(world, asked))
        lone = nearly.Asked("V1", nearly.V1, b'{"instances": [[1.0]]}', nearly.JSON)
        first, second = await fuzz.ask(world, lone), await fuzz.ask(world, lone)

    assert "--seed 1 --replay free:7  V1: status 500" in run.report.faults[0]
    assert first.body != second.body


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (Got(200, "application/json", b"{}"), ""),
        (Got(400, "application/json", b'{"error":"so it is"}'), ""),
        (Got(400, "application/json", b'{"error":" "}'), "not its protocol's form"),
        (Got(400, "application/json", b'{"detail":"x"}'), "not its protocol's form"),
        (Got(400, "text/plain", b"Invalid HTTP request received."), "an error as text/plain"),
        (Got(400, "application/json", b'{"error":"Traceback (most recent call last)"}'), "a stack trace"),
        (Got(302, "application/json", b"{}"), "status 302"),
        (Got(500, "application/json", b"{}"), "status 500"),
        (Got(400, "grpc", b""), "an error without a sentence"),
    ],
)
def test_what_no_answer_may_be_is_told(got, told):
    assert told in fuzz.wrong(nearly.Asked("V1", nearly.V1, b""), got)
    assert bool(fuzz.wrong(nearly.Asked("V1", nearly.V1, b""), got)) is bool(told)


def test_a_changed_body_is_another_one_and_the_first_stays_what_it_was():
    whole = {"inputs": [{"name": "x", "shape": [1, 2], "data": [1.0, 2.0]}]}
    kept = mutations.encoded(whole)
    others = {mutations.encoded(mutations.changed(random.Random(seed), whole)) for seed in range(300)}

    assert mutations.encoded(whole) == kept
    assert len(others) > 200
