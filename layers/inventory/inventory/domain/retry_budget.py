"""How often a call to AWS is repeated, how long the pauses are, and when it is too late to begin another one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import RetryBudgetSpent, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS_MAX: Final = 32
"""Attempts of one write request. Each costs write units, so a request may end before its caller stops waiting."""

BACKOFF_BASE_S: Final = 0.02

BACKOFF_CAP_S: Final = 0.5
"""The pauses between the attempts of a write request are random up to a limit, which doubles from base to cap."""

CALL_ATTEMPTS_MAX: Final = 4
"""Attempts of one call that may be repeated by itself."""

CALL_PAUSE_MAX_S: Final = 0.1
"""The first pause between the attempts of a call is random up to this; the limit doubles."""

CONNECT_TIMEOUT_S: Final = 1

READ_TIMEOUT_S: Final = 2
"""Of every call to AWS: how long it waits for the connection, and for each piece of the reply."""

CALL_BUDGET_S: Final = CONNECT_TIMEOUT_S + READ_TIMEOUT_S + 0.5
"""Seconds that a call to AWS needs: its time-outs and some work. With less time left, no call begins.

It is no upper bound. The time-outs hold for each wait on the socket, not for the call: a slow name resolution, several
addresses that do not answer, a TLS handshake or a reply that arrives in small pieces can take longer. Then Lambda cuts
the invocation off, and the outcome of its last write is unknown.
"""


@dataclass(slots=True)
class RetryBudget:
    """The time and the attempts that one invocation, or one request of it, may still use.

    ``remaining_s`` gives the seconds that are left of the invocation, ``sleep`` waits for seconds, ``fraction`` gives a
    random number in [0, 1). ``attempts`` counts the attempts of a write request, the present one included.
    """

    remaining_s: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = SystemRandom().random
    attempts: int = 1

    def has_time(self, *, after_s: float = 0.0) -> bool:
        """Whether a call may begin, now or after a pause."""
        return self.remaining_s() >= after_s + CALL_BUDGET_S

    def require_time(self, *, after_s: float = 0.0) -> None:
        """Raise ``RetryBudgetSpent`` where the end of the invocation could cut a call off."""
        if self.remaining_s() < after_s + CALL_BUDGET_S:
            raise RetryBudgetSpent

    def reserve(self, kept_s: float) -> RetryBudget:
        """Make a budget that leaves the last ``kept_s`` seconds of this one for something else."""
        return RetryBudget(lambda: self.remaining_s() - kept_s, self.sleep, self.fraction)

    def next_attempt(self) -> None:
        """Wait, then count one more attempt. The wait has full jitter, so that writers who collided do not again.

        Raises:
            RetryBudgetSpent: this was the last attempt.
        """
        if self.attempts >= ATTEMPTS_MAX:
            raise RetryBudgetSpent
        longest_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (self.attempts - 1))
        self.sleep(self.fraction() * longest_s)
        self.attempts += 1

    def retry[T](self, call: Callable[[], T]) -> T:
        """Repeat ``call`` while it raises ``StoreUnavailable``, up to ``CALL_ATTEMPTS_MAX`` attempts.

        No attempt begins without the time for one call: an answer is better than a time-out. A ``call`` that makes
        several calls to AWS must use ``require_time`` before each further one. ``attempts`` does not change.

        Raises:
            StoreUnavailable: the last one of ``call``, or ``RetryBudgetSpent`` where there was no time to begin.
        """
        self.require_time()
        for attempt in range(CALL_ATTEMPTS_MAX - 1):
            try:
                return call()
            except StoreUnavailable:
                pause_s = self.fraction() * CALL_PAUSE_MAX_S * 2**attempt
                if not self.has_time(after_s=pause_s):
                    raise
                self.sleep(pause_s)
        return call()
