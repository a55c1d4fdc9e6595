"""What DynamoDB charges for an item, by its documented rules: whole kilobytes, and double in a transaction."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Item = Mapping[str, Mapping[str, Any]]

UNIT_BYTES: Final = 1024
READ_UNIT_BYTES: Final = 4096
UNITS_IN_TRANSACTION: Final = 2


def write_units(item: Item) -> int:
    """Units for writing an item by itself, as an index does."""
    return ceil(size_bytes(item) / UNIT_BYTES)


def transaction_units(item: Item) -> int:
    """Units for writing an item in a transaction: once to prepare it, once to apply it."""
    return UNITS_IN_TRANSACTION * write_units(item)


def read_units(item: Item | None) -> int:
    """Units for reading an item consistently; one that is not there costs as much as a small one."""
    return max(1, ceil(size_bytes(item or {}) / READ_UNIT_BYTES))


def transaction_read_units(item: Item | None) -> int:
    """Units for reading an item in a transaction."""
    return UNITS_IN_TRANSACTION * read_units(item)


def size_bytes(item: Item) -> int:
    """An item's size: names and values in UTF-8, a number half a byte for each digit and one more."""
    return sum(len(name.encode()) + _value_size_bytes(value) for name, value in item.items())


def _value_size_bytes(value: Mapping[str, Any]) -> int:
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(number)}:
            return ceil(len(number.lstrip("-")) / 2) + 1
        case {"BOOL": _}:
            return 1
        case {"B": str(base64)}:
            return len(base64) * 3 // 4
        case {"L": list(members)}:
            return 3 + sum(1 + _value_size_bytes(member) for member in members)
        case _:
            raise ValueError(f"no value of this service: {value}")
