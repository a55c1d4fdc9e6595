"""The rejections of messages in memory, beside the ledger of a store in memory; their calls can meet faults."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.domain.model import Rejection
    from inventory.domain.store import Applied
    from tests.support.fakes.store import FakeStore


@dataclass
class FakeRejections:
    """``on_find`` and ``on_put`` are what happens right before the next calls; they may raise."""

    store: FakeStore
    on_find: deque[Callable[[], object]] = field(default_factory=deque)
    on_put: deque[Callable[[], object]] = field(default_factory=deque)

    def find(self, message_digests: Sequence[str]) -> dict[str, Rejection]:
        if self.on_find:
            self.on_find.popleft()()
        return self.store.rejections_of(message_digests)

    def put(
        self, message_digest: str, rejection: Rejection, row_id: tuple[UUID, UUID] | None
    ) -> Rejection | Applied | None:
        if self.on_put:
            self.on_put.popleft()()
        return self.store.reject(message_digest, rejection, row_id)
