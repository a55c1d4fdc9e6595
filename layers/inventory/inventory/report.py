"""One log line and one metric for each request, by its outcome; never a token, a header or a body."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from inventory.answers import ANSWERS
from inventory.errors import BooksBent, ExportStopped, InternalError, ServiceError, StoreUnavailable, TryAgain

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from inventory.adjust import Outcome
    from inventory.audit import Findings
    from inventory.audit_requests import AuditTask
    from inventory.export import ExportPage
    from inventory.http import Caller
    from inventory.ledger_stream import Published

CREATED: Final = "AdjustmentCreated"
REVERSED: Final = "AdjustmentReversed"
REPLAYED: Final = "AdjustmentReplayed"
READ: Final = "ReadAnswered"
EXPORTED: Final = "ExportPageAnswered"
UNREADABLE: Final = "MessageUnreadable"
AUDIT_DIFFERENCES: Final = "AuditDifferences"
AUDIT_UNFINISHED: Final = "AuditUnfinished"
AUDITED_ROWS: Final = "AuditedRows"
AUDITED_STOCK_ITEMS: Final = "AuditedStockItems"
PUBLISHED: Final = "AdjustmentPublished"
ROW_SET_ASIDE: Final = "LedgerRowSetAside"
ROW_ALTERED: Final = "LedgerRowAltered"


class Counts(Protocol):
    """Where requests are counted: the metrics themselves, or the tally of a batch."""

    def add_metric(self, name: str, unit: MetricUnit, value: float) -> None:
        """Count."""
        ...


class Tally:
    """What a batch comes to, each metric one number: CloudWatch reads no more than 100 values of one line."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, MetricUnit]] = Counter()

    def add_metric(self, name: str, unit: MetricUnit, value: float) -> None:
        """Count."""
        self._counts[name, unit] += int(value)

    def write(self, metrics: Metrics) -> None:
        """Hand the numbers on."""
        for (name, unit), count in self._counts.items():
            metrics.add_metric(name, unit, count)


def report_outcome(outcome: Outcome, logger: Logger, metrics: Counts) -> None:
    """Say that an adjustment stands, and after how many tries.

    A reversal is an adjustment of its own, counted apart; whatever is replayed wrote nothing and is counted as one.
    """
    row = outcome.adjustment
    if outcome.replayed:
        metric, message = REPLAYED, "adjustment replayed"
    elif row.reverses is not None:
        metric, message = REVERSED, "adjustment reversed"
    else:
        metric, message = CREATED, "adjustment created"
    metrics.add_metric(metric, MetricUnit.Count, 1)
    logger.info(
        message,
        extra={
            "business_id": str(row.business_id),
            "adjustment_id": str(row.id),
            "sequence": row.sequence,
            "attempts": outcome.attempts,
            **({} if row.reverses is None else {"reverses": str(row.reverses)}),
        },
    )


def report_read(resource: str, caller: Caller, logger: Logger, metrics: Metrics) -> None:
    """Say that a question was answered, and which; not what was asked for."""
    metrics.add_metric(READ, MetricUnit.Count, 1)
    logger.info("read answered", extra={"business_id": str(caller.business_id), "resource": resource})


def report_export(page: ExportPage, logger: Logger, metrics: Metrics) -> None:
    """Say that a page of an export was handed out, and of whose."""
    metrics.add_metric(EXPORTED, MetricUnit.Count, 1)
    logger.info(
        "export page answered",
        extra={"business_id": str(page.business_id), "rows": page.rows, "is_last": page.next_cursor is None},
    )


def report_error(error: Exception, logger: Logger, metrics: Counts) -> ServiceError:
    """Say why there is no adjustment, and give back what the caller may learn of it."""
    if isinstance(error, StoreUnavailable):
        logger.warning("not settled in time", exc_info=error)
        error = TryAgain()
    if isinstance(error, ExportStopped):
        logger.error("books bent", extra=error.facts())
    if isinstance(error, BooksBent):
        logger.error("books bent", extra={"problem": type(error).__name__, **error.where})
        error = InternalError()
    if not isinstance(error, ServiceError):
        logger.error("unexpected fault", exc_info=error)
        error = InternalError()
    metrics.add_metric(type(error).__name__, MetricUnit.Count, 1)
    logger.info("request refused", extra={"code": ANSWERS[type(error)].code})
    return error


def report_unreadable(problem: str, logger: Logger, metrics: Counts) -> None:
    """Say that a message can't be read, by whomever and however often; ``problem`` holds nothing of its body."""
    metrics.add_metric(UNREADABLE, MetricUnit.Count, 1)
    logger.warning("message unreadable", extra={"problem": problem})


def report_audit(task: AuditTask, findings: Findings, logger: Logger, metrics: Metrics) -> None:
    """Say what an audit found: each listed difference on a line of its own, and the figures as metrics.

    Whether it came to the end is a metric of scheduled audits only: whoever invokes one directly goes on with it. An
    alarm also takes that metric's absence for what it is.
    """
    metrics.add_metric(AUDIT_DIFFERENCES, MetricUnit.Count, findings.differences_count)
    metrics.add_metric(AUDITED_ROWS, MetricUnit.Count, findings.rows)
    metrics.add_metric(AUDITED_STOCK_ITEMS, MetricUnit.Count, findings.stock_items)
    if task.scheduled:
        metrics.add_metric(AUDIT_UNFINISHED, MetricUnit.Count, int(findings.next_position is not None))
    for each in findings.differences:
        logger.error(
            "difference found",
            extra={
                "kind": each.kind.value,
                "business_id": each.business_id,
                "variant_id": each.variant_id,
                "location_id": each.location_id,
                "sequence": each.sequence,
                "adjustment_id": each.adjustment_id,
            },
        )
    logger.info(
        "segment audited",
        extra={
            "segment": task.segment.number,
            "segments": task.segment.total,
            "scheduled": task.scheduled,
            "rows": findings.rows,
            "stock_items": findings.stock_items,
            "differences": findings.differences_count,
            "finished": findings.next_position is None,
        },
    )


def report_published(published: Published, logger: Logger, metrics: Metrics) -> None:
    """Say how many events are on the bus, and each row that is not told, by its key.

    That a row was altered or removed is what the alarm on its metric waits for: no function of the service can do it.
    """
    metrics.add_metric(PUBLISHED, MetricUnit.Count, published.events)
    for unusable in published.set_aside:
        metrics.add_metric(ROW_SET_ASIDE, MetricUnit.Count, 1)
        logger.error("ledger row set aside", extra={"ledger_key": unusable.key, "problem": unusable.problem})
    for altered in published.altered:
        metrics.add_metric(ROW_ALTERED, MetricUnit.Count, 1)
        logger.warning("ledger row altered", extra={"ledger_key": altered.key, "change": altered.change})
    if published.open_from is not None:
        logger.warning("not published in time", extra={"sequence_number": published.open_from})
    logger.info("adjustments published", extra={"events": published.events})
