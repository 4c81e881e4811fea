"""What is kept cannot be changed by anybody, keeps nothing else alive, and takes no more memory than was said."""

import gc
import tracemalloc

import numpy as np
import pytest

from ferryman_server.dataplane import kept
from ferryman_server.dataplane.cache import Cache
from ferryman_server.dataplane.rows import Answer


def test_a_kept_answer_is_a_copy_that_refuses_to_be_written():
    batch = np.arange(8.0)
    answer = {"predict": batch[2:4]}

    copy = kept.frozen(answer)

    batch[:] = 0
    assert copy is not None
    assert copy["predict"].tolist() == [2.0, 3.0]
    assert copy["predict"].base is None, "it would keep the whole batch"
    with pytest.raises(ValueError, match="read-only"):
        copy["predict"][0] = 1


def test_objects_that_may_change_are_not_kept():
    array = np.empty(1, dtype=object)
    array[0] = {"a": 1}

    assert kept.frozen({"predict": array}) is None
    assert kept.frozen({"predict": np.array([(1, 2)], dtype=[("a", int), ("b", int)])}) is None


@pytest.mark.parametrize(
    "answer",
    [
        lambda at: {"predict": np.array([float(at)])},
        lambda at: {"label": np.array([at]), "probabilities": np.full((1, 3), float(at))},
        lambda at: {"label": np.array([f"species number {at}", f"not {at}"], dtype=object)},
        lambda at: {"predict": np.full(1000, float(at))},
        lambda at: {"story": np.array([f"it was told {at} times: " * 40], dtype=object)},
        lambda at: {"label": np.array([f"species number {at}"])},
    ],
)
def test_answers_take_no_more_memory_than_was_said(answer):
    def remember(cache: Cache[Answer], count: int) -> None:
        for at in range(count):
            copy = kept.frozen(answer(at))
            assert copy is not None
            cache.put(at.to_bytes(20), copy, kept.size(copy), 1e9)

    remember(Cache[Answer](1 << 30, lambda: 0.0), 10)
    cache = Cache[Answer](1 << 30, lambda: 0.0)
    gc.collect()
    tracemalloc.start()
    remember(cache, 3000)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert grown <= cache.bytes <= 2.5 * grown
