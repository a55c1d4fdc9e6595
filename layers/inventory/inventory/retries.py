"""Calls to AWS that may simply be made again: reads, and writes of which two leave the same as one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from inventory.errors import StoreUnavailable
from inventory.tries import CALL_BUDGET_S

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS_MAX: Final = 4
_FIRST_PAUSE_MAX_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
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

    def all_but(self, kept_s: float) -> Patience:
        """The same without the last ``kept_s`` seconds, which are for something else."""
        return Patience(lambda: self.remaining_s() - kept_s, self.sleep, self.fraction)

    def settle[T](self, call: Callable[[], T]) -> T:
        """Make ``call`` until it does not raise ``StoreUnavailable``; the last of these is raised.

        The pauses are random up to a limit that doubles. No attempt begins without time for one call: a caller is
        better off with an answer than with a time-out. Where ``call`` makes several, it has to ask before each further
        one, with ``require_time``.
        """
        self.require_time()
        for attempt in range(ATTEMPTS_MAX - 1):
            try:
                return call()
            except StoreUnavailable:
                pause_s = self.fraction() * _FIRST_PAUSE_MAX_S * 2**attempt
                if not self.has_time(after_s=pause_s):
                    raise
                self.sleep(pause_s)
        return call()
