"""What must not live on when Lambda restores an environment from a snapshot (SnapStart).

Connections: the snapshot may be days old, and whom they led to has forgotten them. A socket does not know that, and the
client tries once a call, so the first call after a restore would fail.

Nothing else needs a hook. Ids, tokens of transactions and jitter are drawn from the operating system, whose randomness
Lambda renews. What is remembered is trusted by the wall clock, and so are credentials: the SDK gets new ones when they
have expired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    type Register = Callable[[Callable[[], None]], object]

try:
    from snapshot_restore_py import register_after_restore  # type: ignore[import-not-found]
except ImportError:  # Lambda's runtime brings it; elsewhere nothing is ever restored
    register_after_restore = None


class Closable(Protocol):
    """Holds connections, and opens new ones when it is used after it was closed: any client of the SDK."""

    def close(self) -> None:
        """Close all connections."""


def close_after_restore(client: Closable) -> None:
    """Let a client's connections be closed each time that this environment is restored, before the first invocation."""
    register: Register | None = register_after_restore
    if register is not None:
        register(client.close)
