"""The audit function through its handler, on tables in memory: its answers, metrics, logs and rejections."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from copy import replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import Rejection, Segment
from inventory.domain.retry_budget import CALL_BUDGET_S
from inventory.integrity.audit import AUDIT_PAUSES_S, MISMATCHES_LISTED_MAX
from inventory.integrity.item_checks import AuditKind, sequence_of_altered_stock_item
from inventory.storage import cursors, keys
from inventory.storage.items import adjustment_of, ledger_item, rejection_item, stock_item_of
from inventory.storage.table_scan import TablePage
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_BUSINESS, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.tampered_tables import TAMPERINGS, StoredHistory, history, stock_item, stored_history
from tests.support.fakes.audited_tables import AuditedTables
from tests.support.harness.loading import Context, load_event, load_handler
from tests.support.sam_template import load_template, resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment
    from inventory.storage.keys import ItemKey

SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-23T14:05:09Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/hourly"],
    "detail": {},
}
WHOLE = {"segment": 0, "segments": 1}
NAMESPACE = "InventoryAdjustments/a-stack"
DELTAS = [10, -3, 5]


class Audit:
    """One environment of the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._module = load_handler(
            "audit_ledger",
            monkeypatch,
            INVENTORY_TABLE="inventory-table",
            LEDGER_TABLE="ledger-table",
            AUDIT_SEGMENTS="24",
            POWERTOOLS_METRICS_NAMESPACE=NAMESPACE,
            POWERTOOLS_SERVICE_NAME="audit_ledger",
        )
        self._capsys = capsys
        self.tables = AuditedTables()
        self._module.auditor = self.tables.auditor()

    def set(self, **settings: Any) -> None:
        self._module.auditor = replace(self._module.auditor, **settings)

    def invoke(self, event: object, *, remaining_ms: int = 900_000) -> dict[str, Any]:
        self._module.logger.registered_handler.stream = sys.stdout
        self._module.logger.setLevel("INFO")
        answer: dict[str, Any] = self._module.handler(event, Context(remaining_ms))
        return cast("dict[str, Any]", json.loads(json.dumps(answer)))

    def printed(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Log lines, and lines of metrics."""
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return [each for each in lines if "_aws" not in each], [each for each in lines if "_aws" in each]


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Audit:
    return Audit(monkeypatch, capsys)


def counted(metrics: list[dict[str, Any]]) -> dict[str, float]:
    (line,) = metrics
    (described,) = line["_aws"]["CloudWatchMetrics"]
    return {each["Name"]: sum(line[each["Name"]]) for each in described["Metrics"]}


def raised(audit: Audit, event: object) -> tuple[str, Any]:
    with pytest.raises(Exception, match=r"^[\[{]") as caught:
        audit.invoke(event)
    return type(caught.value).__name__, json.loads(str(caught.value))


def test_consistent_tables_are_counted_and_no_problem_is_reported(audit: Audit) -> None:
    audit.tables.add(stored_history(DELTAS))
    assert audit.invoke(WHOLE) == {"rows": 3, "stock_items": 1, "problem_count": 0, "problems": [], "next": None}
    logged, metrics = audit.printed()
    assert counted(metrics) == {"AuditDifferences": 0, "AuditedRows": 3, "AuditedStockItems": 1}
    assert [line["message"] for line in logged] == ["segment audited"]


def test_a_difference_is_returned_counted_and_logged_with_its_place(audit: Audit) -> None:
    honest = stored_history(DELTAS)
    tampered = TAMPERINGS["a row's reason was changed"](honest, 1)
    assert tampered is not None
    audit.tables.add(tampered)
    answer = audit.invoke(WHOLE)
    place = {"business_id": str(BUSINESS), "variant_id": str(VARIANT), "location_id": str(LOCATION), "sequence": 2}
    assert [{name: each[name] for name in place} for each in answer["problems"]] == [place, place]
    assert {each["kind"] for each in answer["problems"]} == {"row_changed"}
    logged, metrics = audit.printed()
    assert counted(metrics)["AuditDifferences"] == answer["problem_count"] == 2
    assert [{name: line[name] for name in place} for line in logged if line["message"] == "difference found"] == [
        place,
        place,
    ]
    assert "bent" not in json.dumps(logged), "a row's contents are not logged"


def test_all_differences_are_counted_and_a_hundred_listed(audit: Audit) -> None:
    audit.tables.ledger += [{"pk": {"S": f"by hand {number}"}} for number in range(MISMATCHES_LISTED_MAX + 5)]
    answer = audit.invoke(WHOLE)
    assert (answer["problem_count"], len(answer["problems"])) == (105, 100)
    lines, metrics = audit.printed()
    assert counted(metrics)["AuditDifferences"] == 105
    assert [line["message"] for line in lines].count("difference found") == 100
    assert [line["differences"] for line in lines if line["message"] == "segment audited"] == [105]


def test_each_hour_the_schedule_audits_the_next_segment(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    whole_page = audit.tables.inventory_page

    def page(segment: Segment, start: ItemKey | None) -> TablePage:
        seen.append((segment.number, segment.total))
        return whole_page(segment, start)

    monkeypatch.setattr(audit.tables, "inventory_page", page)
    for hour in range(48):
        audit.invoke(SCHEDULED | {"time": f"2026-11-{23 + hour // 24}T{hour % 24:02d}:05:09Z"})
    assert [number for number, _ in seen] == [(seen[0][0] + hour) % 24 for hour in range(48)]
    assert {total for _, total in seen} == {24}


def test_only_a_scheduled_audit_reports_whether_it_finished(audit: Audit) -> None:
    for remaining_ms, unfinished in ((900_000, 0), (9_000, 1)):
        audit.invoke(SCHEDULED, remaining_ms=remaining_ms)
        assert counted(audit.printed()[1])["AuditUnfinished"] == unfinished
    answer = audit.invoke(WHOLE, remaining_ms=9_000)
    assert answer["next"] is not None
    assert "AuditUnfinished" not in counted(audit.printed()[1])


@pytest.mark.parametrize("seconds", [1, 3])
def test_an_audit_in_parts_finds_what_a_single_one_finds(audit: Audit, seconds: int) -> None:
    for number in range(7):
        honest = stored_history(DELTAS, variant_id=UUID(int=(number + 1) << 64, version=4))
        tampered = TAMPERINGS["a row's reason was changed"](honest, number % 3) if number % 2 else honest
        assert tampered is not None
        audit.tables.add(tampered)
    whole = audit.invoke(WHOLE)
    now_s = 0.0

    def tick() -> None:
        nonlocal now_s
        now_s += 1

    audit.tables.before_read = tick
    audit.tables.page_items = 2
    audit.set(clock_s=lambda: now_s)
    parts: list[dict[str, Any]] = []
    position: str | None = None
    while not parts or position is not None:
        parts.append(audit.invoke(WHOLE | {"seconds": seconds} | ({} if position is None else {"position": position})))
        position = parts[-1]["next"]
    assert len(parts) > 5
    assert {name: sum(part[name] for part in parts) for name in ("rows", "stock_items", "problem_count")} == {
        name: whole[name] for name in ("rows", "stock_items", "problem_count")
    }
    assert sorted(str(each) for part in parts for each in part["problems"]) == sorted(map(str, whole["problems"]))


@pytest.mark.parametrize("another_comes_first", [False, True])
def test_a_long_proof_is_continued_in_the_next_part(audit: Audit, another_comes_first: bool) -> None:  # noqa: FBT001
    audit.tables.add(stored_history([1] * 30))
    audit.set(prover=replace(audit._module.auditor.prover, page_rows=10, rows_max=10))
    assert audit.invoke(WHOLE)["stock_items"] == 1
    now_s = 0.0

    def tick() -> None:
        nonlocal now_s
        now_s += 1

    audit.tables.before_read = tick
    audit.set(clock_s=lambda: now_s)
    position: str | None = None
    rows, stock_items, invocations = 0, 0, 0
    while invocations == 0 or position is not None:
        if invocations == 1 and another_comes_first:
            audit.tables.add(stored_history(DELTAS, variant_id=UUID(int=1)))
        answer = audit.invoke(WHOLE | {"seconds": 1} | ({} if position is None else {"position": position}))
        rows, stock_items, invocations = rows + answer["rows"], stock_items + answer["stock_items"], invocations + 1
        assert answer["problem_count"] == 0
        position = answer["next"]
    assert (rows, stock_items) == ((33, 2) if another_comes_first else (30, 1))
    assert invocations > 3


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (None, ["body"]),
        ({"segment": 0}, ["body", "segments"]),
        ({"segment": -1, "segments": 3}, ["body", "segment"]),
        ({"segment": 3, "segments": 3}, ["body"]),
        ({"segment": 0, "segments": 1001}, ["body", "segments"]),
        ({"segment": "0", "segments": 3}, ["body", "segment"]),
        (WHOLE | {"seconds": 0}, ["body", "seconds"]),
        (WHOLE | {"position": "made up"}, ["body", "position"]),
        (WHOLE | {"position": ""}, ["body", "position"]),
        (WHOLE | {"other": 1}, ["body", "other"]),
        *((SCHEDULED | {"time": time}, ["body", "time"]) for time in (None, 1, "", "soon", "2026-11-23T14:05:09")),
        ({name: each for name, each in SCHEDULED.items() if name != "time"}, ["body", "time"]),
    ],
)
def test_an_invalid_request_is_rejected_with_the_place_of_the_error(
    audit: Audit, payload: object, place: list[str]
) -> None:
    kind, (problem,) = raised(audit, payload)
    assert (kind, problem["loc"]) == ("InvalidRequest", place)
    logged, metrics = audit.printed()
    assert counted(metrics) == {"InvalidRequest": 1}
    assert [(line["message"], line["code"]) for line in logged] == [("request refused", "invalid_request")]


MADE_UP = [
    "",
    "no json",
    "[" * 10_000,
    "{}",
    '["inventory",null]',
    '["x",null,null]',
    "[null,null,null]",
    "[[],null,null]",
    '["inventory",[1],null]',
    '["inventory",["BUSINESS#x"],null]',
    '["inventory",["a","b","c"],null]',
    '["inventory",["a",1],null]',
    '["inventory",["a",""],null]',
    '["inventory",["\\ud800","b"],null]',
    f'["inventory",["{"a" * 2049}","b"],null]',
    f'["inventory",["a","{"b" * 1025}"],null]',
    '["inventory",{"a":1},null]',
    '["inventory",{"a":1,"b":2},null]',
    '["inventory","ab",null]',
    '["inventory",null,1]',
    '["ledger",["a","b"],null]',
    '["ledger",null,"a proof"]',
]


@pytest.mark.parametrize("made_up", MADE_UP)
def test_a_forged_position_with_a_valid_digest_is_rejected(audit: Audit, made_up: str) -> None:
    audit.tables.add(stored_history(DELTAS))
    position = cursors.cursor(made_up, {"question": "audit", "segment": "0 of 1"})
    kind, (problem,) = raised(audit, WHOLE | {"position": position})
    assert (kind, problem["loc"]) == ("InvalidRequest", ["body", "position"])


@pytest.mark.parametrize(
    "at", ['["inventory",["STOCK","a"],"no proof"]', '["ledger",null,null]', '["ledger",["a"],null]']
)
def test_a_well_formed_position_is_accepted(audit: Audit, at: str) -> None:
    audit.tables.add(stored_history(DELTAS))
    position = cursors.cursor(at, {"question": "audit", "segment": "0 of 1"})
    assert audit.invoke(WHOLE | {"position": position})["next"] is None


@pytest.mark.parametrize("where", ["inventory_page", "ledger_page"])
def test_a_page_without_any_item_may_have_a_next_one(audit: Audit, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    audit.tables.add(stored_history(DELTAS))
    whole_page, starts = getattr(audit.tables, where), []
    before_all = ("!", "!") if where == "inventory_page" else ("!",)

    def page(segment: Segment, start: ItemKey | None) -> TablePage:
        starts.append(start)
        assert len(starts) < 5, "the audit repeats itself"
        return TablePage([], before_all) if start is None else whole_page(segment, start)

    monkeypatch.setattr(audit.tables, where, page)
    answer = audit.invoke(WHOLE)
    assert (answer["rows"], answer["stock_items"], answer["next"]) == (3, 1, None)
    assert starts == [None, before_all]


# ------------------------------------------------------------------------------------------ items outside the proofs

CATALOG = f"BUSINESS#{BUSINESS}"


def found(audit: Audit) -> list[tuple[str, int | None]]:
    return [(each["kind"], each["sequence"]) for each in audit.invoke(WHOLE)["problems"]]


@pytest.mark.parametrize(
    "sk", ["SETTINGS", f"LOCATION#{LOCATION}", f"VARIANT#{VARIANT}", "REASON#goods_in", f"SKU#{'0a' * 32}"]
)
def test_catalog_items_are_not_audited(audit: Audit, sk: str) -> None:
    audit.tables.inventory.append({"pk": {"S": CATALOG}, "sk": {"S": sk}})
    assert found(audit) == []


def test_the_marker_of_a_rejected_message_is_no_difference(audit: Audit) -> None:
    marker = rejection_item("a" * 64, Rejection("VariantNotFound", {}), rejected_at=NOW, expires_at=NOW)
    audit.tables.inventory.append(marker)
    assert audit.invoke(WHOLE)["problems"] == []


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        (f"MESSAGE#{'a' * 63}", "REJECTION"),
        (f"MESSAGE#{'A' * 64}", "REJECTION"),
        (f"MESSAGE#{'a' * 64}", "REVERSAL"),
        (f"MESSAGE#{'a' * 64} REJECTION", "REJECTION"),
        ("a" * 64, "REJECTION"),
    ],
)
def test_an_item_that_only_resembles_such_a_marker_is_unknown(audit: Audit, pk: str, sk: str) -> None:
    audit.tables.inventory.append({"pk": {"S": pk}, "sk": {"S": sk}})
    (problem,) = audit.invoke(WHOLE)["problems"]
    assert (problem["kind"], problem["key"]) == ("item_unknown", f"{pk} {sk}")


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("BUSINESS#garbage", "SETTINGS"),
        ("BUSINESS#", "SETTINGS"),
        (f"BUSINESS#{str(BUSINESS).upper()}", "SETTINGS"),
        (f"BUSINESS#{BUSINESS.hex}", "SETTINGS"),
        (str(BUSINESS), "SETTINGS"),
        (CATALOG, "garbage"),
        (CATALOG, "SETTINGS#"),
        (CATALOG, "LOCATION"),
        (CATALOG, "LOCATION#garbage"),
        (CATALOG, f"LOCATION#{str(LOCATION).upper()}"),
        (CATALOG, "VARIANT#garbage"),
        (CATALOG, f"VARIANT#{VARIANT}#"),
        (CATALOG, f"SKU#{'0a' * 31}"),
        (CATALOG, f"SKU#{'0a' * 33}"),
        (CATALOG, f"SKU#{'0A' * 32}"),
        (CATALOG, "REASON#"),
        (CATALOG, "REASON#Goods_in"),
        (keys.stock(BUSINESS, VARIANT), str(LOCATION).upper()),
        (keys.stock(BUSINESS, VARIANT), LOCATION.hex),
        (keys.reversal(BUSINESS, VARIANT).upper(), keys.REVERSAL),
        (keys.reversal(BUSINESS, VARIANT), "reversal"),
    ],
)
def test_an_item_that_only_resembles_one_of_the_service_is_unknown(audit: Audit, pk: str, sk: str) -> None:
    audit.tables.inventory.append({"pk": {"S": pk}, "sk": {"S": sk}})
    (problem,) = audit.invoke(WHOLE)["problems"]
    assert (problem["kind"], problem["key"]) == ("item_unknown", f"{pk} {sk}")


def test_a_difference_names_its_item_and_all_that_is_known_of_its_place(audit: Audit) -> None:
    """A link to nothing, a reversal without a link, and a stock item whose quantity was changed."""
    honest = stored_history([10, -3, 3])
    row = adjustment_of(honest.rows[2])._replace(reverses=adjustment_of(honest.rows[1]).id)
    row = row._replace(hash=row_hash(row))
    stock = {**stock_item(row), "quantity": {"N": "11"}}
    audit.tables.add(StoredHistory([*honest.rows[:2], dict(ledger_item(row))], stock))
    link = reversal_link(row._replace(reverses=UUID(int=76, version=4), id=UUID(int=77, version=4)))
    audit.tables.inventory.append(link)

    answer = audit.invoke(WHOLE)

    place = {"business_id": str(BUSINESS), "variant_id": str(VARIANT), "location_id": str(LOCATION), "sequence": 3}
    unknown = {"variant_id": None, "location_id": None, "sequence": None}
    assert sorted(answer["problems"], key=lambda each: str(each["kind"])) == [
        {"kind": "reversal_link_wrong", "key": f"{link['pk']['S']} {keys.REVERSAL}", "business_id": str(BUSINESS)}
        | unknown
        | {"adjustment_id": str(UUID(int=76, version=4))},
        {"kind": "reversal_not_linked", "key": keys.ledger(BUSINESS, row.id), "adjustment_id": str(row.id)} | place,
        {"kind": "stock_item_changed", "key": f"{stock['pk']['S']} {LOCATION}", "adjustment_id": None} | place,
    ]


def test_an_item_of_the_ledger_that_is_no_row_is_reported_with_what_can_be_read_of_it(audit: Audit) -> None:
    row = stored_history([10]).rows[0]
    audit.tables.ledger.append(row | {"quantity_after": {"S": "ten"}})

    (problem,) = audit.invoke(WHOLE)["problems"]

    assert problem == {
        "kind": "row_unreadable",
        "key": row["pk"]["S"],
        "business_id": str(BUSINESS),
        "variant_id": str(VARIANT),
        "location_id": str(LOCATION),
        "sequence": 1,
        "adjustment_id": row["id"]["S"],
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"note": {"S": "by hand"}},
        {"updated_at": {"S": "2026-11-23T14:05:12.123456+00:00"}},
        {"quantity": {"N": "+12"}},
        {"sequence": {"N": "03"}},
    ],
)
def test_a_stock_item_in_a_form_that_the_service_never_writes_is_reported(audit: Audit, odd: dict[str, Any]) -> None:
    honest = stored_history(DELTAS)
    assert honest.stock is not None
    assert {name: stock_item_of(honest.stock | {name: each}) for name, each in odd.items()} == {
        name: stock_item_of(honest.stock) for name in odd
    }, "it says the same"
    audit.tables.add(replace(honest, stock=honest.stock | odd))
    assert found(audit) == [("stock_item_changed", 3)]


def reversal_link(row: Adjustment) -> dict[str, Any]:
    assert row.reverses is not None
    return {
        "pk": {"S": keys.reversal(row.business_id, row.reverses)},
        "sk": {"S": keys.REVERSAL},
        "reversal_id": {"S": str(row.id)},
    }


def reversing(audit: Audit, deltas: list[int], of: UUID) -> dict[str, Any]:
    """Add rows of which the last reverses the row ``of``; return the link to it."""
    honest = stored_history(deltas)
    row = replace(adjustment_of(honest.rows[-1]), reverses=of)
    row = replace(row, hash=row_hash(row))
    audit.tables.add(StoredHistory([*honest.rows[:-1], dict(ledger_item(row))], stock_item(row)))
    audit.tables.inventory.append(reversal_link(row))
    return cast("dict[str, Any]", audit.tables.inventory[-1])


def test_a_correct_reversal_is_not_reported(audit: Audit) -> None:
    reversing(audit, [10, -3, 3], of=adjustment_of(stored_history(DELTAS).rows[1]).id)
    assert found(audit) == []


@pytest.mark.parametrize(
    ("deltas", "of"),
    [
        pytest.param([10, -3, -3], None, id="the same delta"),
        pytest.param([10, -3, 2], None, id="another delta"),
        pytest.param([10, -3, 3], UUID(int=77, version=4), id="no such row"),
    ],
)
def test_a_reversal_that_does_not_match_its_original_is_reported(
    audit: Audit, deltas: list[int], of: UUID | None
) -> None:
    reversing(audit, deltas, of or adjustment_of(stored_history(DELTAS).rows[1]).id)
    assert found(audit) == [("reversal_wrong", 3)]


@pytest.mark.parametrize("place", [{"variant_id": OTHER_VARIANT}, {"location_id": OTHER_LOCATION}], ids=str)
def test_a_reversal_of_a_row_of_another_stock_item_is_reported_though_their_deltas_match(
    audit: Audit, place: dict[str, UUID]
) -> None:
    reversed_row = history([-3], **place)[0]._replace(id=UUID(int=76, version=4))
    reversed_row = reversed_row._replace(hash=row_hash(reversed_row))
    audit.tables.add(StoredHistory([dict(ledger_item(reversed_row))], stock_item(reversed_row)))
    reversing(audit, [10, -3, 3], reversed_row.id)
    assert found(audit) == [("reversal_wrong", 3)]


def test_a_tampered_original_is_reported_and_not_its_reversal(audit: Audit) -> None:
    reversing(audit, [10, -3, 3], of=adjustment_of(stored_history(DELTAS).rows[1]).id)
    audit.tables.ledger[1] = audit.tables.ledger[1] | {"delta": {"N": "-4"}}
    assert set(found(audit)) == {("row_changed", 2)}


def test_reversed_rows_are_read_in_batches_and_read_again(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    reversing(audit, [10, -3, 3], of=UUID(int=77, version=4))
    asked: list[list[ItemKey]] = []
    whole = audit.tables.ledger_items

    def ledger_items(wanted: list[ItemKey]) -> list[Any]:
        asked.append(wanted)
        return whole(wanted)

    monkeypatch.setattr(audit.tables, "ledger_items", ledger_items)
    assert found(audit) == [("reversal_wrong", 3)]
    missing = (keys.ledger(BUSINESS, UUID(int=77, version=4)),)
    assert [list(each) for each in asked].count([missing]) == 1 + len(AUDIT_PAUSES_S)


@pytest.mark.parametrize("odd", [{"note": {"S": "by hand"}}, {"sk2": {"N": "1"}}])
def test_a_link_in_a_form_that_the_service_never_writes_is_reported(audit: Audit, odd: dict[str, Any]) -> None:
    link = reversing(audit, [10, -3, 3], of=adjustment_of(stored_history(DELTAS).rows[1]).id)
    link |= odd
    assert found(audit) == [("reversal_link_wrong", None)]


@pytest.mark.parametrize("under_the_key_of", [OTHER_BUSINESS, BUSINESS], ids=["its own key", "the link's business"])
def test_a_link_to_a_row_of_another_business_is_reported(audit: Audit, under_the_key_of: UUID) -> None:
    reversed_row, reversal = history([-3, 3], business_id=OTHER_BUSINESS)
    reversal = reversal._replace(reverses=reversed_row.id)
    item = dict(ledger_item(reversal._replace(hash=row_hash(reversal))))
    audit.tables.ledger.append(item | {"pk": {"S": keys.ledger(under_the_key_of, reversal.id)}})
    audit.tables.inventory.append(reversal_link(reversal._replace(business_id=BUSINESS)))

    assert ("reversal_link_wrong", None) in found(audit)


def test_a_link_with_ids_in_another_spelling_does_not_count(audit: Audit) -> None:
    link = reversing(audit, [10, -3, 3], of=adjustment_of(stored_history(DELTAS).rows[1]).id)
    link["reversal_id"] = {"S": link["reversal_id"]["S"].replace("-", "")}
    assert found(audit) == [("reversal_link_wrong", None), ("reversal_not_linked", 3)]


def test_a_position_is_valid_for_its_own_segment_only(audit: Audit) -> None:
    audit.tables.add(stored_history(DELTAS))
    position = audit.invoke(WHOLE, remaining_ms=20_000)["next"]
    kind, (problem,) = raised(audit, {"segment": 0, "segments": 2, "position": position})
    assert (kind, problem["loc"]) == ("InvalidRequest", ["body", "position"])


def test_unavailable_tables_give_no_verdict(audit: Audit) -> None:
    def unavailable() -> None:
        raise StoreUnavailable

    audit.tables.add(stored_history(DELTAS))
    audit.tables.before_read = unavailable
    assert raised(audit, WHOLE)[0] == "TryAgain"
    assert counted(audit.printed()[1]) == {"TryAgain": 1}


def some_of_everything(found: AuditedTables) -> None:
    """Stock items, some of them tampered; a reversal without a link, a link to nowhere, a row of no stock item."""
    for number in range(5):
        honest = stored_history(DELTAS, variant_id=UUID(int=(number + 1) << 64, version=4))
        tampered = TAMPERINGS["a row's reason was changed"](honest, number % 3) if number % 2 else honest
        assert tampered is not None
        found.add(tampered)
    found.ledger += stored_history([1], variant_id=UUID(int=9 << 64, version=4)).rows
    first, last = map(adjustment_of, stored_history([4, -4], variant_id=UUID(int=8 << 64, version=4)).rows)
    last = replace(last, reverses=UUID(int=76, version=4))
    last = replace(last, hash=row_hash(last))
    found.add(StoredHistory([dict(ledger_item(row)) for row in (first, last)], stock_item(last)))
    found.inventory.append(reversal_link(replace(last, reverses=UUID(int=77, version=4))))
    found.page_items = 3


def figures(parts: list[dict[str, Any]]) -> tuple[int, int, list[str]]:
    """The sums of the answers, each difference once."""
    rows, stock_items = (sum(part[name] for part in parts) for name in ("rows", "stock_items"))
    return rows, stock_items, sorted({str(each) for part in parts for each in part["problems"]})


def answered(audit: Audit, event: object) -> dict[str, Any] | None:
    """The answer; None for TryAgain."""
    try:
        return audit.invoke(event)
    except Exception as error:
        if type(error).__name__ != "TryAgain":
            raise
        return None


def unavailable_after(reads: int) -> Callable[[], None]:
    """Let so many reads succeed and all later ones fail."""
    numbers = count(1)

    def before_read() -> None:
        if next(numbers) > reads:
            raise StoreUnavailable

    return before_read


def test_an_interrupted_audit_returns_its_findings_and_continues_from_there(audit: Audit) -> None:
    some_of_everything(audit.tables)
    whole = figures([audit.invoke(WHOLE)])
    assert {kind for kind in AuditKind if any(kind.value in each for each in whole[2])} == {
        AuditKind.REVERSAL_WRONG,
        AuditKind.REVERSAL_NOT_LINKED,
        AuditKind.REVERSAL_LINK_WRONG,
    }
    counts: set[int] = set()
    failing_from = 0
    while True:
        audit.tables.before_read = unavailable_after(failing_from)
        audit.printed()
        first = answered(audit, WHOLE)
        if first is not None:
            lines, metrics = audit.printed()
            assert counted(metrics)["AuditDifferences"] == first["problem_count"]
            counts.add(first["problem_count"])
            if first["next"] is None:
                break
            assert [each["message"] for each in lines if "exception" in each] == ["audit stopped by a fault"]
            audit.tables.before_read = lambda: None
            assert figures([first, audit.invoke(WHOLE | {"position": first["next"]})]) == whole
        failing_from += 1

    assert len(counts) > 5, "it stopped at many places"


def test_a_continued_audit_that_reads_nothing_does_not_return_the_same_position(audit: Audit) -> None:
    some_of_everything(audit.tables)
    audit.tables.before_read = unavailable_after(12)
    first = answered(audit, WHOLE)
    assert first is not None
    assert first["next"] is not None
    assert answered(audit, WHOLE | {"position": first["next"]}) is None


def test_an_unfinished_long_proof_is_continued_where_it_stopped(audit: Audit) -> None:
    audit.tables.add(stored_history([1] * 50))
    audit.set(prover=replace(audit._module.auditor.prover, page_rows=10, rows_max=10))
    audit.tables.before_read = unavailable_after(6)  # the reads of the first two parts of the proof
    first = audit.invoke(WHOLE)
    assert (first["stock_items"], first["problem_count"]) == (0, 0)
    audit.tables.before_read = lambda: None
    queries: list[Any] = []
    page = audit.tables.page

    def counted_page(*arguments: Any, **named: Any) -> Any:
        queries.append(named)
        return page(*arguments, **named)

    audit.tables.page = counted_page  # type: ignore[method-assign]
    rest = audit.invoke(WHOLE | {"position": first["next"]})
    assert (rest["stock_items"], rest["rows"], rest["problem_count"], rest["next"]) == (1, 50, 0, None)
    assert len(queries) < 5, "some pages were read already"


def test_a_scheduled_audit_stopped_by_a_fault_is_unfinished_and_logs_why(audit: Audit) -> None:
    audit.tables.ledger += stored_history([1] * 25).rows
    audit.tables.page_items = 10
    scans = 0
    page = audit.tables.ledger_page

    def throttled_from_the_third_on(segment: Segment, start: ItemKey | None) -> TablePage:
        nonlocal scans
        scans += 1
        if scans > 2:
            raise StoreUnavailable from ClientError({"Error": {"Code": "ThrottlingException"}}, "Scan")
        return page(segment, start)

    audit.set(tables=audit.tables, prover=audit._module.auditor.prover)
    audit.tables.ledger_page = throttled_from_the_third_on  # type: ignore[method-assign]
    monday = {**SCHEDULED, "time": "1970-01-01T00:00:00Z"}
    audit._module.SEGMENTS = 1
    answer = audit.invoke(monday)

    lines, metrics = audit.printed()
    assert (answer["problem_count"], answer["rows"], answer["next"] is None) == (20, 20, False)
    assert counted(metrics) == {
        "AuditDifferences": 20,
        "AuditedRows": 20,
        "AuditedStockItems": 0,
        "AuditUnfinished": 1,
    }
    assert len([each for each in lines if each["message"] == "difference found"]) == 20
    (stopped,) = [each for each in lines if each["message"] == "audit stopped by a fault"]
    assert "ThrottlingException" in stopped["exception"]


@pytest.mark.parametrize("read_s", [0.05, 2.9])
def test_no_read_begins_that_could_outlast_the_audits_invocation(audit: Audit, read_s: float) -> None:
    some_of_everything(audit.tables)
    left_s = 0.0
    left_at_reads_s: list[float] = []

    def spend(seconds: float) -> None:
        nonlocal left_s
        left_s -= seconds

    def read() -> None:
        left_at_reads_s.append(left_s)
        spend(read_s)

    def remaining_s() -> float:
        return left_s

    audit.tables.before_read = read
    prover = replace(audit._module.auditor.prover, sleep=spend, pauses_s=AUDIT_PAUSES_S)
    auditor = replace(audit._module.auditor, sleep=spend, prover=prover)
    for tenths in range(0, 900, 7):
        left_s = tenths / 10
        with suppress(TryAgain):
            auditor.audit(Segment(0, 1), remaining_s=remaining_s)
        assert left_s >= 0
    assert min(left_at_reads_s) >= CALL_BUDGET_S


def test_an_internal_error_gives_no_verdict_and_no_details(audit: Audit) -> None:
    def fault() -> None:
        raise RuntimeError("secret-table")

    audit.tables.before_read = fault
    kind, detail = raised(audit, WHOLE)
    assert (kind, detail["code"]) == ("InternalError", "internal_error")
    assert counted(audit.printed()[1]) == {"InternalError": 1}


def test_the_sample_event_is_audited(audit: Audit) -> None:
    assert audit.invoke(load_event("audit-ledger"))["next"] is None


# --------------------------------------------------------------------------------------------------------- the alarms

AUDIT_ALARMS = {
    name: each["Properties"] for name, each in resources("AWS::CloudWatch::Alarm").items() if "Audit" in name
}
ALARMS = {name: each for name, each in AUDIT_ALARMS.items() if each["Namespace"] != "AWS/Lambda"}


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_watches_a_metric_that_the_function_writes(audit: Audit, name: str) -> None:
    """Namespace, metric and dimensions, as emitted by the code under the settings of the template."""
    variables = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    own = resources("AWS::Serverless::Function")["AuditLedgerFunction"]["Properties"]["Environment"]["Variables"]
    assert own["POWERTOOLS_SERVICE_NAME"] == "audit_ledger"
    audit.invoke(SCHEDULED)
    (line,) = audit.printed()[1]
    (emitted,) = line["_aws"]["CloudWatchMetrics"]
    alarm = ALARMS[name]
    assert emitted["Namespace"] == NAMESPACE
    assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["MetricName"] in {each["Name"] for each in emitted["Metrics"]}
    (names,) = emitted["Dimensions"]
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {each: line[each] for each in names}


def test_the_alarms_go_off_for_a_difference_an_unfinished_audit_and_none_at_all() -> None:
    def when(name: str) -> tuple[object, ...]:
        properties = ("MetricName", "Statistic", "ComparisonOperator", "Threshold", "TreatMissingData")
        return tuple(AUDIT_ALARMS[name][each] for each in properties)

    assert when("AuditDifferencesAlarm") == ("AuditDifferences", "Maximum", "GreaterThanThreshold", 0, "notBreaching")
    assert when("AuditUnfinishedAlarm") == ("AuditUnfinished", "Maximum", "GreaterThanThreshold", 0, "notBreaching")
    assert when("AuditFailedAlarm") == ("Errors", "Sum", "GreaterThanThreshold", 0, "notBreaching")
    failed = AUDIT_ALARMS["AuditFailedAlarm"]
    assert failed["Namespace"] == "AWS/Lambda"
    assert failed["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "AuditLedgerFunction"}}]
    assert when("AuditMissingAlarm") == ("AuditUnfinished", "SampleCount", "LessThanThreshold", 1, "breaching")
    on_schedule = {
        name for name in AUDIT_ALARMS if resources("AWS::CloudWatch::Alarm")[name].get("Condition") == "KeepData"
    }
    assert on_schedule == {"AuditUnfinishedAlarm", "AuditFailedAlarm", "AuditMissingAlarm"}, (
        "there is no schedule without data to keep"
    )


def test_a_difference_in_one_segment_keeps_the_alarm_until_its_next_audit() -> None:
    segments = load_template()["Parameters"]["AuditSegments"]["Default"]
    for name in AUDIT_ALARMS.keys() - {"AuditMissingAlarm"}:
        alarm = AUDIT_ALARMS[name]
        assert alarm["DatapointsToAlarm"] == 1
        assert alarm["Period"] * alarm["EvaluationPeriods"] == int(segments) * 3600


def test_the_metrics_of_two_stacks_are_separate() -> None:
    variables = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Fn::Sub": "InventoryAdjustments/${AWS::StackName}"}


def test_an_unreadable_stock_item_is_left_to_its_proof() -> None:
    item = stored_history([1]).stock
    assert item is not None

    assert sequence_of_altered_stock_item(item) is None
    assert sequence_of_altered_stock_item(item | {"colour": {"S": "red"}}) == 1
    assert sequence_of_altered_stock_item(item | {"colour": {"S": "red"}, "quantity": {"S": "one"}}) is None
