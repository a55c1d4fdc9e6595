"""`make audit` on the running stack: clean, then tampered with through the tables' endpoint, reported, and repaired."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service


def audit(stack: LocalStack) -> subprocess.CompletedProcess[str]:
    """The command behind `make audit`, whose own status make would turn into 2."""
    return subprocess.run(
        [sys.executable, "-m", "ops", "audit"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"LOCAL_DIR": str(stack.places.local_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def adjusted(service: Service) -> Business:
    """A business with three adjustments of one stock item."""
    business = service.new_business()
    for change in (10, -3, 5):
        assert business.adjust(change).status_code == 201
    return business


def put(service: Service, table: str, item: dict[str, Any]) -> None:
    service.dynamodb.put_item(TableName=service.outputs[table], Item=item)


def named(business: Business, kind: str, sequence: int) -> str:
    where = f"business {business.id}, variant {business.variant_id}, location {business.location_id}"
    return f"{kind}: {where}, sequence {sequence}"


def test_a_tampered_row_is_named_and_a_repaired_ledger_is_clean_again(
    local_stack: LocalStack, service: Service, adjusted: Business
) -> None:
    clean = audit(local_stack)
    assert (clean.returncode, clean.stderr) == (0, ""), clean.stdout + clean.stderr
    assert re.fullmatch(r"Everything adds up: [\d,]+ rows, [\d,]+ stock items, 0 problems, [\d.]+ s\n", clean.stdout)

    _, second, _ = adjusted.ledger()
    put(service, "LedgerTableName", {**second, "reason": {"S": "altered by hand"}})
    altered = audit(local_stack)
    assert altered.returncode == 1
    assert named(adjusted, "row_changed", 2) in altered.stdout
    assert "NOT everything adds up" in altered.stdout
    assert local_stack.make("audit").returncode != 0

    service.dynamodb.delete_item(TableName=service.outputs["LedgerTableName"], Key={"pk": second["pk"]})
    removed = audit(local_stack)
    assert removed.returncode == 1
    assert named(adjusted, "row_missing", 2) in removed.stdout

    put(service, "LedgerTableName", second)
    mended = local_stack.make("audit")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "Everything adds up" in mended.stdout


def test_a_stock_item_that_was_altered_is_named(local_stack: LocalStack, service: Service, adjusted: Business) -> None:
    key = {"pk": {"S": f"STOCK#{adjusted.id}#{adjusted.variant_id}"}, "sk": {"S": adjusted.location_id}}
    table = service.outputs["InventoryTableName"]
    stock = service.dynamodb.get_item(TableName=table, Key=key)["Item"]
    put(service, "InventoryTableName", {**stock, "quantity": {"N": "1000"}})
    try:
        altered = audit(local_stack)
        assert altered.returncode == 1
        assert named(adjusted, "stock_item_changed", 3) in altered.stdout
    finally:
        put(service, "InventoryTableName", dict(stock))
    assert audit(local_stack).returncode == 0


@pytest.mark.usefixtures("local_stack")
def test_a_local_stack_has_no_audit_schedule(service: Service) -> None:
    scheduled = [each for each in service.events.list_rules()["Rules"] if each.get("ScheduleExpression")]
    assert {each["State"] for each in scheduled} == {"DISABLED"}


def test_without_a_stack_there_is_no_verdict(local_stack: LocalStack) -> None:
    elsewhere = local_stack.places.local_dir / "nothing here"
    done = subprocess.run(
        [sys.executable, "-m", "ops", "audit"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"LOCAL_DIR": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "make run" in done.stderr


def test_the_audits_metrics_have_the_stacks_own_namespace(local_stack: LocalStack, service: Service) -> None:
    service.invoke("AuditLedgerFunctionName", {"segment": 0, "segments": 1})
    namespace = '"Namespace":"InventoryAdjustments/inventory-adjustments"'
    deadline = time.monotonic() + 30
    while namespace not in local_stack.places.functions_log.read_text(encoding="utf-8").replace(" ", ""):
        assert time.monotonic() < deadline, "the metrics were not printed"
        time.sleep(0.2)
