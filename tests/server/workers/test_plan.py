"""How many workers, and when: numbers in, a decision out."""

import pytest

from ferryman_server import settings
from ferryman_server.memory import Room
from ferryman_server.reason import FatalError
from ferryman_server.workers import plan
from ferryman_server.workers.plan import Height, Wish

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize(
    ("asked", "granted", "cores", "gpu", "wanted"),
    [
        (0, 1.0, 1, False, Wish(1, 1)),
        (0, 1.9, 2, False, Wish(1, 2)),
        (0, 2.0, 2, False, Wish(2, 2)),
        (0, 4.5, 5, False, Wish(4, 5)),
        (0, None, 64, False, Wish(1, 64)),
        (0, 8.0, 8, True, Wish(1, 8)),
        (1, 8.0, 8, False, Wish(1, 8, asked=True)),
        (3, None, 2, True, Wish(3, 2, asked=True)),
    ],
)
def test_there_is_one_for_each_whole_core_of_the_limit_unless_somebody_asks_otherwise(
    asked, granted, cores, gpu, wanted
):
    assert plan.wish(asked, granted, cores, gpu=gpu) == wanted


@pytest.mark.parametrize(("workers", "cores", "threads"), [(2, 2, 1), (2, 5, 2), (4, 2, 1), (1, 8, 8)])
def test_the_cores_are_shared_out_to_native_threads(workers, cores, threads):
    assert Wish(workers, cores).threads == threads


def test_a_model_of_six_gib_in_a_pod_of_eight_gets_no_second_copy():
    why = plan.obstacle(Room(8 * GIB, 2 * GIB), Height(6 * GIB), 1, 0)

    assert why == (
        "2 of them could take 12288 MiB (the largest took 6144 so far), and two thirds of the memory limit are 5461"
    )


def test_small_models_get_as_many_as_fit_into_two_thirds():
    fitting = [n for n in range(1, 10) if not plan.obstacle(Room(GIB, 900 * MIB), Height(90 * MIB), n, 0)]

    assert fitting == [1, 2, 3, 4, 5, 6]  # a seventh besides six still fits


def test_what_a_cache_may_grow_to_is_memory_of_each_worker():
    room, height = Room(GIB, 900 * MIB), Height(90 * MIB)

    assert not plan.obstacle(room, height, 1, 200 * MIB)
    assert plan.obstacle(room, height, 1, 300 * MIB)


def test_a_start_needs_room_for_its_helpers_too():
    why = plan.obstacle(Room(GIB, 400 * MIB), Height(90 * MIB, 250 * MIB), 1, 0)

    assert why.startswith(
        "starting another takes up to 340 MiB, and only 400 are left below the memory limit of 1024"
    )
    assert not plan.obstacle(Room(GIB, 450 * MIB), Height(90 * MIB, 250 * MIB), 1, 0)


def test_memory_is_tight_below_a_tenth():
    assert plan.tight(Room(GIB, 100 * MIB))
    assert not plan.tight(Room(GIB, 110 * MIB))


@pytest.mark.parametrize(
    ("shares", "cores", "wanted"),
    [
        ([0.9], 2, True),
        ([0.5], 2, False),
        ([1.8], 2, False),  # the model's own threads use both cores
        ([0.9, 0.3], 4, False),  # uneven: another would not mend it
        ([0.9, 0.8], 4, True),
        ([0.9, 0.8], 2, False),
    ],
)
def test_another_worker_helps_where_all_are_busy_and_a_core_is_not(shares, cores, wanted):
    assert plan.busy(shares, cores) is wanted


def test_whoever_dies_again_and_again_waits_longer_each_time_but_never_for_good():
    assert [plan.wait(deaths) for deaths in range(1, 10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("told", "wanted"), [("", 0), ("auto", 0), ("1", 1), ("3", 3)])
def test_the_number_may_be_named(told, wanted):
    env = {"FERRYMAN_MODEL_NAME": "iris", "FERRYMAN_WORKERS": told}

    assert settings.from_environment(env).workers == wanted


@pytest.mark.parametrize("told", ["0", "many", "-1", "1.5"])
def test_a_number_that_cannot_be_meant_is_refused(told):
    with pytest.raises(FatalError, match="FERRYMAN_WORKERS"):
        settings.from_environment({"FERRYMAN_MODEL_NAME": "iris", "FERRYMAN_WORKERS": told})
