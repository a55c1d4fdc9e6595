"""The event bus behind a real client's wire: what was put on it, and faults laid over it."""

from __future__ import annotations

import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from tests.support.wire import reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.wire import Reply


class MemoryBus:
    """``entries`` are those that the bus took, in order; ``calls`` counts the tries."""

    def __init__(self, client: Any) -> None:
        self.entries: list[dict[str, str]] = []
        self.calls = 0
        self.answers_are_lost = False
        """Whether events are taken, but what is told of it is what ``meets`` says."""
        self._met: Iterator[Reply] = repeat(None)
        client.meta.events.register("before-send.events.PutEvents", self._answer)

    def meets(self, *replies: Reply) -> None:
        """Let the calls meet these replies instead, the last one for ever; None: what the bus says."""
        self._met = chain(replies, repeat(replies[-1]))

    @property
    def details(self) -> list[Any]:
        """The entries' details, parsed."""
        return [json.loads(entry["Detail"]) for entry in self.entries]

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.calls += 1
        sent = json.loads(cast("bytes", request.body))["Entries"]
        met = next(self._met)
        if met is None or self.answers_are_lost:
            self.entries += sent
        if isinstance(met, Exception):
            raise met
        if met is None:
            return reply({"FailedEntryCount": 0, "Entries": [{"EventId": str(self.calls)} for _ in sent]})
        met.raw.seek(0)
        return met
