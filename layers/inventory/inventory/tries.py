"""The tries of one request: how many there may be, how long it waits between two, and when it is too late for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.errors import StoreUnavailable, TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS_MAX: Final = 32
"""Tries of one request: each costs write units, so a request may not go on for as long as its caller waits."""

CONNECT_TIMEOUT_S: Final = 1
READ_TIMEOUT_S: Final = 2
"""Of every call to AWS: how long it waits for the connection, and for each piece of the reply."""

CALL_BUDGET_S: Final = CONNECT_TIMEOUT_S + READ_TIMEOUT_S + 0.5
"""Seconds that one call to AWS is given, its time-outs and some work: with less left of an invocation, none is begun.

It is no bound. The time-outs hold for each wait on the socket, not for the call: a name that takes long to resolve, or
has several addresses that don't answer, a TLS handshake and a reply that drips can each take longer. Then the
invocation is cut off, and what it has written is found like all whose outcome is unknown.
"""

BACKOFF_BASE_S: Final = 0.02
BACKOFF_CAP_S: Final = 0.5


@dataclass(slots=True)
class Tries:
    """What one request may still do. ``number`` counts its tries, the present one included.

    ``remaining_s`` tells the seconds that are left of the invocation, ``sleep`` waits for seconds, ``fraction`` gives a
    random number in [0, 1).
    """

    remaining_s: Callable[[], float]
    sleep: Callable[[float], None]
    fraction: Callable[[], float]
    number: int = 1

    def require_time(self) -> None:
        """Let one call to the store begin, or raise ``TryAgain`` where the end of the invocation could cut it off."""
        if self.remaining_s() < CALL_BUDGET_S:
            raise TryAgain

    def again(self) -> None:
        """Wait and begin the next try, with full jitter: writers that met once would otherwise meet again.

        Raises:
            TryAgain: there were enough.
        """
        if self.number >= ATTEMPTS_MAX:
            raise TryAgain
        longest_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (self.number - 1))
        self.sleep(self.fraction() * longest_s)
        self.number += 1

    def settle[T](self, read: Callable[[], T]) -> T:
        """Make a read again until it is answered."""
        while True:
            try:
                return read()
            except StoreUnavailable:
                self.again()
