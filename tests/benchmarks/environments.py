"""One environment of a subject that is warm, on a transport: what a worker's process runs."""

from __future__ import annotations

import os
import random
from copy import replace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from tests.benchmarks.baselines import work
from tests.benchmarks.meters import Work, work_of
from tests.benchmarks.subjects import REQUESTS_OF_SAMPLE, SEEDED, Ours, Subject, fresh, subject, variant
from tests.benchmarks.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.benchmarks.transport import Transport
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT

if TYPE_CHECKING:
    from uuid import UUID

UNKNOWN: Final = "ours, unknown"


class Environment:
    """A subject that carries out samples of requests, each request under a key that was never used.

    ``sample`` counts the changes that the requests ask for.
    """

    def __init__(self, name: str, sample: int = REQUESTS_OF_SAMPLE) -> None:
        self.subject: Subject = subject(name)
        self._sample = max(1, sample // self.subject.lines)
        self._forgetful = name == UNKNOWN
        self._asked: list[object] = []
        self._done = 0
        self._number = 0

    def prepare(self, passes: int) -> None:
        """Make the requests of so many samples; this is not measured."""
        count = passes * self._sample
        self._asked = [self.subject.asked(self._number + place) for place in range(count)]
        self._number += count
        self._done = 0

    def run(self) -> None:
        """Carry them out."""
        for _ in self._asked:
            self.step()

    def step(self) -> None:
        """Carry out the next one."""
        if self._done % self._sample == 0:
            self.begin_sample()
        self.subject.call(self._asked[self._done])
        self._done += 1

    def begin_sample(self) -> None:
        if self._forgetful:
            self.subject.forget()


class Stubbed(Environment):
    """On a stubbed transport: all answers but those of the first two samples are played back."""

    def __init__(self, name: str, sample: int = REQUESTS_OF_SAMPLE) -> None:
        super().__init__(name, sample)
        let_baselines_know()
        self.transport = Transport(*self.subject.clients)
        stock_the_tables(self.transport, (VARIANT, *map(variant, range(REQUESTS_OF_SAMPLE))))
        self._playing = False
        self.subject.open()
        # What there is to know is learnt in the first sample; the second one is that of an environment that knows it.
        for _ in range(2):
            self.transport.begin_recording()
            self.prepare(1)
            self.run()
        self.work: Work = work_of(self.transport, self._sample * self.subject.lines)
        self._playing = True

    def begin_sample(self) -> None:
        super().begin_sample()
        if self._playing:
            self.transport.rewind()


class Emulated(Environment):
    """On the emulator's DynamoDB, by loopback HTTP."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        let_baselines_know(inventory_table=os.environ["INVENTORY_TABLE"], ledger_table=os.environ["LEDGER_TABLE"])
        self.prepare(1)
        self.run()
        self.work: Work = Work(requests=REQUESTS_OF_SAMPLE)


@dataclass(frozen=True, slots=True)
class Skew:
    """Requests for many stock items, few of them hot: the n-th most wanted gets 1/n**exponent of them (Zipf)."""

    items: int = 5_000
    requests: int = 20_000
    exponent: float = 1.1
    seed: int = 20261123

    def order(self) -> list[int]:
        """The stock items, one request after the other."""
        weights = [1 / rank**self.exponent for rank in range(1, self.items + 1)]
        return random.Random(self.seed).choices(range(self.items), weights, k=self.requests)


class Skewed:
    """One environment of ours, from its first request on, under a skewed stream of requests."""

    def __init__(self, skew: Skew) -> None:
        ours = Ours(fresh)
        self.transport = Transport(*ours.clients)
        variants = [variant(number) for number in range(skew.items)]
        stock_the_tables(self.transport, variants)
        for number, place in enumerate(skew.order()):
            ours.call(fresh(number, variant_id=variants[place]))
        self.work: Work = work_of(self.transport, skew.requests)

    def prepare(self, passes: int) -> None:
        raise AssertionError(f"a stream is counted once, not measured {passes} times")

    def run(self) -> None: ...


def stock_the_tables(transport: Transport, variants: tuple[UUID, ...] | list[UUID]) -> None:
    """Let there be these variants at the one location, each with stock and a history."""
    for each in variants:
        transport.tables.with_variant(each)
        transport.tables.put(INVENTORY_TABLE, stock_item(each))


def stock_item(variant_id: UUID = VARIANT) -> dict[str, dict[str, str]]:
    """The stock item that there is before the first request."""
    return {
        "pk": {"S": keys.stock(BUSINESS, variant_id)},
        "sk": {"S": str(LOCATION)},
        "quantity": {"N": str(SEEDED.quantity)},
        "sequence": {"N": str(SEEDED.sequence)},
        "updated_at": {"S": instant_text(SEEDED.updated_at)},
        "head_hash": {"S": SEEDED.head_hash},
    }


def let_baselines_know(*, inventory_table: str = INVENTORY_TABLE, ledger_table: str = LEDGER_TABLE) -> None:
    """Hand the baselines what they do not read."""
    business, variant_id, location = str(BUSINESS), str(VARIANT), str(LOCATION)
    work.known.inventory_table, work.known.ledger_table = inventory_table, ledger_table
    work.known.default_location[business] = location
    work.known.active |= {(business, variant_id), (business, location)}
    work.known.stock[business, variant_id, location] = replace(SEEDED)
