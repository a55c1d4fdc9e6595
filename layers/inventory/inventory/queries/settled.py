"""Up to which instant the ledger is settled: no row will still appear before it. The feed and exports end there.

A row gets its ``created_at`` before it is committed, and the index has it a little later. ``docs/decisions.md`` adds
up how late that can be.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

SETTLED_AFTER: Final = timedelta(seconds=60)
"""Longer than the longest invocation that commits, the difference of two clocks and the delay of an index together."""


def settled_to(now: datetime) -> datetime:
    """Give the instant before which all rows of the ledger can be read from its indexes; exclusive."""
    return now - SETTLED_AFTER
