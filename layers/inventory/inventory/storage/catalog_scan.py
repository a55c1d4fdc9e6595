"""The scans behind the operators' lists of all businesses and all tokens, which no key finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.storage import keys
from inventory.storage.table_scan import scan_page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.storage.keys import ItemKey
    from inventory.storage.table_scan import TablePage

_SCANNED_MAX: Final = 5_000
"""Items that one call looks at; 1 MB is another limit."""


class CatalogScan(NamedTuple):
    """Reads pages after the item under ``start``, in the order of the table, which never changes; each is one call."""

    client: DynamoDBClient
    inventory_table: str
    access_table: str

    def businesses(self, start: ItemKey | None) -> TablePage:
        """Look at items of the inventory table, and return the settings of businesses among them."""
        return scan_page(self.client, self.inventory_table, start, limit=_SCANNED_MAX, sort_key=keys.SETTINGS)

    def tokens(self, start: ItemKey | None) -> TablePage:
        """Read the items of tokens."""
        return scan_page(self.client, self.access_table, start, limit=_SCANNED_MAX)
