"""The keys of the tables: as roles and stored data know them, and free of callers' delimiters."""

from __future__ import annotations

import re
from inspect import get_annotations, getmembers, isfunction
from uuid import UUID

from inventory.storage import keys
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT


def test_keys_are_as_the_roles_and_the_stored_data_know_them() -> None:
    b, v, l = str(BUSINESS), str(VARIANT), str(LOCATION)  # noqa: E741

    assert keys.business(BUSINESS) == f"BUSINESS#{b}"
    assert keys.location(LOCATION) == f"LOCATION#{l}"
    assert keys.variant(VARIANT) == f"VARIANT#{v}"
    assert keys.stock(BUSINESS, VARIANT) == f"STOCK#{b}#{v}"
    assert keys.ledger(BUSINESS, VARIANT) == f"{b}#{v}"
    assert keys.ledger_stock_item(BUSINESS, VARIANT, LOCATION) == f"{b}#{v}#{l}"
    assert keys.ledger_business(BUSINESS, VARIANT) == keys.ledger_shard(BUSINESS, 5) == f"{b}#5"
    assert keys.reversal(BUSINESS, VARIANT) == f"REVERSAL#{b}#{v}"
    assert (keys.SETTINGS, keys.REVERSAL) == ("SETTINGS", "REVERSAL")
    assert keys.settings_key(BUSINESS) == (f"BUSINESS#{b}", "SETTINGS")
    assert keys.location_key(BUSINESS, LOCATION) == (f"BUSINESS#{b}", f"LOCATION#{l}")
    assert keys.variant_key(BUSINESS, VARIANT) == (f"BUSINESS#{b}", f"VARIANT#{v}")
    assert keys.stock_item_key(BUSINESS, VARIANT, LOCATION) == (f"STOCK#{b}#{v}", l)
    assert keys.reversal_link_key(BUSINESS, VARIANT) == (f"REVERSAL#{b}#{v}", "REVERSAL")
    assert keys.ledger_row_key(BUSINESS, VARIANT) == (f"{b}#{v}",)
    assert keys.token("0f") == "TOKEN#0f"


def test_the_shard_of_a_variant_never_changes_and_the_variants_are_spread() -> None:
    shards = [int(keys.ledger_business(BUSINESS, UUID(int=each)).split("#")[1]) for each in range(800)]

    assert set(shards) == set(range(keys.BUSINESS_SHARDS))
    assert max(map(shards.count, range(8))) < 150


def test_no_delimiter_can_come_from_a_caller() -> None:
    """Every key is made of UUIDs, which are typed and so canonical, or a number; the others of digits of our own."""
    builders = {
        name: function for name, function in getmembers(keys, isfunction) if function.__module__ == keys.__name__
    }

    taken = {name: set(get_annotations(each).values()) - {"str", "ItemKey"} for name, each in builders.items()}
    assert {name for name, kinds in taken.items() if not kinds or kinds - {"UUID", "int"}} == {"token", "rejection_key"}


def test_stock_and_catalog_and_ledger_never_share_a_partition() -> None:
    shapes = [
        re.sub("[0-9a-f-]{36}", "*", key)
        for key in (
            keys.business(BUSINESS),
            keys.stock(BUSINESS, VARIANT),
            keys.ledger(BUSINESS, VARIANT),
            keys.reversal(BUSINESS, VARIANT),
            keys.rejection_key("0" * 36)[0],
        )
    ]

    assert shapes == ["BUSINESS#*", "STOCK#*#*", "*#*", "REVERSAL#*#*", "MESSAGE#*"]
