"""Calls to AWS that may simply be made again: reads, and writes of which two leave the same as one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from inventory.client import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from inventory.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS_MAX: Final = 4
_CALL_MAX_S: Final = CONNECT_TIMEOUT_S + READ_TIMEOUT_S
_FIRST_PAUSE_MAX_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one invocation goes on trying. ``remaining_s`` tells the seconds that are left of it."""

    remaining_s: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = SystemRandom().random

    def has_time(self) -> bool:
        """Whether a call may still begin, which could take as long as its time-outs let it."""
        return self.remaining_s() >= _CALL_MAX_S

    def settle[T](self, call: Callable[[], T]) -> T:
        """Make ``call`` until it does not raise ``StoreUnavailable``; the last of these is raised.

        The pauses are random up to a limit that doubles. No attempt begins that the end of the invocation could cut
        off: a caller is better off with an answer than with a time-out.
        """
        if self.remaining_s() < _CALL_MAX_S:
            raise StoreUnavailable
        for attempt in range(ATTEMPTS_MAX - 1):
            try:
                return call()
            except StoreUnavailable:
                pause_s = self.fraction() * _FIRST_PAUSE_MAX_S * 2**attempt
                if self.remaining_s() < pause_s + _CALL_MAX_S:
                    raise
                self.sleep(pause_s)
        return call()
