"""A simulated event bus: each event that was put on it, with its sender and time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from tests.simulation.database import Respond
    from tests.simulation.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that the bus took; ``detail`` is parsed."""

    at_s: float
    sender: str
    detail_type: str
    detail: Any


class Bus:
    """Takes events, but for those entries that fail by chance: ``failing`` is how many of them."""

    def __init__(self, scheduler: Scheduler, chance: Random) -> None:
        self.taken: list[Taken] = []
        self.failing = 0.0
        self._scheduler = scheduler
        self._chance = chance

    def put_events(self, request: Mapping[str, Any], respond: Respond, *, sender: str) -> None:
        """Take the entries, each for itself."""
        entries: list[dict[str, str]] = []
        for entry in request["Entries"]:
            if self._chance.random() < self.failing:
                entries.append({"ErrorCode": self._chance.choice(("InternalFailure", "ThrottlingException"))})
                continue
            entries.append({"EventId": "taken"})
            detail = json.loads(entry["Detail"])
            self.taken.append(Taken(self._scheduler.now_s, sender, entry["DetailType"], detail))
        respond({"FailedEntryCount": 0, "Entries": entries})
