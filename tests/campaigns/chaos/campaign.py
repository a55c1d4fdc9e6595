"""One campaign: callers at work, trouble while they are, calm at the end, and then the ledger against the answers."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import replace
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ops.redrive import DEAD_LETTER_QUEUES, Redrive
from tests.campaigns.chaos.callers import FeedReader, Gate, HttpCaller, QueueSender
from tests.campaigns.chaos.proxy import BreakingProxy
from tests.campaigns.chaos.record import Way, changing
from tests.campaigns.chaos.shop import Shop
from tests.campaigns.chaos.stack import (
    BESIDE_IT,
    IN_A_REQUESTS_PATH,
    WRITERS,
    function_processes,
    kill,
    remove_what_restarts_left,
    restart,
    soon_again,
    tables_behind,
)
from tests.campaigns.chaos.verdict import Ledger, differences
from tests.e2e.inbox import dead_letter_queue, subscribed, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.campaigns.chaos.record import Request
    from tests.e2e.conftest import LocalStack
    from tests.e2e.inbox import Inbox
    from tests.e2e.service import Service
    from tests.support.harness.dynoxide import Dynoxide

UNDER_WAY_AT_RESTART: Final = 4
"""As many as the emulator serves at a time on two processors."""

_SHORT: Final = {
    Way.REVERSAL: "reversals",
    Way.COUNT: "counts",
    Way.BATCH: "batches",
    Way.EACH: "batches of mode each",
    Way.TRANSFER: "transfers",
    Way.GROUP_REVERSAL: "reversals of groups",
}

_TICK_S: Final = 0.05
_DRAIN_TIMEOUT_S: Final = 600
_SETTLED_AFTER_S: Final = 61
"""The feed and the export end 60 seconds before now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what. Either each caller sends ``each`` requests, or all send for ``minutes``.

    ``one_in``: so many writes for one that is broken. ``kills`` of one function's process, ``restarts`` of the emulator
    and ``crashes`` of a database that is not the emulator's are spread over the whole of it. ``repeats``: answered keys
    that are asked for once more in the end. ``waits_for_feed``: the end is compared when feed and export are settled
    to it, a minute later; if not, as far as they are.
    """

    seed: int
    clients: int
    senders: int
    one_in: int
    kills: int
    restarts: int
    repeats: int
    crashes: int = 0
    each: int | None = None
    minutes: float | None = None
    waits_for_feed: bool = True


class Outcome(NamedTuple):
    """What was counted, by name, each thing that differs, and the output of ``make audit`` for all businesses."""

    business_ids: Sequence[str]
    counts: Mapping[str, int]
    injected: Mapping[str, int]
    differences: Sequence[str]
    audit: str
    adds_up: bool


class Campaign:
    """A plan, carried out on a local stack; its tables are the emulator's, or those of a ``database`` of its own."""

    def __init__(
        self,
        plan: Plan,
        stack: LocalStack,
        service: Service,
        say: Callable[[str], object] = len,
        *,
        database: Dynoxide | None = None,
    ) -> None:
        assert database is not None or not plan.crashes, "the emulator keeps its tables in memory"
        self._plan = plan
        self._database = database
        self._stack = stack
        self._service = service
        self._say = say
        self._chance = random.Random(f"trouble {plan.seed}")
        self._over = False
        self._kills = self._restarts = self._crashes = self._redriven = 0
        self._shops = shops = [Shop.opened(service, is_overdrawable=each) for each in (False, True)]
        self._gate = Gate()
        self._callers = [HttpCaller(f"Client {n}", shops, plan.seed, self._gate) for n in range(1, plan.clients + 1)]
        self._senders = [QueueSender(f"Sender {n}", shops, plan.seed) for n in range(1, plan.senders + 1)]
        self._readers = [FeedReader(shop, self._gate) for shop in shops]

    def run(self) -> Outcome:
        """Carry it out and compare."""
        kept = self._hidden()
        with ExitStack() as all_of_it:
            enter = all_of_it.enter_context
            all_of_it.callback(remove_what_restarts_left, self._stack.places)
            if self._database is not None:
                self._move_to(self._database)
            proxy = enter(
                BreakingProxy(
                    self._database.endpoint_url if self._database else f"http://127.0.0.1:{self._stack.port}",
                    seed=self._plan.seed,
                    one_in=self._plan.one_in,
                    kill=self._kill_writers,
                )
            )
            enter(soon_again(self._service))
            mine = {"request": {"business_id": [shop.business.id for shop in self._shops]}}
            rejections = enter(subscribed(self._service, ["InventoryAdjustmentRejected"], mine))
            functions = [*IN_A_REQUESTS_PATH, *(BESIDE_IT if self._database else ())]
            enter(tables_behind(proxy.endpoint_url, self._stack, self._service, functions))
            self._work(proxy)
            rejected = self._settle(rejections, kept=kept)
            self._repeat()
            ledger = self._ledger(rejected)
            audit = self._stack.make("audit")
        return Outcome(
            business_ids=[shop.business.id for shop in self._shops],
            counts=self._counts(ledger, proxy),
            injected=self._injected(proxy),
            differences=differences(self._requests(), ledger),
            audit=(audit.stdout + audit.stderr).strip(),
            adds_up=audit.returncode == 0,
        )

    def _move_to(self, database: Dynoxide) -> None:
        """Let the tables be there, and look at them there."""
        names = [self._service.outputs[f"{each}TableName"] for each in ("Inventory", "Ledger", "Access")]
        database.take_over(self._service.dynamodb, names)
        self._service = replace(self._service, dynamodb=database.client)
        self._shops = [replace(each, business=replace(each.business, service=self._service)) for each in self._shops]

    # ----------------------------------------------------------------------------------------------------- trouble

    def _work(self, proxy: BreakingProxy) -> None:
        callers: list[HttpCaller | QueueSender] = [*self._callers, *self._senders]
        begun = time.monotonic()

        def goes_on(sent: Iterator[int]) -> Callable[[], bool]:
            if self._plan.each is not None:
                each = self._plan.each
                return lambda: not self._over and next(sent) < each
            return lambda: not self._over and time.monotonic() - begun < (self._plan.minutes or 0) * 60

        def done() -> float:
            if self._plan.each is not None:
                return len(self._requests()) / (len(callers) * self._plan.each)
            return (time.monotonic() - begun) / ((self._plan.minutes or 0) * 60)

        with ThreadPoolExecutor(len(callers) + len(self._readers)) as pool:
            working = [pool.submit(caller.run, goes_on=goes_on(count())) for caller in callers]
            reading = [
                pool.submit(reader.run, goes_on=lambda: not all(each.done() for each in working))
                for reader in self._readers
            ]

            def wait_for(part: float) -> None:
                while done() < part and not all(each.done() for each in working):
                    time.sleep(_TICK_S)

            try:
                for part, trouble in self._troubles():
                    wait_for(part)
                    trouble()
                    self._say(
                        f"{len(self._requests()):,} requests, {proxy.broken():,} faults in the wire, "
                        f"{self._kills:,} processes killed, {self._crashes:,} databases, {self._restarts:,} restarts"
                    )
                wait_for(1)
            finally:
                self._over = True
                proxy.calm()
            for each in [*working, *reading]:
                each.result()

    def _troubles(self) -> list[tuple[float, Callable[[], None]]]:
        """What is done when, in parts of the whole; the last ones early enough to meet callers at work."""
        plan = self._plan
        kills = [(self._chance.uniform(0.05, 0.95), self._kill_one) for _ in range(plan.kills)]
        crashes = [(self._chance.uniform(0.02, 0.98), self._crash) for _ in range(plan.crashes)]
        restarts = [((n + 0.5) / plan.restarts, self._restart) for n in range(plan.restarts)]
        return sorted([*kills, *crashes, *restarts], key=lambda each: each[0])

    def _kill_one(self) -> None:
        pids = function_processes(self._stack.places)
        self._kills += kill([self._chance.choice(pids)] if pids else [])

    def _kill_writers(self) -> int:
        killed = kill(function_processes(self._stack.places, "|".join(WRITERS)))
        self._kills += killed
        return killed

    def _crash(self) -> None:
        assert self._database is not None
        self._database.kill()
        self._crashes += 1

    def _restart(self) -> None:
        # It finishes what it has taken before it stops, while its tables are gone already: of a full house that takes
        # minutes. So it is stopped when only a few are left, and all others find it gone.
        self._gate.close(until=UNDER_WAY_AT_RESTART)
        restart(self._stack, stopping=self._gate.open)
        self._restarts += 1

    # --------------------------------------------------------------------------------------------------------- end

    def _settle(self, rejections: Inbox, *, kept: int) -> frozenset[str]:
        """Wait until every message was handled, with redrives; the marks of published rejections."""
        letters = dead_letter_queue(self._stack, self._service, "AdjustmentRequestsDeadLetterQueue")
        redrive = Redrive(
            self._service.queues,
            letters,
            self._service.outputs["AdjustmentRequestsQueueUrl"],
            DEAD_LETTER_QUEUES["requests"][1],
        )

        def drained() -> bool:
            if self._lying(letters):
                self._redriven += self._lying(letters)
                redrive.run(dry=False)
            return self._visible() == 0 and self._hidden() <= kept

        wait_until(drained, timeout_s=_DRAIN_TIMEOUT_S)
        expected = {r.mark for sender in self._senders for r in sender.requests if r.must_be_refused and r.accepted}

        def rejected() -> frozenset[str]:
            return frozenset(_mark_of(event["detail"]["request"]) for event in rejections.collect())

        deadline = time.monotonic() + 60
        while not expected <= rejected() and time.monotonic() < deadline:
            time.sleep(_TICK_S)
        return rejected()

    def _repeat(self) -> None:
        """Ask for keys once more: first for those that were sent more than once before they were answered."""
        asked = [
            (caller, request)
            for caller in self._callers
            for request in caller.requests
            if request.key is not None and request.answers
        ]
        asked.sort(key=lambda each: (-each[1].sent, each[1].mark))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: each[0].repeat(each[1]), asked[: self._plan.repeats]))

    def _ledger(self, rejected: frozenset[str]) -> Ledger:
        if self._plan.waits_for_feed:
            time.sleep(_SETTLED_AFTER_S)
        for reader in self._readers:
            reader.finish()
        shops, by_id = self._shops, {shop.business.id: shop for shop in self._shops}
        rows = [row for shop in shops for row in shop.business.listed()]
        groups = {row["group_id"]: row["business_id"] for row in rows if row["group_id"] is not None}
        return Ledger(
            rows=rows,
            ids=[each for shop in shops for each in shop.business.ledger_ids()],
            stock={place: stock for shop in shops for place, stock in shop.stock().items()},
            rejected=rejected,
            levels={place: level for shop in shops for place, level in shop.levels().items()},
            reports={shop.business.id: shop.report() for shop in shops},
            feeds={reader.shop.business.id: reader.feed for reader in self._readers},
            exports={shop.business.id: shop.export() for shop in shops},
            groups={group_id: by_id[business_id].group(group_id) for group_id, business_id in groups.items()},
        )

    def _requests(self) -> list[Request]:
        callers: list[HttpCaller | QueueSender] = [*self._callers, *self._senders]
        return [request for each in callers for request in each.requests.copy()]

    def _counts(self, ledger: Ledger, proxy: BreakingProxy) -> dict[str, int]:
        requests = self._requests()
        by_http = [request for request in requests if request.way is not Way.MESSAGE]
        messages = [request for request in requests if request.way is Way.MESSAGE]
        ways = Counter(request.way for request in by_http)
        in_ledger = {row["correction_reason"] for row in ledger.rows}
        return {
            "requests over HTTP": len(by_http),
            **{f"of these {_SHORT[way]}": ways[way] for way in _SHORT},
            "acknowledged (200, 201)": sum(bool(request.answers) for request in by_http),
            "refused (409)": sum(bool(request.refusals) for request in by_http),
            "never answered": sum(not request.final for request in by_http),
            "of these with a key": sum(not request.final and request.key is not None for request in by_http),
            "never answered, in the ledger": len(
                in_ledger & {each.mark for each in changing(by_http) if not each.final}
            ),
            "sent again for want of an answer": sum(
                request.sent - max(1, len(request.answers)) for request in by_http if request.key is not None
            ),
            "answered keys asked again": sum(max(0, len(request.answers) - 1) for request in by_http),
            "messages taken by the queue": sum(request.accepted for request in messages),
            "of these batches and transfers": sum(request.accepted and request.is_group for request in messages),
            "published as rejected": len(ledger.rejected),
            "redriven from the dead-letter queue": self._redriven,
            "groups in the ledger": len(ledger.groups),
            "counts in the ledger": sum(row["kind"] == "count" for row in ledger.rows),
            "rows in the feed": sum(len(feed.rows) for feed in ledger.feeds.values()),
            "ledger rows": len(ledger.rows),
            "writes applied, answer not seen": proxy.applied_unseen,
            "late writes that were applied": proxy.applied_late,
        }

    def _injected(self, proxy: BreakingProxy) -> dict[str, int]:
        return {
            **{kind.value: number for kind, number in sorted(proxy.injected.items())},
            "function processes killed": self._kills,
            **({"database killed": self._crashes} if self._database else {}),
            "restarts of the emulator": self._restarts,
        }

    # ------------------------------------------------------------------------------------------------------ queues

    def _lying(self, queue_url: str) -> int:
        return self._number("ApproximateNumberOfMessages", queue_url)

    def _visible(self) -> int:
        return self._number("ApproximateNumberOfMessages", self._service.outputs["AdjustmentRequestsQueueUrl"])

    def _hidden(self) -> int:
        return self._number(
            "ApproximateNumberOfMessagesNotVisible", self._service.outputs["AdjustmentRequestsQueueUrl"]
        )

    def _number(
        self,
        attribute: Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        queue_url: str,
    ) -> int:
        reply = self._service.queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[attribute])
        return int(reply["Attributes"][attribute])


def _mark_of(payload: Mapping[str, Any]) -> str:
    """The reason of a message that was rejected: a batch has it in each of its lines."""
    mark: str = (payload.get("lines", [{}])[0] | payload)["reason"]
    return mark
