"""Many requests at once: those that share stock items are merged into few transactions, the others run in parallel."""

from __future__ import annotations

from collections import deque
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.model import Command
from inventory.domain.rules import variant_name
from inventory.domain.store import OPERATIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from uuid import UUID

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Group, StockItemId
    from inventory.domain.retry_budget import RetryBudget

RUN_TIME_MAX_S: Final = 10.0
"""Seconds that the requests of one run may take while others wait. So a contended run leaves time for them."""


class Fault(NamedTuple):
    """A request failed because of a bug or a missing permission."""

    error: Exception


class _Placed(NamedTuple):
    """A request, its place among all, and the stock items that it is for."""

    place: int
    request: Command | Group
    stock_items: frozenset[Hashable]


def adjust_many(
    adjuster: Adjuster, requests: Sequence[Command | Group], *, budget: RetryBudget, at_once: AtOnce
) -> list[Result | Fault]:
    """Apply requests for any stock items. Those that share a stock item are applied in their order.

    Args:
        adjuster: applies those that share stock items.
        requests: none is a reversal.
        budget: of all together; no run begins after its time.
        at_once: carries out runs in parallel.

    Returns:
        The result of each, in the requests' order. A fault of one does not affect the others.
    """
    results: list[Result | Fault] = [TryAgain()] * len(requests)
    placed: list[_Placed] = []
    lines = [line for request in requests for line in _lines(request)]
    resolved = iter(_resolved(adjuster, lines, budget, at_once))
    for place, request in enumerate(requests):
        stock_items = [*islice(resolved, len(_lines(request)))]
        unknown = next((each for each in stock_items if isinstance(each, TryAgain | Fault)), None)
        if unknown is None:
            placed.append(_Placed(place, request, frozenset(stock_items)))
        else:
            results[place] = unknown
    runs = _runs(placed)
    waiting = deque(runs)

    def results_of(run: list[_Placed]) -> list[Result | Fault]:
        waiting.pop()
        reserved_s = max(budget.remaining_s() - RUN_TIME_MAX_S, 0.0)
        return _adjust_run(adjuster, run, lambda: budget.remaining_s() - (reserved_s if waiting else 0.0))

    for run, run_results in zip(runs, at_once(results_of, runs), strict=True):
        for each, result in zip(run, run_results, strict=True):
            results[each.place] = result
    return results


def _lines(request: Command | Group) -> Sequence[Command]:
    return (request,) if isinstance(request, Command) else request.lines


def _runs(requests: Sequence[_Placed]) -> list[list[_Placed]]:
    """Put requests that share a stock item into one run, also those that do so by way of others."""
    run_of: dict[Hashable, list[_Placed]] = {}
    for each in requests:
        merged = {id(run): run for stock_item in each.stock_items if (run := run_of.get(stock_item))}
        if len(merged) == 1:
            (run,) = merged.values()
        else:
            run = sorted((earlier for runs in merged.values() for earlier in runs), key=attrgetter("place"))
        run.append(each)
        stock_items = each.stock_items if len(merged) <= 1 else frozenset().union(*(one.stock_items for one in run))
        run_of |= dict.fromkeys(stock_items, run)
    return list({id(run): run for run in run_of.values()}.values())


def _adjust_run(adjuster: Adjuster, run: Sequence[_Placed], remaining_s: Callable[[], float]) -> list[Result | Fault]:
    """Apply requests in their order, in as few transactions as the limits allow."""
    return [each for part in _transactions(run) for each in _adjust_in_one_transaction(adjuster, part, remaining_s)]


def _transactions(run: Sequence[_Placed]) -> list[list[Command | Group]]:
    """Cut a run into parts of which each fits into one transaction."""
    parts: list[list[Command | Group]] = [[]]
    operations = 0
    stock_items: frozenset[Hashable] = frozenset()
    for each in run:
        lines = _lines(each.request)
        # A row for each line. A message that was delivered before is also checked not to be rejected.
        of_request = len(lines) + (lines[0].message_digest is not None)
        operations, stock_items = operations + of_request, stock_items | each.stock_items
        if parts[-1] and operations + len(stock_items) > OPERATIONS_MAX:
            parts.append([])
            operations, stock_items = of_request, each.stock_items
        parts[-1].append(each.request)
    return parts


def _adjust_in_one_transaction(
    adjuster: Adjuster, requests: Sequence[Command | Group], remaining_s: Callable[[], float]
) -> list[Result | Fault]:
    """Apply requests in one transaction.

    If that fails with a fault, each half is tried separately, and so on. One request can cause a fault, for example if
    the row under its key is unreadable; it must not take the others of its stock item to the dead-letter queue.
    ``adjust_all`` raises a fault only if no transaction is in progress, so none can contradict the result of a half.
    """
    try:
        return [*adjuster.adjust_all(requests, remaining_s=remaining_s)]
    except Exception as error:  # noqa: BLE001  the edge of a run
        if len(requests) == 1:
            return [Fault(error)]
    half = len(requests) // 2
    halves = (requests[:half], requests[half:])
    return [each for part in halves for each in _adjust_in_one_transaction(adjuster, part, remaining_s)]


type _Resolved = StockItemId | tuple[UUID, UUID | str, UUID | None] | TryAgain | Fault
"""The stock item of a line; as the line names it, if the catalog does not know it; or why that can't be told."""


def _resolved(adjuster: Adjuster, lines: Sequence[Command], budget: RetryBudget, at_once: AtOnce) -> list[_Resolved]:
    """Look up default locations and SKUs, of each business once, for the lines that need them."""
    resolved: list[_Resolved] = [_as_named(each) for each in lines]
    of_business: dict[UUID, list[int]] = {}
    for place, each in enumerate(lines):
        if each.sku is not None or each.location_id is None:
            of_business.setdefault(each.business_id, []).append(place)

    def look_up(places: list[int]) -> list[_Resolved]:
        commands = [lines[place] for place in places]
        try:
            found = budget.retry(lambda: adjuster.store.stock_item_ids(commands, require_time=budget.require_time))
        except StoreUnavailable:
            return [TryAgain()] * len(commands)
        except Exception as error:  # noqa: BLE001  the edge of a business
            return [Fault(error)] * len(commands)
        return [_as_named(command) if each is None else each for command, each in zip(commands, found, strict=True)]

    parts = list(of_business.values())
    for places, found in zip(parts, at_once(look_up, parts), strict=True):
        for place, stock_item in zip(places, found, strict=True):
            resolved[place] = stock_item
    return resolved


def _as_named(command: Command) -> tuple[UUID, UUID | str, UUID | None]:
    return command.business_id, variant_name(command), command.location_id
