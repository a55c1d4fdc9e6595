"""The reader put together on DynamoDB; apart from the write path's parts, whose cold start would pay for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.aws.clients import dynamodb_client
from inventory.integrity.proof import Prover
from inventory.queries.adjustments import History
from inventory.queries.reader import Reader
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups

if TYPE_CHECKING:
    from inventory.domain.concurrency import AtOnce


def reader_on_dynamodb(endpoint_url: str | None, *, inventory_table: str, ledger_table: str, at_once: AtOnce) -> Reader:
    """Make a reader with a client of its own; ``endpoint_url`` is None for AWS itself."""
    client = dynamodb_client(endpoint_url)
    lookups = Lookups(client, inventory_table=inventory_table, ledger_table=ledger_table)
    index = DynamoDBLedgerIndex(client, ledger_table)
    return Reader(lookups, index, History(index, lookups, at_once), Prover(index, lookups), at_once)
