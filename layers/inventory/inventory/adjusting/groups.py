"""Many requests at once: grouped by stock item, each group carried out together, several groups in parallel."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.store import GROUP_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Command
    from inventory.domain.retry_budget import RetryBudget

    type StockItemKey = tuple[UUID, UUID, UUID | None]

GROUP_TIME_MAX_S: Final = 10.0
"""Seconds that one group may take while others wait. So a contended group leaves time for them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A request failed because of a bug or a missing permission."""

    error: Exception


def adjust_many(
    adjuster: Adjuster, commands: Sequence[Command], *, budget: RetryBudget, at_once: AtOnce
) -> list[Result | Fault]:
    """Apply commands for any stock items. Commands for the same stock item are applied in their order.

    Args:
        adjuster: applies each group.
        commands: none is a reversal. Each has an idempotency key, so that it is applied once even if it is tried again
            apart from its group.
        budget: of all groups together; no group begins after its time.
        at_once: carries out groups in parallel.

    Returns:
        The result of each, in the commands' order. A fault of one does not affect the others.
    """
    results: list[Result | Fault] = [TryAgain()] * len(commands)
    defaults = _default_locations(adjuster, commands, budget, at_once)
    groups: dict[StockItemKey, list[int]] = {}
    for index, command in enumerate(commands):
        location_id = command.location_id or defaults[command.business_id]
        if isinstance(location_id, TryAgain | Fault):
            results[index] = location_id
        else:
            groups.setdefault((command.business_id, command.variant_id, location_id), []).append(index)
    waiting = deque(groups)

    def results_of(group: list[int]) -> list[Result | Fault]:
        waiting.pop()
        reserved_s = max(budget.remaining_s() - GROUP_TIME_MAX_S, 0.0)
        return _adjust_group(
            adjuster,
            [commands[index] for index in group],
            lambda: budget.remaining_s() - (reserved_s if waiting else 0.0),
        )

    for group, group_results in zip(groups.values(), at_once(results_of, groups.values()), strict=True):
        for index, result in zip(group, group_results, strict=True):
            results[index] = result
    return results


def _adjust_group(
    adjuster: Adjuster, commands: Sequence[Command], remaining_s: Callable[[], float]
) -> list[Result | Fault]:
    """Apply commands for one stock item, in as few transactions as the limits allow."""
    parts = batched(commands, GROUP_MAX, strict=False)
    return [each for part in parts for each in _adjust_in_one_transaction(adjuster, part, remaining_s)]


def _adjust_in_one_transaction(
    adjuster: Adjuster, commands: Sequence[Command], remaining_s: Callable[[], float]
) -> list[Result | Fault]:
    """Apply commands in one transaction.

    If that fails with a fault, each half is tried separately, and so on. One command can cause a fault, for example if
    the row under its key is unreadable; it must not take the others of its stock item to the dead-letter queue.
    ``adjust_all`` raises a fault only if no transaction is in progress, so none can contradict the result of a half.
    """
    try:
        return [*adjuster.adjust_all(commands, remaining_s=remaining_s)]
    except Exception as error:  # noqa: BLE001  the edge of a group
        if len(commands) == 1:
            return [Fault(error)]
    half = len(commands) // 2
    halves = (commands[:half], commands[half:])
    return [each for part in halves for each in _adjust_in_one_transaction(adjuster, part, remaining_s)]


def _default_locations(
    adjuster: Adjuster, commands: Sequence[Command], budget: RetryBudget, at_once: AtOnce
) -> dict[UUID, UUID | TryAgain | Fault | None]:
    """Look up the default location once for each business where a command needs it."""

    def look_up(business_id: UUID) -> UUID | TryAgain | Fault | None:
        try:
            return budget.retry(lambda: adjuster.store.default_location_id(business_id))
        except StoreUnavailable:
            return TryAgain()
        except Exception as error:  # noqa: BLE001  the edge of a business
            return Fault(error)

    businesses = list(dict.fromkeys(each.business_id for each in commands if each.location_id is None))
    return dict(zip(businesses, at_once(look_up, businesses), strict=True))
