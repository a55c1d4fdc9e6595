"""What an execution environment keeps of the items that it read or wrote: bounded, and each for a limited time."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

CONTENDED_LIFETIME_S: Final = 60
"""Seconds for which nothing cached under a contended key is trusted."""


class Cache[Key: Hashable, Value]:
    """Values by key, each trusted for ``lifetime_s`` seconds. Beyond ``entries_max`` the oldest entry is dropped.

    A key is contended while other environments write its item too. What is cached of it would be out of date nearly
    every time, so for ``CONTENDED_LIFETIME_S`` nothing is trusted.

    ``time_s`` gives the wall clock in seconds. A monotonic clock would not do: it stands still while an environment is
    frozen, and in a snapshot of it. If a look-up finds that the clock was set back, it drops everything, as no age is
    known any more. If the clock has caught up before the next look-up, values are trusted for longer by as much as it
    was set back.
    """

    def __init__(self, *, lifetime_s: float, entries_max: int, time_s: Callable[[], float]) -> None:
        self._lifetime_s = lifetime_s
        self._entries_max = entries_max
        self._time_s = time_s
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._contended_since_s: dict[Key, float] = {}
        self._latest_s = -math.inf
        # The groups of a batch use the cache in parallel, and a dictionary must not change while it is iterated.
        self._lock = threading.Lock()

    def trusted(self, key: Key) -> Value | None:
        """Return the value, unless it is unknown, too old or contended."""
        with self._lock:
            now_s = self._time_s()
            if now_s < self._latest_s:
                self._entries.clear()
                self._contended_since_s.clear()
            self._latest_s = now_s
            entry = self._entries.get(key)
            if entry is None or now_s - entry[0] >= self._lifetime_s:
                return None
            contended_since_s = self._contended_since_s.get(key)
        is_contended = contended_since_s is not None and now_s - contended_since_s < CONTENDED_LIFETIME_S
        return None if is_contended else entry[1]

    def last_known(self, key: Key) -> Value | None:
        """Return the value however old it is, for a guess that is checked later."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def put(self, key: Key, value: Value, *, read_at_s: float) -> None:
        """Keep a value. ``read_at_s`` is a time before the read of it began."""
        with self._lock:
            self._keep(self._entries, key, (read_at_s, value), at_s=read_at_s)

    def forget(self, key: Key) -> None:
        """Drop a value that is gone, or unknown since a write of unknown outcome."""
        with self._lock:
            self._entries.pop(key, None)

    def mark_contended(self, key: Key) -> None:
        """Drop the value, and trust none for ``CONTENDED_LIFETIME_S``: another environment writes the item too."""
        with self._lock:
            self._entries.pop(key, None)
            now_s = self._time_s()
            self._keep(self._contended_since_s, key, now_s, at_s=now_s)

    def _keep[Entry](self, entries: dict[Key, Entry], key: Key, entry: Entry, *, at_s: float) -> None:
        """Add an entry as the youngest one, and drop the oldest where there are too many."""
        # The clock may have been set back since ``at_s``: then the next look-up must notice.
        self._latest_s = max(self._latest_s, at_s)
        entries.pop(key, None)
        entries[key] = entry
        if len(entries) > self._entries_max:
            del entries[next(iter(entries))]
