"""DynamoDB's store on tables in memory, with a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inventory.aws.clients import dynamodb_client
from inventory.storage.stock_store import StockStore
from tests.support.builders.domain import a_command
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, Tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.model import Command, Snapshot


@dataclass
class StoreOnTables:
    """A cold store. ``keys_read`` holds what the last load asked the tables for."""

    now_s: float = 1_000_000.0
    client: DynamoDBClient = field(init=False)
    store: StockStore = field(init=False)
    tables: Tables = field(init=False)

    def __post_init__(self) -> None:
        self.client = dynamodb_client(None)
        self.tables = Tables(self.client)
        self.store = StockStore(
            self.client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE, time_s=lambda: self.now_s
        )

    def load(self, command: Command | None = None, *, recorded_ids: Sequence[UUID] = ()) -> Snapshot:
        self.tables.requests.clear()
        asked = command or a_command()
        return self.store.load([asked], recorded_ids, reverses=asked.reverses)

    @property
    def rows_looked_for(self) -> list[list[str]]:
        """For each TransactGetItems since the last load began, its keys as text, in order."""
        return [
            [part["Get"]["Key"]["pk"]["S"] for part in each["TransactItems"]]
            for each in self.tables.requests["TransactGetItems"]
        ]

    @property
    def keys_read(self) -> list[list[str]]:
        """For each BatchGetItem since the last load began, its keys as text, sorted."""
        return [
            sorted(
                "/".join(value["S"] for value in key.values())
                for wanted in each["RequestItems"].values()
                for key in wanted["Keys"]
            )
            for each in self.tables.requests["BatchGetItem"]
        ]
