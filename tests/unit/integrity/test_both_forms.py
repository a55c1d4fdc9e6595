"""A ledger that the code before groups and counts has written is read, continued, proved, audited and verified.

``tests/data/form_1_tables.json`` holds both tables as that code left them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.adjusting.loop import Adjuster
from inventory.adjusting.reversal import carry_out, carry_out_group
from inventory.domain.errors import AlreadyReversed, IdempotencyKeyReused
from inventory.domain.model import Group, GroupReversal, Segment, StockItemId
from inventory.domain.rules import keyed_id
from inventory.queries.export_formats import COLUMNS, FORMATS
from inventory.storage.items import adjustment_of, ledger_item
from tests.support.builders.domain import a_command, a_reversal, budget_of
from tests.support.builders.ids import (
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_LOCATION,
    OTHER_VARIANT,
    SUBJECT,
    VARIANT,
)
from tests.support.fakes.audited_tables import AuditedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.stores import StoreOnTables
from tests.support.pages import code, page

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment, GroupOutcome
    from inventory.integrity.audit import Auditor

OLD_TABLES = Path(__file__).parents[2] / "data" / "form_1_tables.json"
DELIVERY = a_command(
    quantity_change=40, reason="Delivery", idempotency_key="delivery-1", reference="PO 1001", actor=SUBJECT
)


class Shop:
    """The service on the old tables."""

    def __init__(self) -> None:
        self.on = StoreOnTables()
        stored = json.loads(OLD_TABLES.read_text(encoding="utf-8"))
        for table, items in ((INVENTORY_TABLE, stored["inventory"]), (LEDGER_TABLE, stored["ledger"])):
            for item in items:
                self.on.tables.items[table, item["pk"]["S"], item["sk"]["S"] if "sk" in item else ""] = item
        ids = map(UUID, (f"{number:032x}" for number in count(1)))
        times = (NOW + timedelta(seconds=number) for number in count())
        self.adjuster = Adjuster(
            store=self.on.store,
            clock=lambda: next(times),
            new_id=lambda: next(ids),
            fraction=lambda: 0.0,
            sleep=lambda _: None,
            level_as_of=lambda *_: 0,
        )

    @property
    def rows(self) -> list[Adjustment]:
        return [adjustment_of(item) for item in self.on.tables.rows]

    def apply(self, *lines: Any, rows_per_line: int = 1) -> GroupOutcome:
        budget = budget_of(self.adjuster, lambda: 1_000.0)
        return self.adjuster.carry_out_group(Group(lines, rows_per_line=rows_per_line), budget)

    def go_on(self) -> tuple[GroupOutcome, GroupOutcome]:
        """Write a group, a transfer, a count, and reversals of an old row and of the group; give group and reversal."""
        budget = budget_of(self.adjuster, lambda: 1_000.0)
        group = self.apply(
            a_command(quantity_change=2, idempotency_key="batch", occurred_at=NOW),
            a_command(quantity_change=-1, variant_id=OTHER_VARIANT, idempotency_key="batch"),
            a_command(quantity_change=None, kind="count", counted_quantity=30, idempotency_key="batch"),
        )
        moved = a_command(quantity_change=-3, kind="transfer", location_id=LOCATION)
        self.apply(moved, moved._replace(quantity_change=3, location_id=OTHER_LOCATION), rows_per_line=2)
        carry_out(self.adjuster, a_reversal(adjustment_id=keyed_id(BUSINESS, "damage-1")), budget)
        back = carry_out_group(self.adjuster, GroupReversal(BUSINESS, group.group_id, "wrong", SUBJECT), budget)
        return group, back

    def audited(self) -> AuditedTables:
        found = AuditedTables()
        for (table, *_), item in self.on.tables.items.items():
            (found.inventory if table == INVENTORY_TABLE else found.ledger).append(deepcopy(item))
        return found


@pytest.fixture
def shop() -> Shop:
    return Shop()


def problems(tables: AuditedTables) -> list[tuple[str, str | None]]:
    auditor: Auditor = tables.auditor()
    result = auditor.audit(Segment(0, 1), remaining_s=lambda: 1_000_000.0)
    return sorted((each.kind.value, each.adjustment_id) for each in result.mismatches)


def test_the_old_rows_are_of_form_1_and_are_stored_as_they_were(shop: Shop) -> None:
    assert len(shop.rows) == 12
    assert {row.form for row in shop.rows} == {1}
    assert {row.kind for row in shop.rows} == {"adjustment", "reversal"}
    assert [ledger_item(row) for row in shop.rows] == shop.on.tables.rows


def test_an_old_key_is_replayed_or_found_to_be_reused(shop: Shop) -> None:
    budget = budget_of(shop.adjuster, lambda: 1_000.0)

    assert shop.adjuster.carry_out(DELIVERY, budget).replayed
    with pytest.raises(IdempotencyKeyReused):
        shop.adjuster.carry_out(DELIVERY._replace(occurred_at=NOW), budget)
    with pytest.raises(IdempotencyKeyReused):
        shop.apply(DELIVERY)
    reversed_row = next(row for row in shop.rows if row.id == keyed_id(BUSINESS, "reversal-1")).reverses
    assert reversed_row is not None
    again = a_reversal(adjustment_id=reversed_row, reason="Counted the wrong shelf", idempotency_key="reversal-1")
    assert carry_out(shop.adjuster, again, budget).replayed
    with pytest.raises(AlreadyReversed):
        carry_out(shop.adjuster, a_reversal(adjustment_id=reversed_row), budget)
    assert len(shop.rows) == 12


def test_new_rows_continue_the_old_chains_and_all_of_it_is_audited_and_proved(shop: Shop) -> None:
    old = shop.on.tables.rows
    shop.go_on()

    assert shop.on.tables.rows[:12] == old
    assert {row.form for row in shop.rows[12:]} == {2}
    assert problems(shop.audited()) == []
    prover = shop.audited().auditor().prover
    for variant_id, location_id in ((VARIANT, LOCATION), (OTHER_VARIANT, LOCATION), (VARIANT, OTHER_LOCATION)):
        proof = prover.prove(StockItemId(BUSINESS, variant_id, location_id), None, remaining_s=lambda: 1_000.0)
        assert (proof.verified, proof.first_problem) == (True, None)


def test_an_export_of_both_forms_is_verified_by_the_program_of_the_documentation(shop: Shop, tmp_path: Path) -> None:
    shop.go_on()
    rows = sorted(shop.rows, key=lambda row: (row.created_at, row.id))
    text = "".join(FORMATS["ndjson"].line(row) for row in rows)
    (tmp_path / "verify.py").write_text(code(page("docs/integrity.md"), "python")[0], encoding="utf-8")
    (tmp_path / "export.ndjson").write_text(text, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-I", "verify.py", "export.ndjson"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{len(rows)} rows add up\n")
    assert [len(json.loads(line)) for line in text.splitlines()] == [18 if row.form == 1 else 26 for row in rows]
    assert {FORMATS["csv"].line(row).count(",") >= len(COLUMNS) - 1 for row in rows} == {True}


# --- what the audit says of groups -----------------------------------------------------------------------------------


def without(tables: AuditedTables, row: Adjustment) -> AuditedTables:
    tables.ledger = [item for item in tables.ledger if item["id"]["S"] != str(row.id)]
    return tables


@pytest.mark.parametrize("place", range(3))
def test_a_group_that_lacks_a_row_is_incomplete(shop: Shop, place: int) -> None:
    group, _ = shop.go_on()
    found = problems(without(shop.audited(), group.adjustments[place]))

    first = str(group.group_id)
    expected = [str(row.id) for row in group.adjustments[1:]] if place == 0 else [first]
    assert [each for kind, each in found if kind == "group_incomplete"] == sorted(expected)


@pytest.mark.parametrize(("taken", "added"), [(-3, 4), (-3, 2), (0, 0)])
def test_a_transfer_that_does_not_take_what_it_adds_is_unbalanced(shop: Shop, taken: int, added: int) -> None:
    moved = a_command(quantity_change=taken, kind="transfer", location_id=LOCATION)
    outcome = shop.apply(moved, moved._replace(quantity_change=added, location_id=OTHER_LOCATION), rows_per_line=2)

    assert problems(shop.audited()) == [("transfer_unbalanced", str(outcome.group_id))]


def test_a_transfer_in_no_group_is_unbalanced(shop: Shop) -> None:
    budget = budget_of(shop.adjuster, lambda: 1_000.0)
    row = shop.adjuster.carry_out(a_command(kind="transfer"), budget).adjustment

    assert problems(shop.audited()) == [("transfer_unbalanced", str(row.id))]


def test_a_group_reversal_without_its_link_is_reported_at_each_row(shop: Shop) -> None:
    group, back = shop.go_on()
    tables = shop.audited()
    tables.inventory = [item for item in tables.inventory if not item["pk"]["S"].endswith(f"#{group.group_id}")]

    assert problems(tables) == sorted(("reversal_not_linked", str(row.id)) for row in back.adjustments)


@pytest.mark.parametrize(
    "odd", [{"left_out": {"L": [{"N": "0"}]}}, {"reversal_id": {"S": str(keyed_id(BUSINESS, "batch"))}}], ids=str
)
def test_a_link_of_a_group_that_names_another_reversal_is_wrong(shop: Shop, odd: dict[str, Any]) -> None:
    group, _ = shop.go_on()
    tables = shop.audited()
    (link,) = (item for item in tables.inventory if item["pk"]["S"].endswith(f"#{group.group_id}"))
    link |= odd

    assert ("reversal_link_wrong", str(group.group_id)) in problems(tables)


@pytest.mark.parametrize("name", ["counted_at", "counted_through"])
def test_a_stock_item_with_another_last_count_is_changed(shop: Shop, name: str) -> None:
    shop.go_on()
    tables = shop.audited()
    (stock,) = (item for item in tables.inventory if name in item)
    stock[name] = {"S": "2026-11-23T14:05:09.123456Z"}

    assert ("stock_item_changed", None) in problems(tables)


def test_catalog_items_of_reasons_and_skus_are_known(shop: Shop) -> None:
    shop.on.tables.with_reason("sample")
    shop.on.tables.with_sku("SKU 7")

    assert problems(shop.audited()) == []
