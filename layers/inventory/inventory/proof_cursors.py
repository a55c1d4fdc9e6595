"""Where a proof goes on, as the text of a cursor: the figures so far, and the last row that was read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory import cursors, keys
from inventory.chain_check import ChainCheck, Kind, Problem
from inventory.identifiers import parse_uuid
from inventory.instants import instant_text, parse_instant

if TYPE_CHECKING:
    from inventory.dynamodb import Item
    from inventory.ledger_index import Partition, StartKey

LENGTH_MAX: Final = 1024
"""Of a cursor that a query string may hold."""

_HASH: Final = re.compile("[0-9a-f]{64}")
_NOT_OURS: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What a text that somebody else made up may raise, be it JSON or not."""

type Place = tuple[UUID, UUID, UUID]
"""Business, variant and location."""


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


def read(cursor: str, partition: Partition, place: Place) -> tuple[ChainCheck, StartKey] | None:
    """Read what ``write`` wrote for this stock item; None for anything else."""
    text = cursors.position(cursor, _question(place))
    if text is None:
        return None
    try:
        rows, total, sequence, quantity, head_hash, created_at, problem, adjustment_id, last_at = json.loads(text)
        check = ChainCheck(
            rows=_integer(rows),
            sum=_integer(total),
            sequence=_integer(sequence),
            quantity=_integer(quantity),
            head_hash=_hash(head_hash),
            created_at="" if created_at == "" else _instant(created_at),
            problem=None if problem is None else Problem(_integer(problem[0]), Kind(problem[1])),
        )
        pk, last_at = keys.ledger(place[0], UUID(adjustment_id)), _instant(last_at)
    except _NOT_OURS:
        return None
    return check, {"pk": {"S": pk}, partition.key_name: {"S": partition.key}, partition.sort_name: {"S": last_at}}


def _integer(value: object) -> int:
    if type(value) is not int:
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
