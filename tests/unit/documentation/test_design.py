"""The page about the design: each package has its row, and one POST is followed in few files."""

from __future__ import annotations

import re

from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S, CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from inventory.domain.store import GROUP_MAX
from inventory.storage import keys
from inventory.storage.cache import CONTENDED_LIFETIME_S
from inventory.storage.stock_store import CATALOG_LIFETIME_S, STOCK_ENTRIES_MAX
from tests.support.pages import page, prose, rows, section
from tests.support.sam_template import resources
from tests.unit.test_architecture import INWARD

NAME = "docs/design.md"
FILES_OF_ONE_POST_MAX = 12


def test_the_table_of_layers_is_the_one_that_the_modules_are_held_to() -> None:
    documented: dict[str, set[str]] = {}
    for package, _, imported in rows(section(NAME, "Folders and layering"))[1:]:
        above = imported == "all of the above"
        documented[package] = set(documented) if above else set(re.findall(r"\w+", imported)) & set(documented)
    assert documented == INWARD


def test_one_post_is_followed_in_few_files() -> None:
    steps = section(NAME, "One request through the code")
    files = set(re.findall(r"`((?:\w+/)+\w+\.py)`", steps))
    assert 5 < len(files) <= FILES_OF_ONE_POST_MAX


def test_every_table_and_index_is_described() -> None:
    described = {row[0] for row in rows(section(NAME, "Tables"))}
    tables = resources("AWS::DynamoDB::Table")
    assert {name.removesuffix("Table") for name in tables} <= {each.partition(",")[0] for each in described}
    indexes = {
        index["IndexName"] for each in tables.values() for index in each["Properties"].get("GlobalSecondaryIndexes", [])
    }
    assert indexes
    assert {name for name in indexes if f"index `{name}" not in " ".join(described)} == set()
    assert f"in {keys.BUSINESS_SHARDS} shards" in section(NAME, "Tables")


def test_times_and_bounds_are_those_of_the_code() -> None:
    text = prose(page(NAME))
    said = (
        f"caches the catalog for up to {CATALOG_LIFETIME_S} seconds",
        f"up to {STOCK_ENTRIES_MAX:,} stock items",
        f"the item is read each time for {CONTENDED_LIFETIME_S} seconds",
        f"a group of up to {GROUP_MAX}",
        f"waits {CONNECT_TIMEOUT_S} second for a connection and {READ_TIMEOUT_S} for each piece",
        f"less than {CALL_BUDGET_S} seconds of the invocation left",
        f"At most {ATTEMPTS_MAX} attempts",
    )
    assert [each for each in said if each not in text] == []
