"""Correcting: an adjustment is never undone in place, but taken back by a new one of the opposite delta, once.

A reversal is an adjustment like any other: it is decided and committed by the same rules and the same loop, and can be
reversed itself. What is particular to it is the command that it comes down to, and the link in ``dynamodb``.
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
    """Reverse an adjustment once, however often it has to be tried.

    The adjustment is read once: what stands in the ledger never changes.

    Raises:
        AdjustmentNotFound: the business has no such adjustment.
        AlreadyReversed: another request has reversed it.
        Refusal: final, as for every adjustment.
        TryAgain: not settled in time; it may or may not stand in the ledger.
    """
    try:
        reversed_row = _find_within(adjuster.store, reversal, budget)
    except RetryBudgetSpent:
        raise TryAgain from None
    return adjuster.carry_out(_command(reversal, reversed_row), budget)


def _find_within(store: Store, reversal: Reversal, budget: RetryBudget) -> Adjustment:
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
    # A key's first answer comes before all else, and whatever it was, it was not for what does not exist.
    if key is not None and recorded_id in found:
        raise IdempotencyKeyReused(key=key)
    raise AdjustmentNotFound


def _command(reversal: Reversal, row: Adjustment) -> Command:
    """The adjustment that takes ``row`` back: at its location, whatever the default one is by now."""
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
