"""How often a call to AWS is repeated, how long the pauses are, and when it is too late to begin another one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import StoreUnavailable, TryAgain

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

    def retry[T](self, read: Callable[[], T]) -> T:
        """Make a read again until it is answered."""
        while True:
            try:
                return read()
            except StoreUnavailable:
                self.again()


CALL_ATTEMPTS_MAX: Final = 4

_FIRST_PAUSE_MAX_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How long one invocation goes on trying. ``remaining_s`` tells the seconds that are left of it."""

    remaining_s: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = SystemRandom().random

    def has_time(self, *, after_s: float = 0.0) -> bool:
        """Whether one call may still begin, now or after a pause: it is given ``CALL_BUDGET_S``."""
        return self.remaining_s() >= after_s + CALL_BUDGET_S

    def require_time(self, *, after_s: float = 0.0) -> None:
        """Let one call begin, or raise ``StoreUnavailable`` where the end of the invocation could cut it off."""
        if not self.has_time(after_s=after_s):
            raise StoreUnavailable

    def reserve(self, kept_s: float) -> RetryBudget:
        """The same without the last ``kept_s`` seconds, which are for something else."""
        return RetryBudget(lambda: self.remaining_s() - kept_s, self.sleep, self.fraction)

    def retry[T](self, call: Callable[[], T]) -> T:
        """Make ``call`` until it does not raise ``StoreUnavailable``; the last of these is raised.

        The pauses are random up to a limit that doubles. No attempt begins without time for one call: a caller is
        better off with an answer than with a time-out. Where ``call`` makes several, it has to ask before each further
        one, with ``require_time``.
        """
        self.require_time()
        for attempt in range(CALL_ATTEMPTS_MAX - 1):
            try:
                return call()
            except StoreUnavailable:
                pause_s = self.fraction() * _FIRST_PAUSE_MAX_S * 2**attempt
                if not self.has_time(after_s=pause_s):
                    raise
                self.sleep(pause_s)
        return call()
