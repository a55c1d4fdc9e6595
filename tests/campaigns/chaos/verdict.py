"""Whether the ledger has each acknowledged change once, and nothing else; independent of the code under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.campaigns.chaos.record import Way, changing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.campaigns.chaos.record import Request, Row

type Stock = Mapping[Place, tuple[int, int]]
"""Quantity and sequence of each stock item."""

_ADDED_LATER: Final = "reversed_by"
_SUMS: Final = ("adjustments", "units_in", "units_out", "reversed_in", "reversed_out")
_RENAMED: Final = {"correction_reason": "reason"}
"""What an answer calls otherwise than the ledger and its export."""


class Place(NamedTuple):
    """One stock item."""

    business_id: str
    variant_id: str
    location_id: str


@dataclass(frozen=True, slots=True)
class Feed:
    """The rows that a reader of the feed was given, in the order of time, until the end to which it is settled."""

    rows: Sequence[Row] = ()
    settled_to: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What stands in the tables at the end.

    ``rows`` are those that the API lists, ``ids`` those that a scan of the ledger finds; ``stock`` is read from the
    table; ``rejected`` are the marks of the messages that were published as rejected. Then what the API shows beside
    the list: ``levels``, the ``reports`` by reason of each business, its ``feeds``, groups, and its export as lines
    until an instant.
    """

    rows: Sequence[Row]
    ids: Sequence[str]
    stock: Stock
    rejected: frozenset[str]
    levels: Stock
    reports: Mapping[str, Sequence[Mapping[str, Any]]]
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    exports: Mapping[str, Feed] = field(default_factory=dict)
    groups: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def differences(requests: Sequence[Request], ledger: Ledger) -> list[str]:
    """Each thing that differs, as a line; none where everything that was acknowledged stands once, and nothing else."""
    return [
        *_of_answers(requests),
        *_of_requests([*changing(requests)], ledger),
        *_of_rows([*changing(requests)], ledger.rows),
        *_of_reversals(ledger.rows),
        *_of_groups(ledger),
        *_of_chains(ledger),
        *_of_transfers(ledger),
        *_of_readings(ledger),
        *(f"row {each}: listed, but not in the table, or not listed" for each in _apart(ledger)),
    ]


def _apart(ledger: Ledger) -> list[str]:
    listed, scanned = Counter(row["id"] for row in ledger.rows), Counter(ledger.ids)
    return sorted((listed - scanned) + (scanned - listed))


def _of_answers(requests: Sequence[Request]) -> Iterator[str]:
    for request in [*requests, *(part for each in requests for part in each.parts)]:
        if request.key is not None and not request.final:
            yield f"{request.mark}: never answered, though repeated {request.sent - 1} times"
        for odd in request.odd:
            yield f"{request.mark}: answered {odd}"


def _of_requests(requests: Sequence[Request], ledger: Ledger) -> Iterator[str]:
    of_mark = _by_mark(ledger.rows)
    for request in requests:
        rows, rejected = of_mark.get(request.mark, []), request.mark in ledger.rejected
        for answer in request.answers:
            if not rows:
                yield f"{request.mark}: acknowledged, and missing"
            elif answer != [_as_answered(row) for row in rows]:
                yield f"{request.mark}: acknowledged as {answer}, and in the ledger as {rows}"
        if request.refusals and rows:
            yield f"{request.mark}: refused ({request.refusals[0]}), and yet in the ledger"
        if request.way is Way.MESSAGE:
            yield from _of_message(request, is_there=bool(rows), rejected=rejected)


def _of_message(request: Request, *, is_there: bool, rejected: bool) -> Iterator[str]:
    if request.must_be_refused:
        if is_there:
            yield f"{request.mark}: must be refused, and yet in the ledger"
        if request.accepted and not rejected:
            yield f"{request.mark}: must be published as rejected, and was not"
        return
    if request.accepted and not is_there:
        yield f"{request.mark}: the queue has taken it, and it is missing"
    if rejected:
        yield f"{request.mark}: published as rejected, which it can't be"


def _of_rows(requests: Sequence[Request], rows: Sequence[Row]) -> Iterator[str]:
    """Whole and once: a request's rows are as many as it asked for, each as it was asked for."""
    asked = {request.mark: request for request in requests}
    for mark, there in _by_mark(rows).items():
        request = asked.get(mark)
        if request is None:
            yield f"{mark}: no request for it"
        elif len(there) != len(request.changes):
            yield f"{mark}: {len(there)} rows in the ledger, and {len(request.changes)} were asked for"
        else:
            for row, change in zip(there, request.changes, strict=True):
                if row["business_id"] != request.business_id or not change.matches(row):
                    yield f"{mark}: not as it was asked for: {row}"
            if any((row["group_id"] is not None) is not request.is_group for row in there):
                yield f"{mark}: a group or not, otherwise than it was asked for"


def _of_reversals(rows: Sequence[Row]) -> Iterator[str]:
    for reversed_id, count in Counter(row["reverses"] for row in rows if row["reverses"] is not None).items():
        if count > 1:
            yield f"row {reversed_id}: reversed {count} times"
    reversals = {row["reverses"]: row["id"] for row in rows if row["reverses"] is not None}
    for row in rows:
        if row.get(_ADDED_LATER) != reversals.get(row["id"]):
            yield f"row {row['id']}: reversed by {reversals.get(row['id'])}, and says {row.get(_ADDED_LATER)}"


def _of_groups(ledger: Ledger) -> Iterator[str]:
    """Each group is whole, in one order, and read so."""
    for group_id, rows in _groups(ledger.rows).items():
        lines = [(row["group_line"], row["group_size"]) for row in rows]
        if lines != [(number, len(rows)) for number in range(len(rows))]:
            yield f"group {group_id}: lines and sizes {lines}"
        if rows[0]["id"] != group_id:
            yield f"group {group_id}: begins with row {rows[0]['id']}"
        if len({row["correction_reason"] for row in rows}) > 1:
            yield f"group {group_id}: rows of several requests"
        if ledger.groups and ledger.groups.get(group_id) != rows:
            yield f"group {group_id}: read as {ledger.groups.get(group_id)}"


def _of_chains(ledger: Ledger) -> Iterator[str]:
    chains: dict[Place, list[Row]] = defaultdict(list)
    for row in ledger.rows:
        chains[_place(row)].append(row)
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
        yield from _of_counts(place, chain)


def _of_counts(place: Place, chain: Sequence[Row]) -> Iterator[str]:
    """Each count changes the stock by what it found more or less, at the instant at which it was made."""
    counted_through = ""
    for number, row in enumerate(chain):
        if row["kind"] != "count":
            continue
        counted_at = row["counted_at"]
        known = [each for each in chain[:number] if counted_at is None or each["created_at"] <= counted_at]
        level = known[-1]["quantity_after"] if known else 0
        if row["delta"] != row["counted_quantity"] - level:
            yield f"{place}: the count at sequence {row['sequence']} is not exact: the level was {level}"
        if counted_at is not None and counted_at < counted_through:
            yield f"{place}: the count at sequence {row['sequence']} was superseded"
        counted_through = row["created_at"]


def _of_transfers(ledger: Ledger) -> Iterator[str]:
    """What a transfer takes in one place it adds in another: over all locations the stock is what all else makes."""
    moves: set[str] = set()
    for group_id, rows in _groups(ledger.rows).items():
        if rows[0]["kind"] == "transfer":
            moves.add(group_id)
            if any(_summed(rows).values()):
                yield f"group {group_id}: a transfer makes {dict(_summed(rows))}"
    made = _summed(row for row in ledger.rows if row["group_id"] not in moves)
    held: Counter[tuple[str, str]] = Counter()
    for place, (quantity, _) in ledger.stock.items():
        held[place.business_id, place.variant_id] += quantity
    for variant in sorted({*made, *held}):
        if made[variant] != held[variant]:
            yield f"{variant}: {held[variant]} at all locations, and without transfers {made[variant]}"


def _of_readings(ledger: Ledger) -> Iterator[str]:
    """Levels, report, feed and export agree with the list, to the unit and the row."""
    for place in sorted({*ledger.levels, *ledger.stock}):
        if ledger.levels.get(place) != ledger.stock.get(place):
            yield f"{place}: level {ledger.levels.get(place)}, stock {ledger.stock.get(place)}"
    for business_id, report in ledger.reports.items():
        sums = _sums_by_code([row for row in ledger.rows if row["business_id"] == business_id])
        reported = {each["reason_code"]: [each[name] for name in _SUMS] for each in report}
        if reported != sums:
            yield f"business {business_id}: reported by reason {reported}, in the ledger {sums}"
    for name, readings in (("feed", ledger.feeds), ("export", ledger.exports)):
        for business_id, reading in readings.items():
            yield from _of_reading(f"{name} of {business_id}", business_id, reading, ledger)


def _of_reading(name: str, business_id: str, reading: Feed, ledger: Ledger) -> Iterator[str]:
    settled = {
        row["id"]: row
        for row in ledger.rows
        if row["business_id"] == business_id and row["created_at"] < reading.settled_to
    }
    given = Counter(row["id"] for row in reading.rows)
    for row_id in sorted({*given, *settled}):
        if given[row_id] != (row_id in settled):
            yield f"{name}: row {row_id} comes {given[row_id]} times, until {reading.settled_to}"
    if any(earlier["created_at"] > later["created_at"] for earlier, later in pairwise(reading.rows)):
        yield f"{name}: goes back in time"
    for row in reading.rows:
        as_listed = settled.get(row["id"], {})
        if any(
            row.get(_RENAMED.get(each, each), row.get(each)) != value
            for each, value in as_listed.items()
            if each != _ADDED_LATER
        ):
            yield f"{name}: row {row['id']} reads {row}, and is listed as {as_listed}"


def _sums_by_code(rows: Sequence[Row]) -> dict[str | None, list[int]]:
    """Sum what each reason code made; a reversal counts under the code of the row that it reverses, sign by sign."""
    of_id = {row["id"]: row for row in rows}
    sums: dict[str | None, list[int]] = defaultdict(lambda: [0] * len(_SUMS))
    for row in rows:
        first, takes_off = row, -1
        while (earlier := of_id.get(first["reverses"] or "")) is not None:
            first, takes_off = earlier, -takes_off
        of_code = sums[first["reason_code"]]
        is_in = first["delta"] > 0
        if row["reverses"] is None:
            of_code[0] += 1
            of_code[1 if is_in else 2] += abs(row["delta"])
        else:
            of_code[3 if is_in else 4] += takes_off * abs(row["delta"])
    return dict(sums)


def _summed(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        sums[row["business_id"], row["variant_id"]] += row["delta"]
    return sums


def _by_mark(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["group_line"] or 0):
        found[row["correction_reason"]].append(row)
    return found


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["group_line"] or 0):
        if row["group_id"] is not None:
            found[row["group_id"]].append(row)
    return found


def _place(row: Row) -> Place:
    return Place(row["business_id"], row["variant_id"], row["location_id"])


def _as_answered(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != _ADDED_LATER}
