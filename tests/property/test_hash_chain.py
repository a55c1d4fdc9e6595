"""The canonical form of any row is the JSON that a general encoder writes of its members."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.hash_chain import canonical_members, canonical_text
from inventory.domain.model import Adjustment

INTEGERS: Final = st.integers(-(10**38), 10**38)

TEXTS: Final = st.text(st.characters(exclude_categories=()))

INSTANTS: Final = st.datetimes(min_value=datetime(1, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the zone is beside it

NO_GROUP: Final = st.fixed_dictionaries({"group_id": st.none(), "group_line": st.none(), "group_size": st.none()})
GROUP: Final = st.fixed_dictionaries({"group_id": st.uuids(), "group_line": INTEGERS, "group_size": INTEGERS})

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
    created_at=INSTANTS,
    created_by=TEXTS,
    reverses=st.none() | st.uuids(),
    previous_hash=TEXTS,
    hash=TEXTS,
    kind=st.sampled_from(["adjustment", "count", "transfer", "reversal"]),
    counted_quantity=st.none() | INTEGERS,
    counted_at=st.none() | INSTANTS,
    sku=st.none() | TEXTS,
    occurred_at=st.none() | INSTANTS,
    form=st.sampled_from([1, 2]),
)


@given(ROWS, NO_GROUP | GROUP)
def test_the_canonical_form_is_what_a_general_encoder_writes(row: Adjustment, group: dict[str, Any]) -> None:
    row = row._replace(**group)
    general = json.dumps(canonical_members(row), ensure_ascii=True, separators=(",", ":"), sort_keys=True)

    assert canonical_text(row) == general
