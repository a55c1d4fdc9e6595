"""Audit a segment of all tables, on a schedule or by direct invocation: translate, audit, translate."""

from __future__ import annotations

import os
from math import inf
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.aws.clients import dynamodb_client
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.responses import audit_members
from inventory.entrypoints.schedule import audit_task
from inventory.entrypoints.telemetry import entry_point, report_audit, translated_errors
from inventory.integrity.audit import AUDIT_PAUSES_S, Auditor
from inventory.integrity.proof import Prover
from inventory.schemas.problems import cursor_at
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from inventory.storage.table_scan import DynamoDBAuditTables

if TYPE_CHECKING:
    from inventory.entrypoints.telemetry import Invocation

logger = line_logger()
metrics = Metrics()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
inventory_table, ledger_table = os.environ["INVENTORY_TABLE"], os.environ["LEDGER_TABLE"]
auditor = Auditor(
    tables=DynamoDBAuditTables(client, inventory_table=inventory_table, ledger_table=ledger_table),
    prover=Prover(
        index=DynamoDBLedgerIndex(client, ledger_table),
        items=Lookups(client, inventory_table=inventory_table, ledger_table=ledger_table),
        pauses_s=AUDIT_PAUSES_S,
    ),
)
SEGMENTS = int(os.environ["AUDIT_SEGMENTS"])
start_finished()


@entry_point(logger, metrics)
def handler(event: object, invocation: Invocation) -> dict[str, object]:
    """Answer the findings and the position to go on from, or raise an error that the invoker may see."""
    with translated_errors(invocation):
        task = audit_task(event, segments=SEGMENTS)
        seconds = inf if task.seconds is None else task.seconds
        with cursor_at("body", "position"):
            result = auditor.audit(task.segment, task.position, seconds=seconds, remaining_s=invocation.remaining_s)
    report_audit(task, result, invocation)
    return audit_members(result)
