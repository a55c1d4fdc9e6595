"""Where a proof goes on, as the text of a cursor: the figures so far, and the last row that was read.

Anybody can make one up. What can be known of it is: its figures are some that rows can add up to, and the row that it
names is there and left them so.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory.domain.timestamps import instant_text, parse_instant
from inventory.domain.uuids import parse_uuid
from inventory.integrity.chain_check import ChainCheck, Problem, ProblemKind, read_row
from inventory.storage import cursors, keys

if TYPE_CHECKING:
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import Partition, StartKey

LENGTH_MAX: Final = 1024
"""Of a cursor that a query string may hold."""

HISTORY_ROWS_MAX: Final = 2**53 - 1
"""Of a whole history, as a cursor may count them: the largest integer that every JSON reader keeps exact."""

_NUMBER_MAX: Final = 10**38 - 1
"""Of an attribute, as a row that was bent may hold it: DynamoDB keeps 38 digits."""

_HASH: Final = re.compile("[0-9a-f]{64}")

_NOT_OURS: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What a text that somebody else made up may raise, be it JSON or not."""

type Place = tuple[UUID, UUID, UUID]
"""Business, variant and location."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a cursor says: the figures so far, and where in the index it goes on, after the row of ``adjustment_id``."""

    check: ChainCheck
    adjustment_id: UUID
    start: StartKey


def write(check: ChainCheck, last: Item, place: Place) -> str | None:
    """Write a cursor that goes on after the row ``last``; None where that is no place to go on from.

    A row that stands under a key of another form is not: its key may be of any length.
    """
    pk = last["pk"]["S"]
    adjustment_id = parse_uuid(pk.rpartition("#")[2])
    if adjustment_id is None or pk != keys.ledger(place[0], adjustment_id):
        return None
    try:
        last_at = _instant(last["created_at"]["S"])
    except _NOT_OURS:
        return None
    problem = check.problem
    position = [
        *(check.rows, check.sum, check.sequence, check.quantity, check.head_hash, check.created_at),
        None if problem is None else [problem.sequence, problem.kind],
        str(adjustment_id),
        last_at,
    ]
    text = cursors.cursor(json.dumps(position, separators=(",", ":")), _question(place))
    return text if len(text) <= LENGTH_MAX else None


def read(cursor: str, partition: Partition, place: Place) -> Resumption | None:
    """Read what ``write`` wrote for this stock item; None for anything else.

    It may have been made up all the same: see ``agrees``.
    """
    text = cursors.position(cursor, _question(place))
    if text is None:
        return None
    try:
        rows, total, sequence, quantity, head_hash, created_at, problem, adjustment_id, last_at = json.loads(text)
        check = ChainCheck(
            rows=_integer(rows, 1, HISTORY_ROWS_MAX),
            sum=_integer(total, -rows * _NUMBER_MAX, rows * _NUMBER_MAX),
            sequence=_integer(sequence, 0, _NUMBER_MAX),
            quantity=_integer(quantity, -_NUMBER_MAX, _NUMBER_MAX),
            head_hash=_hash(head_hash),
            created_at="" if created_at == "" else _instant(created_at),
            problem=None
            if problem is None
            else Problem(_integer(problem[0], -_NUMBER_MAX, 2 * _NUMBER_MAX), ProblemKind(problem[1])),
        )
        adjustment_id, last_at = UUID(adjustment_id), _instant(last_at)
    except _NOT_OURS:
        return None
    start: StartKey = {
        "pk": {"S": keys.ledger(place[0], adjustment_id)},
        partition.key_name: {"S": partition.key},
        partition.sort_name: {"S": last_at},
    }
    return Resumption(check, adjustment_id, start)


def agrees(found: Resumption, item: Item) -> bool:
    """Whether the row that a cursor names, as it stands now, is the one of its figures.

    With a problem it is enough that the row stands where the cursor goes on: it need not be the last in the chain, and
    may be what is wrong; the verdict stands already.
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


def _question(place: Place) -> dict[str, str]:
    business_id, variant_id, location_id = place
    return {
        "question": "proof",
        "business_id": str(business_id),
        "variant_id": str(variant_id),
        "location_id": str(location_id),
    }
