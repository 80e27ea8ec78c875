"""A cache that cannot grow, and that forgets in time."""

from chassis.ttl_cache import TtlCache


def test_a_value_is_there_until_its_time() -> None:
    cache: TtlCache[str, int] = TtlCache(10)
    cache.put("a", 1, until=5.0)
    assert cache.get("a", 4.9) == 1
    assert cache.get("a", 5.0) is None
    assert cache.get("a", 4.0) is None
    assert len(cache) == 0


def test_full_it_forgets_the_one_that_was_written_first() -> None:
    cache: TtlCache[int, int] = TtlCache(3)
    for key in (1, 2, 3, 1, 4):
        cache.put(key, key, until=5.0)
    assert [cache.get(key, 0.0) for key in (1, 2, 3, 4)] == [1, None, 3, 4]


def test_a_value_written_again_takes_no_more_room() -> None:
    cache: TtlCache[str, int] = TtlCache(2)
    cache.put("kept", 1, until=5.0)
    for n in range(5):
        cache.put("a", n, until=5.0)
    assert (cache.get("kept", 0.0), cache.get("a", 0.0)) == (1, 4)


def test_a_dropped_value_is_gone_and_dropping_nothing_is_fine() -> None:
    cache: TtlCache[str, int] = TtlCache(2)
    cache.put("a", 1, until=5.0)
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a", 0.0) is None
