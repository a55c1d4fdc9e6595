"""The event bus behind a real client's wire: what was put on it, and faults laid over it."""

from __future__ import annotations

import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from tests.support.faults.wire import reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.faults.wire import Reply


class MemoryBus:
    """``entries`` are those that the bus took, in order; ``calls`` counts the tries."""

    def __init__(self, client: Any) -> None:
        self.entries: list[dict[str, str]] = []
        self.calls = 0
        self.call_sizes: list[int] = []
        """How many events each call put."""
        self.failing: dict[str, list[str]] = {}
        """What entries fail with, call by call: the error codes by a text that is in their details."""
        self.answers_are_lost = False
        """Whether events are taken although the reply is what ``meets`` says."""
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
        sent: list[dict[str, str]] = json.loads(cast("bytes", request.body))["Entries"]
        self.call_sizes.append(len(sent))
        met = next(self._met)
        codes = [self._failure(entry) for entry in sent]
        if met is None or self.answers_are_lost:
            self.entries += [entry for entry, code in zip(sent, codes, strict=True) if code is None]
        if isinstance(met, Exception):
            raise met
        if met is None:
            entries = [{"EventId": str(self.calls)} if code is None else {"ErrorCode": code} for code in codes]
            return reply({"FailedEntryCount": len(sent) - codes.count(None), "Entries": entries})
        met.raw.seek(0)
        return met

    def _failure(self, entry: dict[str, str]) -> str | None:
        for text, codes in self.failing.items():
            if text in entry["Detail"] and codes:
                return codes.pop(0)
        return None
