"""A shop whose service reaches the tables through a proxy that breaks what passes, and the faults to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support.faults.proxy import Ending, Fault
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment
    from tests.support.faults.proxy import FaultsProxy
    from tests.support.harness.emulator import Clients
    from tests.support.harness.shop import Environment, Shop

READ: Final = "BatchGetItem"
LOOK: Final = "TransactGetItems"
WRITE: Final = "TransactWriteItems"

UNDELIVERED: Final = {
    "closed before delivery": Fault(Ending.CLOSED, delivered=False),
    "reset before delivery": Fault(Ending.RESET, delivered=False),
    "stalled before delivery": Fault(Ending.STALLED, delivered=False),
    "throttled": Fault(Ending.THROTTLED, delivered=False),
    "500 before delivery": Fault(Ending.INTERNAL_ERROR, delivered=False),
    "503 before delivery": Fault(Ending.UNAVAILABLE, delivered=False),
}
DELIVERED: Final = {
    "acknowledgement lost": Fault(Ending.CLOSED, delivered=True),
    "reset instead of a reply": Fault(Ending.RESET, delivered=True),
    "reply stalled": Fault(Ending.STALLED, delivered=True),
    "reply cut off": Fault(Ending.TRUNCATED, delivered=True),
    "reply corrupted": Fault(Ending.CORRUPTED, delivered=True),
    "reply is an empty object": Fault(Ending.EMPTY_OBJECT, delivered=True),
    "reply has no body": Fault(Ending.EMPTY_BODY, delivered=True),
    "500 instead of a reply": Fault(Ending.INTERNAL_ERROR, delivered=True),
    "503 instead of a reply": Fault(Ending.UNAVAILABLE, delivered=True),
}
FAULTS: Final = UNDELIVERED | DELIVERED


@dataclass(frozen=True)
class Scene:
    """A shop, the proxy in front of its tables, and a rival: another environment, on a good connection."""

    shop: Shop
    proxy: FaultsProxy
    clients: Clients
    rival: Environment
    read_timeout_s: float | None = None
    """The time-out of a service behind the proxy; None is the service's own."""
    stalled_read_timeout_s: float = 0.25
    """The same where the fault is a reply that never comes."""

    def service(self, fault: Fault | None = None, **members: Any) -> Environment:
        """An environment behind the proxy. ``members`` are those of ``environment``: its sleep, its clock."""
        stalls = fault is not None and fault.ending is Ending.STALLED
        timeout_s = self.stalled_read_timeout_s if stalls else self.read_timeout_s
        client = self.clients.make(self.proxy.endpoint_url, read_timeout_s=timeout_s)
        return environment(client, self.shop.tables, **members)

    def before_each_write(self, service: Environment, action: Callable[[], object]) -> None:
        """Do something right before each transaction of a service is sent."""
        service.client.meta.events.register(f"before-call.dynamodb.{WRITE}", lambda **_: void(action()))

    def chain(self) -> list[Adjustment]:
        """The ledger rows of the variant at the default location, after a proof that they add up."""
        return assert_adds_up(self.shop.rows(), self.shop.stock())

    def deltas(self) -> list[int]:
        """The changes of those rows."""
        return [row.delta for row in self.chain()]

    def late_statuses(self) -> list[int]:
        """Deliver the requests that were held back; the status of each reply."""
        return [reply.status for reply in self.proxy.deliver_late()]


def void(_result: object) -> None:
    """No result: the SDK takes what a listener returns for a reply."""
