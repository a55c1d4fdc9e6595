"""What must end when Lambda restores an execution environment from a snapshot (SnapStart): open connections.

A snapshot can be days old, and the other side has closed its connections. The socket does not notice, and the client
makes one attempt for each call, so the first call after a restore would fail.

Nothing else needs a hook. Ids, transaction tokens and jitter come from the operating system's randomness, which Lambda
renews. Cached items and credentials expire by the wall clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    type Register = Callable[[Callable[[], None]], object]

    class Closable(Protocol):
        """Holds connections, and opens new ones if it is used after it was closed. Every client of the SDK does."""

        def close(self) -> None:
            """Close all connections."""


try:
    from snapshot_restore_py import register_after_restore  # type: ignore[import-not-found]
except ImportError:  # only Lambda's runtime has it, and only Lambda restores environments
    register_after_restore = None


def close_after_restore(client: Closable) -> None:
    """Close a client's connections whenever this environment is restored, before the next invocation."""
    register: Register | None = register_after_restore
    if register is not None:
        register(client.close)
