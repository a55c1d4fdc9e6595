"""The reader put together on DynamoDB; apart from the write path's parts, whose cold start would pay for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.books import Books
from inventory.client import dynamodb_client
from inventory.history import History
from inventory.ledger_index import DynamoDBLedgerIndex
from inventory.proof import Prover
from inventory.reader import Reader

if TYPE_CHECKING:
    from inventory.history import AtOnce


def reader_on_dynamodb(endpoint_url: str | None, *, inventory_table: str, ledger_table: str, at_once: AtOnce) -> Reader:
    """Make a reader with a client of its own; ``endpoint_url`` is None for AWS itself."""
    client = dynamodb_client(endpoint_url)
    books = Books(client, inventory_table=inventory_table, ledger_table=ledger_table)
    index = DynamoDBLedgerIndex(client, ledger_table)
    return Reader(books, index, History(index, books, at_once), Prover(index, books), at_once)
