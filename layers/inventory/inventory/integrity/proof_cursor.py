"""The cursor of a proof: the figures so far, and the last row that was read.

A caller can forge one. So the figures must be possible sums of rows, and the ledger row that the cursor names must
exist and have exactly these figures.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from inventory.domain.timestamps import instant_text, parse_instant
from inventory.domain.uuids import parse_uuid
from inventory.integrity.chain_check import ChainCheck, Problem, ProblemKind, read_row
from inventory.storage import cursors, keys

if TYPE_CHECKING:
    from inventory.domain.model import StockItemId
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import Partition, StartKey

CURSOR_LENGTH_MAX: Final = 1024
"""The longest cursor that a query string may contain."""

HISTORY_ROWS_MAX: Final = 2**53 - 1
"""Rows of a whole history that a cursor may count: the largest integer that every JSON reader keeps exact."""

_NUMBER_MAX: Final = 10**38 - 1
"""The largest number that a tampered row can hold: DynamoDB keeps 38 digits."""

_HASH: Final = re.compile("[0-9a-f]{64}")

_MALFORMED_CURSOR: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a forged cursor can raise."""


class Resumption(NamedTuple):
    """What a cursor says: the figures so far, and the start in the index, after the row of ``adjustment_id``."""

    check: ChainCheck
    adjustment_id: UUID
    start: StartKey


def write(check: ChainCheck, last: Item, stock_item_id: StockItemId) -> str | None:
    """Write a cursor that continues after the row ``last``, or give None where a cursor can't name that row.

    That is a tampered row: its key has another form and any length.
    """
    pk = last["pk"]["S"]
    adjustment_id = parse_uuid(pk.rpartition("#")[2])
    if adjustment_id is None or pk != keys.ledger(stock_item_id.business_id, adjustment_id):
        return None
    try:
        last_at = _instant(last["created_at"]["S"])
    except _MALFORMED_CURSOR:
        return None
    problem = check.problem
    position = [
        *(check.rows, check.sum, check.sequence, check.quantity, check.head_hash, check.created_at),
        None if problem is None else [problem.sequence, problem.kind],
        str(adjustment_id),
        last_at,
        *(check.counted_at, check.counted_through),
    ]
    text = cursors.cursor(json.dumps(position, separators=(",", ":")), _question(stock_item_id))
    return text if len(text) <= CURSOR_LENGTH_MAX else None


def read(cursor: str, partition: Partition, stock_item_id: StockItemId) -> Resumption | None:
    """Read what ``write`` wrote for this stock item; None for anything else.

    The result may still be a forgery that ``agrees`` has to find.
    """
    text = cursors.position(cursor, _question(stock_item_id))
    if text is None:
        return None
    try:
        rows, total, sequence, quantity, head_hash, created_at, problem, adjustment_id, last_at, *counted = json.loads(
            text
        )
        # A cursor from before there were counts names none.
        counted_at, counted_through = counted or ("", "")
        check = ChainCheck(
            rows=_integer(rows, 1, HISTORY_ROWS_MAX),
            sum=_integer(total, -rows * _NUMBER_MAX, rows * _NUMBER_MAX),
            sequence=_integer(sequence, 0, _NUMBER_MAX),
            quantity=_integer(quantity, -_NUMBER_MAX, _NUMBER_MAX),
            head_hash=_hash(head_hash),
            created_at=_instant_or_empty(created_at),
            counted_at=_instant_or_empty(counted_at),
            counted_through=_instant_or_empty(counted_through),
            problem=None
            if problem is None
            else Problem(_integer(problem[0], -_NUMBER_MAX, 2 * _NUMBER_MAX), ProblemKind(problem[1])),
        )
        adjustment_id, last_at = UUID(adjustment_id), _instant(last_at)
    except _MALFORMED_CURSOR:
        return None
    start: StartKey = {
        "pk": {"S": keys.ledger(stock_item_id.business_id, adjustment_id)},
        partition.key_name: {"S": partition.key},
        partition.sort_name: {"S": last_at},
    }
    return Resumption(check, adjustment_id, start)


def agrees(found: Resumption, item: Item) -> bool:
    """Whether the figures of a cursor are those of the row that it names, as the row is now.

    A cursor with a problem only has to name the right place: its row need not be the last one of the chain, and may be
    the tampered one.
    """
    if any(item.get(name) != value for name, value in found.start.items()):
        return False
    check = found.check
    if check.problem is not None:
        return True
    row, kind = read_row(item)
    return (
        row is not None
        and kind is None
        and (row.sequence, row.quantity_after, row.hash, instant_text(row.created_at))
        == (check.sequence, check.quantity, check.head_hash, check.created_at)
        and (check.rows, check.sum) == (check.sequence, check.quantity)
    )


def _integer(value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise TypeError(value)
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise TypeError(value)
    return value


def _instant(value: object) -> str:
    if not isinstance(value, str) or instant_text(parse_instant(value)) != value:
        raise TypeError(value)
    return value


def _instant_or_empty(value: object) -> str:
    return "" if value == "" else _instant(value)


def _question(stock_item_id: StockItemId) -> dict[str, str]:
    return {"question": "proof"} | {name: str(value) for name, value in stock_item_id._asdict().items()}
