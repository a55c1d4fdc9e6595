"""Fixtures of the tests of the tables."""

from __future__ import annotations

import pytest

from tests.support.builders.domain import a_stock_item
from tests.support.harness.stores import StoreOnTables


@pytest.fixture
def cold() -> StoreOnTables:
    """A store that has read nothing yet, of a shop with ten on hand."""
    made = StoreOnTables()
    made.tables.with_catalog()
    made.tables.with_stock(a_stock_item(10))
    return made
