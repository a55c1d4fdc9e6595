"""Hash chain, instants, keys, memory and headers: small, and what everything else leans on."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from inspect import get_annotations, getmembers, isfunction
from typing import Any
from uuid import UUID

import pytest

from inventory.api.headers import HeaderEvent, header
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH, Adjustment
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage import keys
from inventory.storage.cache import Cache
from tests.support.builders import BUSINESS, HEAD_HASH, LOCATION, NOW, TICK, VARIANT, an_adjustment

# --- the hash chain --------------------------------------------------------------------------------------------------

OTHER_VALUES: dict[str, Any] = {
    "id": UUID(int=1),
    "business_id": UUID(int=1),
    "variant_id": UUID(int=1),
    "location_id": UUID(int=1),
    "delta": 6,
    "reason": "restock ",
    "reason_code": "damage",
    "reference": "count 7",
    "expected_quantity": 0,
    "location_defaulted": False,
    "sequence": 2,
    "quantity_after": 6,
    "created_at": NOW + TICK,
    "created_by": "till 5",
    "reverses": UUID(int=1),
    "previous_hash": HEAD_HASH,
}


def test_the_hash_of_a_row_never_changes() -> None:
    """Known answers, made with sha256sum: rows live for ever, and a proof must still fit them."""
    plain = an_adjustment()
    full = an_adjustment(
        reason='Größe "L"\n📦',
        reason_code="damage",
        reference="count 7",
        expected_quantity=-1,
        reverses=VARIANT,
        previous_hash=HEAD_HASH,
    )

    assert row_hash(plain) == "7878eecb81b1010957c75fd32929e60165b775079c7452296f5062d9d58922e9"
    assert row_hash(full) == "f29b32499d4ea4856a4c3f0f64cdb3193d2b2e726fe79c84ec001be1b72efe37"


@pytest.mark.parametrize("name", [field.name for field in fields(Adjustment) if field.name != "hash"])
def test_every_member_of_a_row_is_part_of_its_hash(name: str) -> None:
    row = an_adjustment()

    assert row_hash(replace(row, **{name: OTHER_VALUES[name]})) != row_hash(row)


def test_the_hash_itself_is_not() -> None:
    row = an_adjustment()

    assert row_hash(replace(row, hash=GENESIS_HASH)) == row_hash(row) == row.hash


def test_absent_and_empty_are_told_apart() -> None:
    assert row_hash(an_adjustment(reference=None)) != row_hash(an_adjustment(reference=""))
    assert row_hash(an_adjustment(reference=None)) != row_hash(an_adjustment(reference="null"))


# --- instants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (NOW, "2026-11-23T14:05:09.123456Z"),
        (NOW.replace(microsecond=0), "2026-11-23T14:05:09.000000Z"),
        (NOW.replace(microsecond=1), "2026-11-23T14:05:09.000001Z"),
        (NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-23T14:05:09.123456Z"),
    ],
)
def test_an_instant_is_utc_with_six_digits_and_a_z(instant: datetime, text: str) -> None:
    assert instant_text(instant) == text
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo == UTC


def test_instants_sort_as_text_as_they_do_in_time() -> None:
    instants = [NOW + timedelta(microseconds=each) for each in (-123_456, -1, 0, 1, 876_543, 876_544, 10**9)]

    assert sorted(map(instant_text, instants)) == [instant_text(each) for each in instants]


# --- keys ------------------------------------------------------------------------------------------------------------


def test_keys_are_as_the_roles_and_the_stored_data_know_them() -> None:
    b, v, l = str(BUSINESS), str(VARIANT), str(LOCATION)  # noqa: E741

    assert keys.business(BUSINESS) == f"BUSINESS#{b}"
    assert keys.location(LOCATION) == f"LOCATION#{l}"
    assert keys.variant(VARIANT) == f"VARIANT#{v}"
    assert keys.stock(BUSINESS, VARIANT) == f"STOCK#{b}#{v}"
    assert keys.ledger(BUSINESS, VARIANT) == f"{b}#{v}"
    assert keys.ledger_stock_item(BUSINESS, VARIANT, LOCATION) == f"{b}#{v}#{l}"
    assert keys.ledger_business(BUSINESS, VARIANT) == keys.ledger_shard(BUSINESS, 5) == f"{b}#5"
    assert keys.reversal(BUSINESS, VARIANT) == f"REVERSAL#{b}#{v}"
    assert (keys.SETTINGS, keys.REVERSAL) == ("SETTINGS", "REVERSAL")
    assert keys.settings_key(BUSINESS) == (f"BUSINESS#{b}", "SETTINGS")
    assert keys.location_key(BUSINESS, LOCATION) == (f"BUSINESS#{b}", f"LOCATION#{l}")
    assert keys.variant_key(BUSINESS, VARIANT) == (f"BUSINESS#{b}", f"VARIANT#{v}")
    assert keys.stock_item_key(BUSINESS, VARIANT, LOCATION) == (f"STOCK#{b}#{v}", l)
    assert keys.reversal_link_key(BUSINESS, VARIANT) == (f"REVERSAL#{b}#{v}", "REVERSAL")
    assert keys.ledger_row_key(BUSINESS, VARIANT) == (f"{b}#{v}",)
    assert keys.token_key("0f") == ("TOKEN#0f",)


def test_the_shard_of_a_variant_never_changes_and_the_variants_are_spread() -> None:
    shards = [int(keys.ledger_business(BUSINESS, UUID(int=each)).split("#")[1]) for each in range(800)]

    assert set(shards) == set(range(keys.BUSINESS_SHARDS))
    assert max(map(shards.count, range(8))) < 150


def test_no_delimiter_can_come_from_a_caller() -> None:
    """Every key is made of UUIDs, which are typed and so always canonical, or a number; a token's id of our digits."""
    builders = {
        name: function for name, function in getmembers(keys, isfunction) if function.__module__ == keys.__name__
    }

    taken = {name: set(get_annotations(each).values()) - {"str", "ItemKey"} for name, each in builders.items()}
    assert {name for name, kinds in taken.items() if not kinds or kinds - {"UUID", "int"}} == {"token", "token_key"}


def test_stock_and_catalog_and_ledger_never_share_a_partition() -> None:
    shapes = [
        re.sub("[0-9a-f-]{36}", "*", key)
        for key in (
            keys.business(BUSINESS),
            keys.stock(BUSINESS, VARIANT),
            keys.ledger(BUSINESS, VARIANT),
            keys.reversal(BUSINESS, VARIANT),
        )
    ]

    assert shapes == ["BUSINESS#*", "STOCK#*#*", "*#*", "REVERSAL#*#*"]


# --- the cache --------------------------------------------------------------------------------------------------------


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


def test_what_was_read_before_the_clock_was_set_back_and_remembered_after_is_not_trusted() -> None:
    clock = Clock()
    cache = a_cache(clock)
    read_at_s = clock.now_s
    clock.now_s -= 50
    assert cache.trusted("a") is None
    cache.put("a", 1, read_at_s=read_at_s)

    assert cache.trusted("b") is None
    clock.now_s += 50

    assert cache.trusted("a") is None


def test_a_value_that_is_remembered_again_is_as_young_as_that() -> None:
    clock = Clock()
    cache = a_cache(clock)
    cache.put("a", 1, read_at_s=clock.now_s)
    clock.now_s += 59

    cache.put("a", 2, read_at_s=clock.now_s)
    clock.now_s += 59

    assert cache.trusted("a") == 2


def test_what_was_never_remembered_or_is_forgotten_is_unknown() -> None:
    cache = a_cache(Clock())
    cache.put("a", 1, read_at_s=100)

    cache.forget("a")
    cache.forget("b")

    assert cache.trusted("a") is cache.last_known("a") is cache.trusted("b") is None


def test_beyond_its_bound_the_value_that_was_remembered_longest_ago_is_forgotten() -> None:
    cache = a_cache(Clock())
    for name in "abcad":
        cache.put(name, 1, read_at_s=100)

    assert [name for name in "abcd" if cache.trusted(name)] == ["a", "c", "d"]


def test_several_threads_may_remember_side_by_side() -> None:
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


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ({"headers": {"X-Name": "a"}}, "a"),
        ({"headers": {"x-NAME": " a\t"}}, "a"),
        ({"headers": {"x-name": ""}}, ""),
        ({"headers": {"x-name": "a", "X-Name": "b"}}, "a, b"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": {"X-Name": ["b"]}}, "b"),
        ({"headers": {"x-name": "b"}, "multiValueHeaders": {"x-name": ["a", "b"]}}, "a, b"),
        ({"multiValueHeaders": {"x-name": ["a"], "X-Name": ["b"]}}, "a, b"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": None}, "a"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": {}}, "a"),
        ({"headers": {"x-name-2": "a"}}, None),
        ({"headers": None, "multiValueHeaders": None}, None),
        ({}, None),
    ],
)
def test_a_header_is_found_in_any_case_and_all_its_values_count(event: HeaderEvent, value: str | None) -> None:
    assert header(event, "x-name") == value
