"""Many requests at once: grouped by stock item, each group carried out together, several groups side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from inventory.errors import StoreUnavailable, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.adjust import Adjuster, Result
    from inventory.history import AtOnce
    from inventory.model import Command
    from inventory.retries import Patience

    type StockItemKey = tuple[UUID, UUID, UUID | None]

GROUP_TIME_MAX_S: Final = 10.0
"""Seconds that one group may go on for, so that one that is contended does not use up the time of those behind it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with a group and should not have: a bug, or a permission that is missing."""

    error: Exception


def adjust_many(
    adjuster: Adjuster, commands: Sequence[Command], *, patience: Patience, at_once: AtOnce
) -> list[Result | Fault]:
    """Apply commands for any stock items: for each of them in the commands' order.

    Args:
        adjuster: the one use case.
        commands: none of them a reversal.
        patience: of the whole; no group begins when its time is over.
        at_once: makes the groups' calls side by side.

    Returns:
        What became of each, in the commands' order. What is wrong with one group does not touch the others.
    """
    places: dict[StockItemKey, list[int]] = {}
    results: list[Result | Fault] = [TryAgain()] * len(commands)
    defaults = _DefaultLocations(adjuster, patience)
    for place, command in enumerate(commands):
        try:
            location_id = command.location_id or defaults.of(command.business_id)
        except StoreUnavailable:
            continue
        places.setdefault((command.business_id, command.variant_id, location_id), []).append(place)

    def settled(group: list[int]) -> list[Result] | list[Fault]:
        deadline = _deadline(patience.remaining_s)
        try:
            return adjuster.adjust_all([commands[place] for place in group], remaining_s=deadline)
        except Exception as error:  # noqa: BLE001  the edge of a group
            return [Fault(error)] * len(group)

    for group, of_group in zip(places.values(), at_once(settled, places.values()), strict=True):
        for place, result in zip(group, of_group, strict=True):
            results[place] = result
    return results


def _deadline(remaining_s: Callable[[], float]) -> Callable[[], float]:
    """What is left of a group's time, which begins now."""
    behind_s = max(remaining_s() - GROUP_TIME_MAX_S, 0.0)
    return lambda: remaining_s() - behind_s


class _DefaultLocations:
    """The default locations of a batch's businesses, each looked up once."""

    def __init__(self, adjuster: Adjuster, patience: Patience) -> None:
        self._adjuster = adjuster
        self._patience = patience
        self._known: dict[UUID, UUID | None] = {}

    def of(self, business_id: UUID) -> UUID | None:
        if business_id not in self._known:
            look_up = partial(self._adjuster.store.default_location_id, business_id)
            self._known[business_id] = self._patience.settle(look_up)
        return self._known[business_id]
