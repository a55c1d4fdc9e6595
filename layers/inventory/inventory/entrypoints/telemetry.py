"""One log line and one metric for each request, by its outcome; never a token, a header or a body."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from inventory.domain.errors import CorruptData, ExportStopped, InternalError, ServiceError, StoreUnavailable, TryAgain
from inventory.entrypoints.responses import ERROR_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from aws_lambda_powertools import Logger, Metrics

    from inventory.domain.model import Outcome
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.ledger_stream import Published
    from inventory.entrypoints.schedule import AuditTask
    from inventory.integrity.audit import AuditResult
    from inventory.queries.export import ExportPage

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

_OUTCOMES: Final = {CREATED: "created", REVERSED: "reversed", REPLAYED: "replayed"}
"""The code of a line that tells of no error, by metric."""


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


@dataclass(slots=True)
class RequestLine:
    """What the one line of a request says whatever became of it: begun with the request, filled in on the way.

    ``clock_s`` is monotonic, in seconds. ``business_id`` stays None until it is authenticated: what a caller merely
    claims is not logged. ``budget`` stays None where a request has no attempts of its own. A None is not in the line.
    """

    clock_s: Callable[[], float]
    gateway_request_id: str | None = None
    business_id: UUID | None = None
    budget: RetryBudget | None = None
    _started_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self._started_s = self.clock_s()

    def members(self, code: str, attempts: int | None = None) -> dict[str, object]:
        """All of it, for a request that ended with ``code``."""
        if attempts is None and self.budget is not None:
            attempts = self.budget.attempts
        return {
            "business_id": None if self.business_id is None else str(self.business_id),
            "code": code,
            "attempts": attempts,
            "duration_ms": round((self.clock_s() - self._started_s) * 1000, 1),
            "gateway_request_id": self.gateway_request_id,
        }


def report_outcome(outcome: Outcome, logger: Logger, metrics: Counts, line: RequestLine) -> None:
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
    members = line.members(_OUTCOMES[metric], outcome.attempts)
    members["adjustment_id"] = str(row.id)
    members["sequence"] = row.sequence
    if row.reverses is not None:
        members["reverses"] = str(row.reverses)
    logger.info(message, extra=members)


def report_read(resource: str, logger: Logger, metrics: Metrics, line: RequestLine) -> None:
    """Say that a question was answered, and which; not what was asked for."""
    metrics.add_metric(READ, MetricUnit.Count, 1)
    logger.info("read answered", extra=line.members("read") | {"resource": resource})


def report_export(page: ExportPage, logger: Logger, metrics: Metrics, line: RequestLine) -> None:
    """Say that a page of an export was handed out, and of whose."""
    metrics.add_metric(EXPORTED, MetricUnit.Count, 1)
    logger.info(
        "export page answered",
        extra=line.members("exported") | {"rows": page.rows, "is_last": page.next_cursor is None},
    )


def report_error(error: Exception, logger: Logger, metrics: Counts, line: RequestLine) -> ServiceError:
    """Say why there is no adjustment, and give back what the caller may learn of it."""
    told, message, write, facts = _told(error, logger)
    metrics.add_metric(type(told).__name__, MetricUnit.Count, 1)
    # What was raised is for us alone; of what the service itself decided there is nothing to trace back.
    decided = isinstance(error, ServiceError | CorruptData) and not _is_fault_of_unknown_outcome(error)
    write(message, exc_info=None if decided else error, extra=line.members(ERROR_ANSWERS[type(told)].code) | facts)
    return told


def _told(error: Exception, logger: Logger) -> tuple[ServiceError, str, Callable[..., None], dict[str, object]]:
    """What the caller learns of an error; and of its line the message, what writes it, and its further members."""
    match error:
        case StoreUnavailable():
            return TryAgain(), "not settled in time", logger.warning, {}
        case TryAgain() if _is_fault_of_unknown_outcome(error):
            return error, "unexpected fault", logger.error, {}
        case ExportStopped():
            return error, "books bent", logger.error, dict(error.facts())
        case CorruptData():
            return InternalError(), "books bent", logger.error, {"problem": type(error).__name__, **error.where}
        case ServiceError():
            return error, "request refused", logger.info, {}
        case _:
            return InternalError(), "unexpected fault", logger.error, {}


def _is_fault_of_unknown_outcome(error: Exception) -> bool:
    """Whether something went wrong that should not have, and the caller can't be told that nothing was done."""
    return isinstance(error, TryAgain) and error.__cause__ is not None


def report_unreadable(problem: str, logger: Logger, metrics: Counts, line: RequestLine) -> None:
    """Say that a message can't be read, by whomever and however often; ``problem`` holds nothing of its body."""
    metrics.add_metric(UNREADABLE, MetricUnit.Count, 1)
    logger.warning("message unreadable", extra=line.members("unreadable") | {"problem": problem})


def report_audit(task: AuditTask, result: AuditResult, logger: Logger, metrics: Metrics) -> None:
    """Say what an audit found: each listed difference on a line of its own, and the figures as metrics.

    Whether it came to the end is a metric of scheduled audits only: whoever invokes one directly goes on with it. An
    alarm also takes that metric's absence for what it is.
    """
    metrics.add_metric(AUDIT_DIFFERENCES, MetricUnit.Count, result.mismatch_count)
    metrics.add_metric(AUDITED_ROWS, MetricUnit.Count, result.rows)
    metrics.add_metric(AUDITED_STOCK_ITEMS, MetricUnit.Count, result.stock_items)
    if task.scheduled:
        metrics.add_metric(AUDIT_UNFINISHED, MetricUnit.Count, int(result.next_position is not None))
    for each in result.mismatches:
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
    if result.stopped_by is not None:
        logger.warning("audit stopped by a fault", exc_info=result.stopped_by)
    logger.info(
        "segment audited",
        extra={
            "segment": task.segment.number,
            "segments": task.segment.total,
            "scheduled": task.scheduled,
            "rows": result.rows,
            "stock_items": result.stock_items,
            "differences": result.mismatch_count,
            "finished": result.next_position is None,
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
