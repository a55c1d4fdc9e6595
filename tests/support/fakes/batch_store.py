"""Many requests at once, without AWS: a store that knows default locations, and calls that are made one by one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inventory.adjusting.loop import Adjuster
from inventory.domain.retry_budget import RetryBudget
from tests.support.builders.domain import a_business
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.fakes.scripted_store import ScriptedStore, VirtualTime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from inventory.domain.model import Business, Command, StockItemId
    from tests.support.fakes.scripted_store import Step


@dataclass
class BatchStore(ScriptedStore):
    """The scripted store with the one call that only a batch makes: to look up stock items, ``settings``."""

    on_settings: deque[Step] = field(default_factory=deque)

    def stock_item_ids(self, commands: Sequence[Command], **how: Any) -> list[StockItemId | None]:
        self._meet("settings", self.on_settings)
        return super().stock_item_ids(commands, **how)


def a_batch_store(business: Business | None = None, *, time: VirtualTime | None = None) -> BatchStore:
    """Two variants and two locations of one business, nothing on hand."""
    return BatchStore(
        businesses={BUSINESS: business or a_business()},
        active_variants={(BUSINESS, VARIANT), (BUSINESS, OTHER_VARIANT)},
        active_locations={(BUSINESS, LOCATION), (BUSINESS, OTHER_LOCATION)},
        time=time or VirtualTime(deadline_s=20.0),
    )


def an_adjuster(store: BatchStore) -> Adjuster:
    """Its pauses are half of the longest; every request must name a key."""

    def no_id() -> UUID:
        raise AssertionError("a request without a key")

    return Adjuster(
        store=store,
        clock=store.time.clock,
        new_id=no_id,
        fraction=lambda: 0.5,
        sleep=store.time.sleep,
        level_as_of=store.level_as_of,
    )


def budget_of_seconds(store: ScriptedStore) -> RetryBudget:
    """RetryBudget for as long as the store's time runs."""
    return RetryBudget(store.time.remaining_s, store.time.sleep, lambda: 0.5)
