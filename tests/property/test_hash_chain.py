"""The canonical form of any row is the JSON that a general encoder writes of its members."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.hash_chain import canonical_members, canonical_text
from inventory.domain.model import Adjustment

INTEGERS: Final = st.integers(-(10**38), 10**38)

TEXTS: Final = st.text(st.characters(exclude_categories=()))

ROWS: Final = st.builds(
    Adjustment,
    id=st.uuids(),
    business_id=st.uuids(),
    variant_id=st.uuids(),
    location_id=st.uuids(),
    delta=INTEGERS,
    reason=TEXTS,
    reason_code=st.none() | TEXTS,
    reference=st.none() | TEXTS,
    expected_quantity=st.none() | INTEGERS,
    location_defaulted=st.booleans(),
    sequence=INTEGERS,
    quantity_after=INTEGERS,
    created_at=st.datetimes(min_value=datetime(1, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  the zone is beside it
    created_by=TEXTS,
    reverses=st.none() | st.uuids(),
    previous_hash=TEXTS,
    hash=TEXTS,
)


@given(ROWS)
def test_the_canonical_form_is_what_a_general_encoder_writes(row: Adjustment) -> None:
    general = json.dumps(canonical_members(row), ensure_ascii=True, separators=(",", ":"), sort_keys=True)

    assert canonical_text(row) == general
