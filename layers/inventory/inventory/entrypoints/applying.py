"""What each edge does around the write use case: the budget before it, the log line and the metrics after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.domain.model import Group
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.telemetry import report_outcome

if TYPE_CHECKING:
    from uuid import UUID

    from inventory.adjusting.loop import Adjuster
    from inventory.domain.model import Command, GroupOutcome, Outcome
    from inventory.entrypoints.telemetry import Invocation


def business_id_of(request: Command | Group) -> UUID:
    """The business of a request; a group has one for all of its lines."""
    return (request.lines[0] if isinstance(request, Group) else request).business_id


def apply(request: Command | Group, adjuster: Adjuster, invocation: Invocation) -> Outcome | GroupOutcome:
    """Apply one request within the time of its invocation, and report it.

    Raises:
        Refusal: final.
        TryAgain: the outcome is unknown, or the time was too short.
    """
    invocation.business_id = business_id_of(request)
    invocation.budget = budget = RetryBudget(invocation.remaining_s, adjuster.sleep, adjuster.fraction)
    outcome: Outcome | GroupOutcome
    if isinstance(request, Group):
        outcome = adjuster.carry_out_group(request, budget)
    else:
        outcome = adjuster.carry_out(request, budget)
    report_outcome(outcome, invocation)
    return outcome
