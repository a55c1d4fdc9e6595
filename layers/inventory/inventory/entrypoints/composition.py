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
    from mypy_boto3_dynamodb import DynamoDBClient


def adjuster_on_dynamodb(client: DynamoDBClient, *, inventory_table: str, ledger_table: str) -> Adjuster:
    """Make an adjuster whose store is the two tables."""
    store = StockStore(client, inventory_table=inventory_table, ledger_table=ledger_table, time_s=time.time)
    return Adjuster(
        store=store,
        clock=lambda: datetime.now(UTC),
        new_id=uuid4,
        fraction=SystemRandom().random,  # not `random`: environments restored from one snapshot would share its seed
        sleep=time.sleep,
    )
