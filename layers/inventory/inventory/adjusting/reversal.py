"""Reversals: a ledger row is never changed, but another one with the opposite delta reverses it, once.

A reversal is an adjustment like any other, and that of a group is a group. The same rules and the same loop carry it
out, and it can be reversed too. Only two things are special: the commands that it becomes, and the reversal link that
the store writes with its rows. A group is reversed as a whole, so its link stands under its id, which is that of its
first row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.domain.errors import (
    AdjustmentNotFound,
    GroupNotFound,
    IdempotencyKeyReused,
    NothingToReverse,
    PartOfGroup,
    Refusal,
    RetryBudgetSpent,
    RowMissing,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.model import Command, Group, GroupReversal, Reversal
from inventory.domain.rules import group_row_ids, keyed_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.adjusting.loop import Adjuster
    from inventory.domain.model import Adjustment, GroupOutcome, Outcome
    from inventory.domain.retry_budget import RetryBudget
    from inventory.domain.store import Store

    type _AnyReversal = Reversal | GroupReversal

_ALONE: Final = (None, 1)
"""The group sizes of rows that can be reversed on their own."""


def carry_out(adjuster: Adjuster, reversal: Reversal, budget: RetryBudget) -> Outcome:
    """Reverse an adjustment once, in as many attempts as it needs.

    The adjustment is read once only, as a ledger row never changes.

    Raises:
        AdjustmentNotFound: the business has no such adjustment.
        AlreadyReversed: another request has reversed it.
        PartOfGroup: it was made together with others.
        NothingToReverse: its delta is 0.
        Refusal: final, as for every adjustment.
        TryAgain: the outcome is unknown, or the time was too short.
    """
    row = _in_attempts(lambda: _reversed_row(adjuster.store, reversal), budget)
    return adjuster.carry_out(_command(reversal, row), budget)


def carry_out_group(adjuster: Adjuster, reversal: GroupReversal, budget: RetryBudget) -> GroupOutcome:
    """Reverse a group once: all of its rows, from the last to the first, or none. Rows of delta 0 are left out.

    Raises:
        GroupNotFound: the business has no such group.
        AlreadyReversed: another request has reversed it.
        NothingToReverse: all of its deltas are 0.
        Refusal: final, as for every group.
        TryAgain: the outcome is unknown, or the time was too short.
    """
    rows = _in_attempts(lambda: _reversed_group(adjuster.store, reversal, budget), budget)
    group = Group(
        tuple(_command(reversal, row) for row in reversed(rows) if row.delta),
        reverses=reversal.group_id,
        left_out=tuple(line for line, row in enumerate(rows) if not row.delta),
    )
    return adjuster.carry_out_group(group, budget)


def _in_attempts[T](find: Callable[[], T], budget: RetryBudget) -> T:
    try:
        while True:
            budget.require_time()
            try:
                return find()
            except RetryBudgetSpent:
                raise
            except StoreUnavailable:
                budget.next_attempt()
    except RetryBudgetSpent:
        raise TryAgain from None


def _reversed_row(store: Store, reversal: Reversal) -> Adjustment:
    row, key_is_used = _find(store, reversal, reversal.adjustment_id)
    if row is None:
        raise _refusal(reversal, AdjustmentNotFound(), key_is_used=key_is_used)
    if row.group_id is not None and row.group_size not in _ALONE:
        raise _refusal(reversal, PartOfGroup(group_id=row.group_id), key_is_used=key_is_used)
    if not row.delta:
        raise _refusal(reversal, NothingToReverse(parameter="id"), key_is_used=key_is_used)
    return row


def _reversed_group(store: Store, reversal: GroupReversal, budget: RetryBudget) -> list[Adjustment]:
    first, key_is_used = _find(store, reversal, reversal.group_id)
    if first is None or first.group_id != reversal.group_id:
        raise _refusal(reversal, GroupNotFound(), key_is_used=key_is_used)
    ids = group_row_ids(first)
    rows = {first.id: first}
    if len(ids) > 1:
        budget.require_time()
        rows = store.find(reversal.business_id, ids)
    if len(rows) < len(ids):
        raise RowMissing({"group_id": str(first.id)})
    if not any(row.delta for row in rows.values()):
        raise _refusal(reversal, NothingToReverse(parameter="group_id"), key_is_used=key_is_used)
    return [rows[each] for each in ids]


def _find(store: Store, reversal: _AnyReversal, reversed_id: UUID) -> tuple[Adjustment | None, bool]:
    """Give the row with an id, and whether the ledger has one under the reversal's key."""
    key = reversal.idempotency_key
    recorded_id = None if key is None else keyed_id(reversal.business_id, key)
    found = store.find(reversal.business_id, [each for each in (reversed_id, recorded_id) if each is not None])
    return found.get(reversed_id), recorded_id in found


def _refusal(reversal: _AnyReversal, why: Refusal, *, key_is_used: bool) -> Refusal:
    """Refuse a reversal. If its key was used, then by a request that was carried out, so not by this one."""
    key = reversal.idempotency_key
    return IdempotencyKeyReused(key=key) if key is not None and key_is_used else why


def _command(reversal: _AnyReversal, row: Adjustment) -> Command:
    """Make the command that reverses ``row``, at its location even if that is no longer the default one."""
    return Command(
        business_id=reversal.business_id,
        variant_id=row.variant_id,
        quantity_change=-row.delta,
        reason=reversal.reason,
        actor=reversal.actor,
        location_id=row.location_id,
        idempotency_key=reversal.idempotency_key,
        reverses=row.id,
        kind="reversal",
    )
