"""The report by reason equals a recount of the export, for any history, period and size of a page."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import NAMESPACE_OID, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import RetryBudget
from inventory.queries import reason_report
from inventory.queries.export import Exporter, ExportQuery
from inventory.queries.reason_report import MEASURES, ReasonReports, ReportQuery
from tests.support.builders.ids import BUSINESS, NOW, TICK
from tests.support.fakes.ledger import MemoryLedger
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from inventory.domain.model import Adjustment

VARIANTS = [UUID(int=each) for each in range(1, 4)]
LOCATIONS = [UUID(int=each) for each in range(11, 13)]
CODES = ["damage", "found", "returned_by_mail", None]
BUDGET = RetryBudget(lambda: 10, sleep=lambda _: None)
QUESTION = {"list": "report"}
LATER = NOW + timedelta(days=1)


@dataclass(frozen=True)
class Adjust:
    """A new row; zero is the delta of a count that was right."""

    variant: int
    location: int
    delta: int
    code: str | None


@dataclass(frozen=True)
class Reverse:
    """The reversal of one of the rows that may still be reversed, be they reversals or not."""

    choice: int


STEPS = st.lists(
    st.builds(Adjust, st.integers(0, 2), st.integers(0, 1), st.integers(-9, 9), st.sampled_from(CODES))
    | st.builds(Reverse, st.integers(0, 50)),
    max_size=50,
)


@dataclass
class Shop:
    """A ledger with its rows by id; one row a microsecond."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    reversible: list[Adjustment] = field(default_factory=list)
    reads: int = 0
    unreadable: set[int] = field(default_factory=set)

    def take(self, steps: Iterable[Adjust | Reverse]) -> None:
        for number, step in zip(count(), steps, strict=False):
            row_id, at = uuid5(NAMESPACE_OID, str(number)), NOW + number * TICK
            if isinstance(step, Adjust):
                place = VARIANTS[step.variant], LOCATIONS[step.location]
                row = self.ledger.append(row_id, place, at, delta=step.delta, reason_code=step.code, reverses=None)
            elif self.reversible:
                old = self.reversible.pop(step.choice % len(self.reversible))
                place = old.variant_id, old.location_id
                row = self.ledger.append(row_id, place, at, delta=-old.delta, reason_code=None, reverses=old.id)
            else:
                continue
            if row.delta:
                self.reversible.append(row)

    def adjustments(self, business_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Adjustment]:
        assert business_id == BUSINESS
        self.reads += 1
        if self.reads in self.unreadable:
            raise StoreUnavailable
        wanted = set(ids)
        assert 0 < len(wanted) <= 100
        return {row.id: row for row in self.ledger.rows if row.id in wanted}

    def has_business(self, business_id: UUID) -> bool:
        return business_id == BUSINESS

    def exported(self) -> list[dict[str, Any]]:
        page = Exporter(self, self.ledger, lambda: LATER).page(ExportQuery(BUSINESS), None, BUDGET)
        assert page.next_cursor is None
        return [json.loads(line) for line in page.text.splitlines()]

    def report(self, query: ReportQuery) -> tuple[dict[str | None, dict[str, int]], int, int]:
        """Follow the cursors; return the sums, the rows and the number of requests."""
        cursor: str | None = None
        for requests in count(1):  # noqa: B007  returned below
            page = ReasonReports(self, self.ledger).page(  # type: ignore[arg-type]
                BUSINESS, query, cursor, QUESTION, now=LATER, budget=BUDGET
            )
            if page.next_cursor is None:
                break
            assert page.next_cursor != cursor, "every page comes further"
            cursor = page.next_cursor
        sums = {code: dict(zip(MEASURES, values, strict=True)) for code, values in page.sums.items()}
        return sums, page.rows, requests


def recounted(lines: list[dict[str, Any]], query: ReportQuery) -> tuple[dict[str | None, dict[str, int]], int]:
    """What the contract says of the report, from the lines of an export alone."""
    by_id = {line["id"]: line for line in lines}
    sums: dict[str | None, dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
    rows = 0
    for line in lines:
        if query.variant_id is not None and line["variant_id"] != str(query.variant_id):
            continue
        if query.location_id is not None and line["location_id"] != str(query.location_id):
            continue
        created_at = json.loads(json.dumps(line["created_at"]))
        if not _within(created_at, query):
            continue
        rows += 1
        first, depth = line, 0
        while first["reverses"] is not None:
            first, depth = by_id[first["reverses"]], depth + 1
        of_code = sums[first["reason_code"]]
        if depth == 0:
            of_code["adjustments"] += 1
            of_code["units_in"] += max(line["delta"], 0)
            of_code["units_out"] += max(-line["delta"], 0)
        else:
            taken_back = abs(line["delta"]) * (1 if depth % 2 else -1)
            of_code["reversed_in" if first["delta"] > 0 else "reversed_out"] += taken_back
    return dict(sums), rows


def _within(created_at: str, query: ReportQuery) -> bool:
    begin = query.created_from and query.created_from.isoformat(timespec="microseconds")[:26]
    end = query.created_to and query.created_to.isoformat(timespec="microseconds")[:26]
    return (not begin or created_at[:26] >= begin) and (not end or created_at[:26] < end)


def instants() -> st.SearchStrategy[datetime | None]:
    return st.none() | st.integers(-1, 51).map(lambda tick: NOW + tick * TICK)


QUERIES = st.builds(
    ReportQuery, st.none() | st.sampled_from(VARIANTS), st.none() | st.sampled_from(LOCATIONS), instants(), instants()
)


@examples(300)
@given(STEPS, QUERIES, st.sampled_from([1, 2, 7, 2_000]), st.sampled_from([1, 3, 100]), st.sets(st.integers(1, 9)))
def test_the_report_equals_a_recount_of_the_export(
    steps: list[Adjust | Reverse], query: ReportQuery, rows_max: int, keys_max: int, unreadable: set[int]
) -> None:
    shop = Shop(unreadable={each * 5 for each in unreadable})
    shop.take(steps)
    expected, rows = recounted(shop.exported(), query)

    with patch.object(reason_report, "ROWS_LOOKED_AT_MAX", rows_max), patch.object(reason_report, "KEYS_MAX", keys_max):
        sums, counted, requests = shop.report(query)

    assert (sums, counted) == (expected, rows)
    if rows_max == 2_000:
        assert requests == 1


@given(STEPS, st.integers(0, 50))
def test_two_periods_that_meet_add_up_to_the_whole(steps: list[Adjust | Reverse], tick: int) -> None:
    shop = Shop()
    shop.take(steps)
    border = NOW + tick * TICK
    whole, _, _ = shop.report(ReportQuery())
    first, _, _ = shop.report(ReportQuery(created_to=border))
    second, _, _ = shop.report(ReportQuery(created_from=border))

    nothing = dict.fromkeys(MEASURES, 0)
    for code in whole.keys() | first.keys() | second.keys():
        parts = first.get(code, nothing), second.get(code, nothing)
        assert {name: parts[0][name] + parts[1][name] for name in MEASURES} == whole.get(code, nothing)
