"""Exports as operators make them: `make export`, and the function invoked directly."""

from __future__ import annotations

import codecs
import csv
import json
import re
import shlex
from copy import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain.model import Command
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.queries.settled import SETTLED_AFTER
from ops.errors import FunctionError
from ops.local_stack import STACK_NAME
from tests.support.builders.domain import budget_of
from tests.support.harness.shop import AMPLE_S
from tests.support.pages import section
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service

TABLES = {"inventory_table": "InventoryTableName", "ledger_table": "LedgerTableName"}
REASONS = ["Counted", '=HYPERLINK("http://x.test")', 'Größe\n"XL" 📦']


@pytest.fixture
def busy(business: Business) -> Business:
    """A business with a few adjustments of one variant at two locations, up to which the ledger is settled."""
    service = business.service
    tables = {name: service.outputs[output] for name, output in TABLES.items()}
    adjuster = adjuster_on_dynamodb(service.dynamodb, **tables)
    # Written as the function writes them, by a clock that is slow: so nothing has to be waited for.
    adjuster = replace(adjuster, clock=lambda: datetime.now(UTC) - 2 * SETTLED_AFTER)
    for number, reason in enumerate(REASONS * 2):
        location_id = UUID((business.location_id, business.other_location_id)[number % 2])
        command = Command(
            business_id=UUID(business.id),
            variant_id=UUID(business.variant_id),
            quantity_change=number + 1,
            reason=reason,
            actor="test suite",
            location_id=location_id,
        )
        adjuster.carry_out(command, budget_of(adjuster, lambda: AMPLE_S))
    return business


def check_chains(rows: list[dict[str, Any]]) -> None:
    """Check every hash and link, without the service's code."""
    heads: dict[str, str] = {}
    for row in rows:
        members = {name: value for name, value in row.items() if name != "hash"}
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
        assert sha256(canonical.encode()).hexdigest() == row["hash"]
        assert row["previous_hash"] == heads.get(row["location_id"], "0" * 64)
        heads[row["location_id"]] = row["hash"]


def test_make_export_writes_a_file_of_json_lines_that_proves_itself(
    busy: Business, local_stack: LocalStack, tmp_path: Path
) -> None:
    out = tmp_path / "export.ndjson"
    done = local_stack.make("export", BUSINESS=busy.id, OUT=str(out))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_bytes().decode().split("\n")[:-1]]
    assert [row["reason"] for row in rows] == REASONS * 2
    assert [row["sequence"] for row in rows] == [1, 1, 2, 2, 3, 3]
    check_chains(rows)
    assert [row["hash"] for row in rows if row["location_id"] == busy.location_id] == [
        item["hash"]["S"] for item in busy.ledger()
    ]
    assert list(tmp_path.iterdir()) == [out]
    assert "6 rows" in done.stderr
    assert "No gap in the sequences of 2 stock items." in done.stderr


def test_an_adjustment_of_this_minute_belongs_to_the_next_export(business: Business, service: Service) -> None:
    created = business.adjust(1).json()
    answer = service.invoke("ReadInventoryFunctionName", {"command": "export", "business_id": business.id})
    assert (answer["rows"], answer["text"]) == (0, "")
    assert answer["created_to"] <= created["created_at"]


def test_make_export_writes_csv_without_formulas_for_spreadsheets(
    busy: Business, local_stack: LocalStack, tmp_path: Path
) -> None:
    out = tmp_path / "export.csv"
    done = local_stack.make("export", BUSINESS=busy.id, FORMAT="csv", BOM="1", OUT=str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(codecs.BOM_UTF8)
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows] == [REASONS[0], f"'{REASONS[1]}", REASONS[2]] * 2
    assert [row["delta"] for row in rows] == ["1", "2", "3", "4", "5", "6"]


def test_make_export_finds_a_stack_by_its_name(busy: Business, local_stack: LocalStack, tmp_path: Path) -> None:
    """As in AWS, except that the SDK gets the emulator's address; no local stack is in this LOCAL_DIR."""
    out = tmp_path / "export"
    aws = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{local_stack.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    chosen = {"LOCAL_DIR": str(tmp_path), "STACK": STACK_NAME, "OUT": str(out), "BUSINESS": busy.id}
    done = local_stack.make("export", project=PROJECT_ROOT, **chosen, **aws)
    assert done.returncode == 0, done.stderr
    assert len(out.read_text(encoding="utf-8").splitlines()) == 6
    unknown = local_stack.make("export", project=PROJECT_ROOT, **chosen | {"STACK": "no-such-stack"}, **aws)
    assert unknown.returncode != 0
    assert "no-such-stack does not exist" in unknown.stderr


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"BUSINESS": str(uuid4())}, "error: There is no such business."),
        ({"BUSINESS": ""}, "error: Invalid value for '--business': which business?"),
        ({"FROM": "yesterday"}, "error: created_from: Input should be an ISO 8601 instant"),
        ({"LOCAL_DIR": "nowhere"}, "error: no local stack is running"),
    ],
)
def test_make_export_reports_a_failure_on_one_line_and_leaves_no_file(
    variables: dict[str, str], line: str, business: Business, local_stack: LocalStack, tmp_path: Path
) -> None:
    chosen = {"BUSINESS": business.id, "OUT": str(tmp_path / "out")} | variables
    done = local_stack.make("export", project=PROJECT_ROOT, **chosen)
    assert done.returncode != 0
    assert done.stderr.startswith(line)
    assert [each for each in done.stderr.splitlines() if not each.startswith("make")] == [done.stderr.splitlines()[0]]
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_page_works_when_it_is_typed(local_stack: LocalStack, tmp_path: Path) -> None:
    (typed,) = re.findall(r"^\$ (make export .*)$", section("docs/integrity.md", "Export"), re.MULTILINE)
    target, *variables = shlex.split(typed.removeprefix("make "))
    out = {"OUT": str(tmp_path / "out")}
    done = local_stack.make(target, project=PROJECT_ROOT, **dict(each.split("=", 1) for each in variables) | out)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text(encoding="utf-8").startswith("form,id,business_id,")


def test_an_invocation_is_answered_with_a_page(service: Service, busy: Business) -> None:
    payload = {"command": "export", "business_id": busy.id, "location_id": busy.other_location_id}
    answer = service.invoke("ReadInventoryFunctionName", payload)
    rows = [json.loads(line) for line in answer["text"].splitlines()]
    assert (answer["rows"], answer["next_cursor"]) == (3, None)
    assert [row["delta"] for row in rows] == [2, 4, 6]
    check_chains(rows)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"business_id": str(uuid4())}, "BusinessNotFound"),
        ({"format": "xml"}, "InvalidRequest"),
        ({"cursor": "AAAA"}, "InvalidRequest"),
        ({"command": "import"}, "InvalidRequest"),
    ],
)
def test_a_rejected_export_invocation_gives_the_reason(
    fields: dict[str, object], kind: str, service: Service, business: Business
) -> None:
    with pytest.raises(FunctionError) as refused:
        service.invoke("ReadInventoryFunctionName", {"command": "export", "business_id": business.id} | fields)
    assert refused.value.kind == kind
