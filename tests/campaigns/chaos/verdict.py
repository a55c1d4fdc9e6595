"""Whether the ledger has each acknowledged change once, and nothing else; independent of the code under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tests.campaigns.chaos.record import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.campaigns.chaos.record import Request

type Place = tuple[str, str]
"""A business and one of its locations; each has one variant."""

type Row = dict[str, Any]
"""A ledger row as the API lists it: the body of its 201, and ``reversed_by`` where a later one has reversed it."""

_ADDED_LATER: Final = "reversed_by"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What stands in the tables at the end.

    ``rows`` are those that the API lists, ``ids`` those that a scan of the ledger finds; ``stock`` has quantity and
    sequence of each stock item; ``rejected`` the marks of the messages that were published as rejected.
    """

    rows: Sequence[Row]
    ids: Sequence[str]
    stock: Mapping[Place, tuple[int, int]]
    rejected: frozenset[str]


def differences(requests: Sequence[Request], ledger: Ledger) -> list[str]:
    """Each thing that differs, as a line; none where everything that was acknowledged stands once, and nothing else."""
    return [
        *_of_requests(requests, ledger),
        *_of_rows(requests, ledger.rows),
        *_of_chains(ledger),
        *(f"row {each}: listed, but not in the table, or not listed" for each in _apart(ledger)),
    ]


def _apart(ledger: Ledger) -> list[str]:
    listed, scanned = Counter(row["id"] for row in ledger.rows), Counter(ledger.ids)
    return sorted((listed - scanned) + (scanned - listed))


def _of_requests(requests: Sequence[Request], ledger: Ledger) -> Iterator[str]:
    rows = {row["correction_reason"]: row for row in ledger.rows}
    for request in requests:
        row, rejected = rows.get(request.mark), request.mark in ledger.rejected
        for answer in request.answers:
            if row is None:
                yield f"{request.mark}: acknowledged, and missing"
            elif answer != {name: value for name, value in row.items() if name != _ADDED_LATER}:
                yield f"{request.mark}: acknowledged as {answer}, and in the ledger as {row}"
        if request.refusals and row is not None:
            yield f"{request.mark}: refused ({request.refusals[0]}), and yet in the ledger"
        if request.key is not None and not request.final:
            yield f"{request.mark}: never answered, though repeated {request.sent - 1} times"
        for odd in request.odd:
            yield f"{request.mark}: answered {odd}"
        if request.way is Way.MESSAGE:
            yield from _of_message(request, row=row, rejected=rejected)


def _of_message(request: Request, *, row: Row | None, rejected: bool) -> Iterator[str]:
    if request.must_be_refused:
        if row is not None:
            yield f"{request.mark}: must be refused, and yet in the ledger"
        if request.accepted and not rejected:
            yield f"{request.mark}: must be published as rejected, and was not"
        return
    if request.accepted and row is None:
        yield f"{request.mark}: the queue has taken it, and it is missing"
    if rejected:
        yield f"{request.mark}: published as rejected, which it can't be"


def _of_rows(requests: Sequence[Request], rows: Sequence[Row]) -> Iterator[str]:
    asked = {request.mark: request for request in requests}
    for mark, count in Counter(row["correction_reason"] for row in rows).items():
        if mark not in asked:
            yield f"{mark}: no request for it"
        elif count > 1:
            yield f"{mark}: {count} times in the ledger"
    for reversed_id, count in Counter(row["reverses"] for row in rows if row["reverses"] is not None).items():
        if count > 1:
            yield f"row {reversed_id}: reversed {count} times"
    reversals = {row["reverses"]: row["id"] for row in rows if row["reverses"] is not None}
    for row in rows:
        if row.get(_ADDED_LATER) != reversals.get(row["id"]):
            yield f"row {row['id']}: reversed by {reversals.get(row['id'])}, and says {row.get(_ADDED_LATER)}"
        request = asked.get(row["correction_reason"])
        if request is not None and (
            (row["business_id"], row["location_id"], row["delta"], row["reverses"])
            != (request.business_id, request.location_id, request.quantity_change, request.reverses)
        ):
            yield f"{request.mark}: not as it was asked for: {row}"


def _of_chains(ledger: Ledger) -> Iterator[str]:
    chains: dict[Place, list[Row]] = defaultdict(list)
    for row in ledger.rows:
        chains[row["business_id"], row["location_id"]].append(row)
    for place in sorted({*chains, *ledger.stock}):
        chain = sorted(chains[place], key=lambda row: row["sequence"])
        if [row["sequence"] for row in chain] != list(range(1, len(chain) + 1)):
            yield f"{place}: sequences with a gap, or twice"
        total = 0
        for row in chain:
            total += row["delta"]
            if row["quantity_after"] != total:
                yield f"{place}: the balance is wrong at sequence {row['sequence']}"
        if any(earlier["created_at"] >= later["created_at"] for earlier, later in pairwise(chain)):
            yield f"{place}: time goes back"
        if ledger.stock.get(place, (0, 0)) != (total, len(chain)):
            yield f"{place}: stock {ledger.stock.get(place)}, ledger {(total, len(chain))}"
