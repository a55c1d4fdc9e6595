"""The write path put together: the one loop on DynamoDB, with real clocks and real chance."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from random import SystemRandom
from uuid import uuid4

from inventory.adjusting.loop import Adjuster
from inventory.aws.clients import dynamodb_client
from inventory.storage.stock_store import DynamoDBStore


def adjuster_on_dynamodb(endpoint_url: str | None, *, inventory_table: str, ledger_table: str) -> Adjuster:
    """Make an adjuster with a client of its own; ``endpoint_url`` is None for AWS itself."""
    store = DynamoDBStore(
        dynamodb_client(endpoint_url),
        inventory_table=inventory_table,
        ledger_table=ledger_table,
        time_s=time.time,
    )
    return Adjuster(
        store=store,
        clock=lambda: datetime.now(UTC),
        new_id=uuid4,
        fraction=SystemRandom().random,  # not `random`: environments restored from one snapshot would share its seed
        sleep=time.sleep,
    )
