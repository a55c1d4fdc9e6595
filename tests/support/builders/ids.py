"""Ids, instants and texts that tests begin from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from inventory.domain.model import StockItemId

BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01")
OTHER_BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02")
VARIANT = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
OTHER_VARIANT = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa7")
LOCATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
"""The default location wherever a test does not say otherwise."""
OTHER_LOCATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae8")
STOCK_ITEM = StockItemId(BUSINESS, VARIANT, LOCATION)
ADJUSTMENT = UUID("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
SUBJECT = "till 4"
GATEWAY_REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HEAD_HASH = "ab" * 32
