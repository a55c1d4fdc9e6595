"""The write path put together: the one loop on DynamoDB, with real clocks and real randomness."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from random import SystemRandom
from typing import TYPE_CHECKING
from uuid import uuid4

from inventory.adjusting.loop import Adjuster
from inventory.storage.stock_store import StockStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.model import StockItem, StockItemId


def adjuster_on_dynamodb(client: DynamoDBClient, *, inventory_table: str, ledger_table: str) -> Adjuster:
    """Make an adjuster whose store is the two tables."""

    def clock() -> datetime:
        return datetime.now(UTC)

    def level_as_of(
        stock_item_id: StockItemId, stock: StockItem, as_of: datetime, between_calls: Callable[[], None]
    ) -> int:
        # Few environments ever count what was there in the past.
        from inventory.entrypoints.past_levels import level_reader  # noqa: PLC0415
        from inventory.storage.ledger_index import DynamoDBLedgerIndex  # noqa: PLC0415

        read = level_reader(DynamoDBLedgerIndex(client, ledger_table), clock)
        return read(stock_item_id, stock, as_of, between_calls)

    return Adjuster(
        store=StockStore(client, inventory_table=inventory_table, ledger_table=ledger_table, time_s=time.time),
        clock=clock,
        new_id=uuid4,
        fraction=SystemRandom().random,  # not `random`: environments restored from one snapshot would share its seed
        sleep=time.sleep,
        level_as_of=level_as_of,
    )
