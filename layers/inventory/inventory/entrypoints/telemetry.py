"""One log line and one metric for each request, by its outcome; never a token, a header or a body."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from aws_lambda_powertools.metrics import MetricUnit

from inventory.domain.errors import CorruptData, ExportStopped, InternalError, ServiceError, StoreUnavailable, TryAgain
from inventory.domain.model import GroupOutcome
from inventory.domain.uuids import uuid_text
from inventory.entrypoints.deadline import remaining_s
from inventory.entrypoints.responses import ERROR_ANSWERS, raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.domain.model import Kind, Outcome
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.ledger_stream import PublishResult
    from inventory.entrypoints.schedule import AuditTask
    from inventory.integrity.audit import AuditResult
    from inventory.queries.export import ExportPage

    class MetricSink(Protocol):
        """Takes counts: Powertools' metrics, or the sums of a batch."""

        def add_metric(self, name: str, unit: MetricUnit, value: float) -> None:
            """Count."""
            ...

    class Decorator(Protocol):
        """Makes a handler of a function that takes an event and its invocation."""

        def __call__[E, A](self, handle: Callable[[E, Invocation], A], /) -> Callable[[E, LambdaContext], A]:
            """Make it."""
            ...


CREATED: Final = "AdjustmentCreated"
COUNTED: Final = "StockCounted"
TRANSFERRED: Final = "StockTransferred"
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

_BY_KIND: Final[Mapping[Kind, Sequence[str]]] = {
    "adjustment": (CREATED,),
    "count": (CREATED, COUNTED),
    "transfer": (CREATED, TRANSFERRED),
    "reversal": (REVERSED,),
}
"""The metrics that count a new row."""


class _MetricSums:
    """The counts of a batch, one number for each metric: CloudWatch reads no more than 100 values of one line."""

    def __init__(self) -> None:
        self._sums: Counter[tuple[str, MetricUnit]] = Counter()

    def add_metric(self, name: str, unit: MetricUnit, value: float) -> None:
        """Count."""
        self._sums[name, unit] += int(value)

    def write(self, metrics: MetricSink) -> None:
        """Add the sums to the metrics."""
        for (name, unit), value in self._sums.items():
            metrics.add_metric(name, unit, value)


class Invocation:
    """One invocation: where its log lines and metrics go, and the members that each of its lines has.

    ``clock_s`` is monotonic, in seconds. ``business_id`` stays None until it is authenticated: what a caller merely
    claims is not logged. ``budget`` stays None where a request has no attempts of its own. A None is not in the line.
    """

    def __init__(
        self, context: LambdaContext, logger: Logger, metrics: MetricSink, clock_s: Callable[[], float]
    ) -> None:
        self.context = context
        self.logger = logger
        self.metrics = metrics
        self.remaining_s = remaining_s(context)
        self.gateway_request_id: str | None = None
        self.business_id: UUID | None = None
        self.budget: RetryBudget | None = None
        self._clock_s = clock_s
        self._started_s = clock_s()

    def count(self, metric: str, value: int = 1) -> None:
        """Add to a metric."""
        self.metrics.add_metric(metric, MetricUnit.Count, value)

    def members(self, code: str, attempts: int | None = None) -> dict[str, object]:
        """The members of the line of a request that ended with ``code``."""
        if attempts is None and self.budget is not None:
            attempts = self.budget.attempts
        return {
            "business_id": None if self.business_id is None else uuid_text(self.business_id),
            "code": code,
            "attempts": attempts,
            "duration_ms": round((self._clock_s() - self._started_s) * 1000, 1),
            "gateway_request_id": self.gateway_request_id,
        }


def each_reported[T](parts: Iterable[tuple[object, T]], member: str, invocation: Invocation) -> Iterator[T]:
    """Go through the parts of an invocation; ``parts`` has what the log lines of each have as ``member``.

    What is counted meanwhile is written in the end, together.
    """
    metrics = invocation.metrics
    invocation.metrics = sums = _MetricSums()
    with invocation.logger.append_context_keys(**{member: None}):
        for value, part in parts:
            invocation.logger.append_keys(**{member: value})
            yield part
    invocation.metrics = metrics
    sums.write(metrics)


def entry_point(logger: Logger, metrics: Metrics) -> Decorator:
    """Make a Lambda handler of a function: it gets an ``Invocation``, and its metrics are written when it returns."""

    def decorate[E, A](handle: Callable[[E, Invocation], A]) -> Callable[[E, LambdaContext], A]:
        # An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
        @logger.inject_lambda_context(clear_state=True, log_event=False)
        @metrics.log_metrics
        @wraps(handle)
        def handler(event: E, context: LambdaContext) -> A:
            return handle(event, Invocation(context, logger, metrics, perf_counter))

        return handler

    return decorate


@contextmanager
def translated_errors(invocation: Invocation) -> Iterator[None]:
    """Report each error, and raise what the invoker may learn of it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        raise raised(report_error(error, invocation)) from None


def report_error(error: Exception, invocation: Invocation) -> ServiceError:
    """Log and count an error; return the error that the caller is answered with."""
    answered, message, write, facts = _described(error, invocation.logger)
    invocation.count(type(answered).__name__)
    # A decision of the service needs no stack trace. The trace of a fault is for us alone.
    decided = isinstance(error, ServiceError | CorruptData) and not _is_fault_of_unknown_outcome(error)
    members = invocation.members(ERROR_ANSWERS[type(answered)].code)
    write(message, exc_info=None if decided else error, extra=members | facts)
    return answered


def _described(error: Exception, logger: Logger) -> tuple[ServiceError, str, Callable[..., None], dict[str, object]]:
    """The answer to an error; and of its log line the message, the method that writes it, and its further members."""
    match error:
        case StoreUnavailable():
            return TryAgain(), "not settled in time", logger.warning, {}
        case TryAgain() if _is_fault_of_unknown_outcome(error):
            return error, "unexpected fault", logger.error, {}
        case ExportStopped():
            return error, "corrupt data", logger.error, dict(error.facts())
        case CorruptData():
            return InternalError(), "corrupt data", logger.error, {"problem": type(error).__name__, **error.where}
        case ServiceError():
            return error, "request refused", logger.info, {}
        case _:
            return InternalError(), "unexpected fault", logger.error, {}


def _is_fault_of_unknown_outcome(error: Exception) -> bool:
    """Whether this is an unexpected fault after which the adjustment may or may not be recorded."""
    return isinstance(error, TryAgain) and error.__cause__ is not None


def report_outcome(outcome: Outcome | GroupOutcome, invocation: Invocation) -> None:
    """Log a request that was applied, in one line, and count its rows by kind; or a replay, which wrote nothing."""
    rows = outcome.adjustments if isinstance(outcome, GroupOutcome) else (outcome.adjustment,)
    if outcome.replayed:
        code, counted = "replayed", [REPLAYED]
    else:
        code = "reversed" if rows[0].kind == "reversal" else "created"
        counted = [metric for row in rows for metric in _BY_KIND[row.kind]]
    counts = Counter(counted) if len(rows) > 1 else dict.fromkeys(counted, 1)
    for metric, count in counts.items():
        invocation.count(metric, count)
    members = invocation.members(code, outcome.attempts)
    if isinstance(outcome, GroupOutcome):
        members |= {"group_id": uuid_text(outcome.group_id), "rows": len(rows)}
        message = f"group {code}"
        invocation.logger.info(message, extra=members)
        return
    members["adjustment_id"] = uuid_text(rows[0].id)
    members["sequence"] = rows[0].sequence
    if rows[0].reverses is not None:
        members["reverses"] = uuid_text(rows[0].reverses)
    # Written out before: a record with arguments takes the formatter's long way.
    message = f"adjustment {code}"
    invocation.logger.info(message, extra=members)


def report_read(resource: str, invocation: Invocation) -> None:
    """Log and count an answered read by its route, without its parameters."""
    invocation.count(READ)
    invocation.logger.info("read answered", extra=invocation.members("read") | {"resource": resource})


def report_export(page: ExportPage, invocation: Invocation) -> None:
    """Log and count a page of an export."""
    invocation.count(EXPORTED)
    facts = {"rows": page.rows, "is_last": page.next_cursor is None}
    invocation.logger.info("export page answered", extra=invocation.members("exported") | facts)


def report_unreadable(problem: str, invocation: Invocation) -> None:
    """Log and count a message that can never be read; ``problem`` holds nothing of its body."""
    invocation.count(UNREADABLE)
    invocation.logger.warning("message unreadable", extra=invocation.members("unreadable") | {"problem": problem})


def report_audit(task: AuditTask, result: AuditResult, invocation: Invocation) -> None:
    """Log each listed difference and the segment, and write the figures as metrics.

    Whether the audit reached the end is a metric of scheduled audits only: the invoker of any other goes on with it. An
    alarm also watches for this metric's absence.
    """
    invocation.count(AUDIT_DIFFERENCES, result.mismatch_count)
    invocation.count(AUDITED_ROWS, result.rows)
    invocation.count(AUDITED_STOCK_ITEMS, result.stock_items)
    if task.scheduled:
        invocation.count(AUDIT_UNFINISHED, int(result.next_position is not None))
    _log_mismatches(result, invocation.logger)
    if result.stopped_by is not None:
        invocation.logger.warning("audit stopped by a fault", exc_info=result.stopped_by)
    invocation.logger.info(
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


def _log_mismatches(result: AuditResult, logger: Logger) -> None:
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


def report_published(result: PublishResult, invocation: Invocation) -> None:
    """Log and count the published events, and each row that could not be published, by its key.

    A row that was altered or removed sets off an alarm: no function of the service can do that.
    """
    logger = invocation.logger
    invocation.count(PUBLISHED, result.events)
    for row in result.dead_lettered:
        invocation.count(ROW_SET_ASIDE)
        logger.error("ledger row set aside", extra={"ledger_key": row.key, "problem": row.problem})
    for change in result.altered:
        invocation.count(ROW_ALTERED)
        logger.warning("ledger row altered", extra={"ledger_key": change.key, "change": change.event_name})
    if result.resume_at is not None:
        logger.warning("not published in time", extra={"sequence_number": result.resume_at})
    logger.info("adjustments published", extra={"events": result.events})
