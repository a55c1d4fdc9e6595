"""The hash of a ledger row: it never changes, and it covers every member of the row."""

from __future__ import annotations

import json
from copy import replace
from typing import Any
from uuid import UUID

import pytest

from inventory.domain.hash_chain import canonical_members, canonical_text, row_hash
from inventory.domain.model import GENESIS_HASH, Adjustment
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import HEAD_HASH, NOW, TICK, VARIANT

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
    "kind": "count",
    "group_id": UUID(int=1),
    "group_line": 1,
    "group_size": 2,
    "counted_quantity": 0,
    "counted_at": NOW - TICK,
    "sku": "SKU 7",
    "occurred_at": NOW - TICK,
    "form": 1,
}

GROUPED = an_adjustment(group_id=VARIANT, group_line=0, group_size=3)


def test_the_hash_of_a_row_never_changes() -> None:
    """Known answers, made with sha256sum: rows live for ever, and a proof must still fit them."""
    plain = an_adjustment(form=1)
    full = an_adjustment(
        form=1,
        reason='Größe "L"\n📦',
        reason_code="damage",
        reference="count 7",
        expected_quantity=-1,
        reverses=VARIANT,
        previous_hash=HEAD_HASH,
    )

    assert row_hash(plain) == "7878eecb81b1010957c75fd32929e60165b775079c7452296f5062d9d58922e9"
    assert row_hash(full) == "f29b32499d4ea4856a4c3f0f64cdb3193d2b2e726fe79c84ec001be1b72efe37"


def test_the_hash_of_a_row_of_form_2_never_changes() -> None:
    plain = an_adjustment()
    count = an_adjustment(
        kind="count",
        group_id=VARIANT,
        group_line=1,
        group_size=2,
        counted_quantity=0,
        counted_at=NOW - TICK,
        sku='SKU "7"',
        occurred_at=NOW,
    )

    assert row_hash(plain) == "77bc9e58d6d9a615d82d815f28c6dbbb9e74c4cc9c9128098d362c90afdb9497"
    assert row_hash(count) == "5975a095b461d57a039a3c2b2bad894f7a8e27f5755c7965a18e689db67aa74e"


@pytest.mark.parametrize("name", [name for name in Adjustment._fields if name != "hash"])
def test_every_member_of_a_row_is_part_of_its_hash(name: str) -> None:
    row = GROUPED if name.startswith("group_") else an_adjustment()

    assert row_hash(replace(row, **{name: OTHER_VALUES[name]})) != row_hash(row)


@pytest.mark.parametrize("name", ["kind", "counted_quantity", "counted_at", "sku", "occurred_at"])
def test_what_form_2_added_is_no_part_of_a_hash_of_form_1(name: str) -> None:
    row = an_adjustment(form=1)

    assert row_hash(replace(row, **{name: OTHER_VALUES[name]})) == row_hash(row)


def test_the_hash_is_not_part_of_its_own_input() -> None:
    row = an_adjustment()

    assert row_hash(replace(row, hash=GENESIS_HASH)) == row_hash(row) == row.hash


def test_absent_and_empty_members_have_different_hashes() -> None:
    assert row_hash(an_adjustment(reference=None)) != row_hash(an_adjustment(reference=""))
    assert row_hash(an_adjustment(reference=None)) != row_hash(an_adjustment(reference="null"))


@pytest.mark.parametrize("name", [None, *OTHER_VALUES])
def test_the_canonical_form_is_the_json_of_its_members_with_sorted_keys(name: str | None) -> None:
    row = GROUPED if name is None else replace(GROUPED, **{name: OTHER_VALUES[name]})

    assert canonical_text(row) == json.dumps(canonical_members(row), separators=(",", ":"), sort_keys=True)
