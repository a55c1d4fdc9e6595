"""The cache of values: how long a value is trusted, and which one is forgotten."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from inventory.storage.cache import Cache


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def a_cache(clock: Clock) -> Cache[str, int]:
    return Cache(lifetime_s=60, entries_max=3, time_s=clock)


@pytest.mark.parametrize(("age_s", "trusted"), [(0, 1), (59.999, 1), (60, None), (-0.001, None), (1e9, None)])
def test_a_value_is_trusted_for_its_lifetime_and_never_from_the_future(age_s: float, trusted: int | None) -> None:
    clock = Clock()
    cache = a_cache(clock)
    cache.put("a", 1, read_at_s=clock.now_s)

    clock.now_s += age_s

    assert cache.trusted("a") == trusted


def test_a_value_that_is_too_old_is_still_known() -> None:
    clock = Clock()
    cache = a_cache(clock)
    cache.put("a", 1, read_at_s=clock.now_s)
    clock.now_s += 60

    assert cache.trusted("a") is None
    assert cache.last_known("a") == 1


def test_a_clock_that_was_set_back_ends_the_trust_for_good_and_in_all_values() -> None:
    clock = Clock()
    cache = a_cache(clock)
    cache.put("a", 1, read_at_s=clock.now_s)
    cache.put("b", 2, read_at_s=clock.now_s)
    clock.now_s -= 50
    assert cache.trusted("a") is None

    clock.now_s += 50 + 59

    assert cache.trusted("a") is cache.trusted("b") is cache.last_known("b") is None


def test_a_value_read_before_the_clock_was_set_back_and_cached_after_is_not_trusted() -> None:
    clock = Clock()
    cache = a_cache(clock)
    read_at_s = clock.now_s
    clock.now_s -= 50
    assert cache.trusted("a") is None
    cache.put("a", 1, read_at_s=read_at_s)

    assert cache.trusted("b") is None
    clock.now_s += 50

    assert cache.trusted("a") is None


def test_caching_a_value_again_renews_its_age() -> None:
    clock = Clock()
    cache = a_cache(clock)
    cache.put("a", 1, read_at_s=clock.now_s)
    clock.now_s += 59

    cache.put("a", 2, read_at_s=clock.now_s)
    clock.now_s += 59

    assert cache.trusted("a") == 2


def test_a_value_never_cached_or_evicted_is_unknown() -> None:
    cache = a_cache(Clock())
    cache.put("a", 1, read_at_s=100)

    cache.forget("a")
    cache.forget("b")

    assert cache.trusted("a") is cache.last_known("a") is cache.trusted("b") is None


def test_a_full_cache_evicts_the_oldest_value() -> None:
    cache = a_cache(Clock())
    for name in "abcad":
        cache.put(name, 1, read_at_s=100)

    assert [name for name in "abcd" if cache.trusted(name)] == ["a", "c", "d"]


def test_several_threads_may_cache_concurrently() -> None:
    cache = a_cache(Clock())

    def remember(thread: int) -> None:
        for number in range(20_000):
            cache.put(f"{thread} {number}", number, read_at_s=100)

    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(remember, range(8)))
    finally:
        sys.setswitchinterval(usual_s)

    assert sum(cache.trusted(f"{thread} {number}") is not None for thread in range(8) for number in range(20_000)) == 3
