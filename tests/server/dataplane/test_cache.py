"""A cache stays within its bytes and its time, and forgets what was used longest ago."""

from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.dataplane.cache import Cache

MOST, SECONDS = 100, 10.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Plain:
    """The same, written down without thought for its cost: all that was put, the least recently used first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: list[tuple[bytes, object, int, float]] = []

    def get(self, key: bytes) -> object:
        [entry] = [one for one in self.entries if one[0] == key] or [None]
        if entry is None:
            return None
        self.entries.remove(entry)
        if entry[3] <= self._clock():
            return None
        self.entries.append(entry)
        return entry[1]

    def put(self, key: bytes, value: object, size: int, seconds: float) -> None:
        self.entries = [one for one in self.entries if one[0] != key]
        if size > MOST:
            return
        while sum(one[2] for one in self.entries) + size > MOST:
            self.entries.pop(0)
        self.entries.append((key, value, size, self._clock() + seconds))


keys = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
steps = st.one_of(
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("put"), keys, st.integers(0, 120), st.sampled_from([1.0, SECONDS])),
    st.tuples(st.just("pass"), st.sampled_from([0.5, 1.0, SECONDS])),
)


@given(st.lists(steps, max_size=60))
def test_it_never_holds_more_than_its_bytes_and_gives_what_was_put_until_it_ends_or_makes_room(days):
    clock = Clock()
    cache, plain = Cache[object](MOST, clock), Plain(clock)
    for at, (act, *what) in enumerate(days):
        if act == "get":
            assert cache.get(what[0]) == plain.get(what[0])
        elif act == "put":
            key, size, seconds = what
            cache.put(key, at, size, seconds)
            plain.put(key, at, size, seconds)
        else:
            clock.now += what[0]
        assert cache.bytes == sum(one[2] for one in plain.entries) <= MOST
        assert len(cache) == len(plain.entries)


def test_what_was_used_longest_ago_makes_room_and_is_counted():
    cache = Cache[str](MOST, Clock())
    cache.put(b"a", "first", 40, SECONDS)
    cache.put(b"b", "second", 40, SECONDS)
    cache.get(b"a")

    cache.put(b"c", "third", 40, SECONDS)

    assert [cache.get(key) for key in (b"a", b"b", b"c")] == ["first", None, "third"]
    assert cache.evictions == 1


def test_what_has_had_its_time_is_gone_and_was_not_evicted():
    clock = Clock()
    cache = Cache[str](MOST, clock)
    cache.put(b"a", "first", 40, SECONDS)

    clock.now = SECONDS

    assert cache.get(b"a") is None
    assert (len(cache), cache.bytes, cache.evictions) == (0, 0, 0)


def test_what_is_larger_than_the_whole_evicts_nothing():
    cache = Cache[str](MOST, Clock())
    cache.put(b"a", "first", 40, SECONDS)

    cache.put(b"b", "whale", MOST + 1, SECONDS)

    assert (cache.get(b"a"), cache.get(b"b"), cache.evictions) == ("first", None, 0)
