"""Audit a segment of everything, by the clock or by direct invocation: translate, audit, translate."""

from __future__ import annotations

import os
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.aws.clients import dynamodb_client
from inventory.entrypoints.direct import raised
from inventory.entrypoints.responses import audit_members
from inventory.entrypoints.schedule import audit_task
from inventory.entrypoints.telemetry import RequestLine, report_audit, report_error
from inventory.integrity.audit import AUDIT_PAUSES_S, Auditor
from inventory.integrity.proof import Prover
from inventory.schemas.problems import cursor_at
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from inventory.storage.table_scan import DynamoDBAuditTables

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
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


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> dict[str, object]:
    """Answer what was found, and where to go on; what goes wrong is raised under the name that ``raised`` gives it."""
    line = RequestLine(clock_s)
    try:
        task = audit_task(event, segments=SEGMENTS)
        with cursor_at("body", "position"):
            result = auditor.audit(
                task.segment,
                task.position,
                seconds=inf if task.seconds is None else task.seconds,
                remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
            )
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        raise raised(report_error(error, logger, metrics, line)) from None
    report_audit(task, result, logger, metrics)
    return audit_members(result)
