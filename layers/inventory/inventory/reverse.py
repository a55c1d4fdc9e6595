"""Correcting: an adjustment is never undone in place, but taken back by a new one of the opposite delta, once.

A reversal is an adjustment like any other: it is decided and committed by the same rules and the same loop, and can be
reversed itself. What is particular to it is the command that it comes down to, and the link in ``dynamodb``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inventory.adjust import keyed_id
from inventory.errors import AdjustmentNotFound, IdempotencyKeyReused
from inventory.model import Command

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.adjust import Adjuster, Outcome, Store
    from inventory.model import Adjustment
    from inventory.tries import Tries


@dataclass(frozen=True, slots=True)
class Reversal:
    """A request to take one adjustment back. The fields are those of ``model.Command``."""

    business_id: UUID
    adjustment_id: UUID
    reason: str
    actor: str
    idempotency_key: str | None = None


def carry_out(adjuster: Adjuster, reversal: Reversal, tries: Tries) -> Outcome:
    """Reverse an adjustment once, however often it has to be tried.

    The adjustment is read once: what stands in the ledger never changes.

    Raises:
        AdjustmentNotFound: the business has no such adjustment.
        AlreadyReversed: another request has reversed it.
        Refusal: final, as for every adjustment.
        TryAgain: not settled in time; it may or may not stand in the ledger.
    """
    reversed_row = tries.settle(lambda: _find(adjuster.store, reversal, tries.require_time))
    return adjuster.carry_out(_command(reversal, reversed_row), tries)


def _find(store: Store, reversal: Reversal, before_call: Callable[[], None]) -> Adjustment:
    key = reversal.idempotency_key
    recorded_id = None if key is None else keyed_id(reversal.business_id, key)
    before_call()
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
