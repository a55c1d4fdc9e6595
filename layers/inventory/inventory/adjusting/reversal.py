"""Reversals: a ledger row is never changed, but another one with the opposite delta reverses it, once.

A reversal is an adjustment like any other. The same rules and the same loop carry it out, and it can be reversed too.
Only two things are special: the command that it becomes, and the reversal link that the store writes with its row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.domain.errors import (
    AdjustmentNotFound,
    IdempotencyKeyReused,
    RetryBudgetSpent,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.model import Command, Reversal
from inventory.domain.rules import keyed_id

if TYPE_CHECKING:
    from inventory.adjusting.loop import Adjuster
    from inventory.domain.model import Adjustment, Outcome
    from inventory.domain.retry_budget import RetryBudget
    from inventory.domain.store import Store


def carry_out(adjuster: Adjuster, reversal: Reversal, budget: RetryBudget) -> Outcome:
    """Reverse an adjustment once, in as many attempts as it needs.

    The adjustment is read once only, as a ledger row never changes.

    Raises:
        AdjustmentNotFound: the business has no such adjustment.
        AlreadyReversed: another request has reversed it.
        Refusal: final, as for every adjustment.
        TryAgain: the outcome is unknown, or the time was too short.
    """
    try:
        reversed_row = _find_in_attempts(adjuster.store, reversal, budget)
    except RetryBudgetSpent:
        raise TryAgain from None
    return adjuster.carry_out(_command(reversal, reversed_row), budget)


def _find_in_attempts(store: Store, reversal: Reversal, budget: RetryBudget) -> Adjustment:
    while True:
        budget.require_time()
        try:
            return _find(store, reversal)
        except StoreUnavailable:
            budget.next_attempt()


def _find(store: Store, reversal: Reversal) -> Adjustment:
    key = reversal.idempotency_key
    recorded_id = None if key is None else keyed_id(reversal.business_id, key)
    found = store.find(
        reversal.business_id,
        [each for each in (reversal.adjustment_id, recorded_id) if each is not None],
    )
    if reversal.adjustment_id in found:
        return found[reversal.adjustment_id]
    # The key belongs to a request that was carried out, so not to this one, whose adjustment does not exist.
    if key is not None and recorded_id in found:
        raise IdempotencyKeyReused(key=key)
    raise AdjustmentNotFound


def _command(reversal: Reversal, row: Adjustment) -> Command:
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
    )
