"""What the callers of a campaign ask for, drawn by their chance: each request with the rows that it has to make."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tests.campaigns.chaos.record import Change, Request, Way
from tests.campaigns.chaos.shop import REGISTERED_CODE, line, named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.campaigns.chaos.record import Row
    from tests.campaigns.chaos.shop import Shop

BEYOND_ANY_STOCK: Final = -1_000_000
NEVER_ON_HAND: Final = 9_007_199_254_740_991
"""A compare-and-set with this quantity is refused, whatever the stock is: a message may be delivered twice."""

_CODES: Final = (None, None, "damage", "found", REGISTERED_CODE)
_COUNTED_MAX: Final = 60


def key_of(mark: str) -> str:
    """The idempotency key of a request."""
    return mark.replace(" ", "-")


class Draw:
    """Requests of one caller of one business; ``stands`` are the rows of each request that was acknowledged to it."""

    def __init__(self, name: str, shop: Shop, chance: Random) -> None:
        self.name = name
        self.shop = shop
        self.stands: list[list[Row]] = []
        self._chance = chance
        self._numbers = count(1)

    def over_http(self) -> Request:
        """Draw a request over HTTP."""
        chance = self._chance
        mark = f"{self.name}, request {next(self._numbers)}"
        key = key_of(mark) if chance.random() < 0.8 else None
        drawn = chance.random()
        kinds: tuple[tuple[float, Callable[[str], Request]], ...] = (
            (0.22, self._batch),
            (0.08, self._each),
            (0.14, self._transfer),
            (0.10, self._count),
            (0.18, self._reversal),
        )
        for share, kind in kinds:
            drawn -= share
            if drawn < 0:
                return _with_key(kind(mark), key)
        return _with_key(self._single(mark), key)

    def message(self) -> Request:
        """Draw a message. That it is refused or not does not depend on the stock.

        So what takes from the stock is for a business that allows negative stock.
        """
        chance = self._chance
        mark = f"{self.name}, message {next(self._numbers)}"
        refused, drawn = chance.random() < 0.1, chance.random()
        is_transfer = False
        if drawn < 0.25:
            changes = self._lines(least=-4 if self.shop.is_overdrawable else 1, with_instants=False)
        elif drawn < 0.35:
            changes = (self._counted(with_instant=False),)
        elif drawn < 0.5 and self.shop.is_overdrawable:
            changes, is_transfer = self._moves(), True
        else:
            changes = (self._changed(1, 5),)
        if refused:
            # A transfer compares where it takes from; of a batch the last line is refused, after all others.
            number = len(changes) - (2 if is_transfer else 1)
            changes = (
                *changes[:number],
                changes[number]._replace(expected_quantity=NEVER_ON_HAND),
                *changes[number + 1 :],
            )
        return Request(
            mark,
            Way.MESSAGE,
            self.shop.business.id,
            changes,
            key=key_of(mark) if chance.random() < 0.7 else None,
            is_group=is_transfer or drawn < 0.25,
            must_be_refused=refused,
        )

    # ----------------------------------------------------------------------------------------------------- requests

    def _request(self, mark: str, way: Way, changes: Sequence[Change], *, is_group: bool = False) -> Request:
        return Request(mark, way, self.shop.business.id, changes, is_group=is_group)

    def _single(self, mark: str) -> Request:
        return self._request(mark, Way.ADJUSTMENT, [self._at_times_refused(self._changed(-4, 5))])

    def _count(self, mark: str) -> Request:
        return self._request(mark, Way.COUNT, [self._counted()])

    def _batch(self, mark: str) -> Request:
        *others, last = self._lines()
        return self._request(mark, Way.BATCH, [*others, self._at_times_refused(last)], is_group=True)

    def _each(self, mark: str) -> Request:
        parts = [
            self._request(f"{mark}, line {number}", Way.EACH, [self._at_times_refused(change)])
            for number, change in enumerate(self._lines())
        ]
        return Request(mark, Way.EACH, self.shop.business.id, parts=parts)

    def _transfer(self, mark: str) -> Request:
        return self._request(mark, Way.TRANSFER, self._moves(), is_group=True)

    def _reversal(self, mark: str) -> Request:
        """Now and then of what was reversed before, or of a part of a group: both must be refused."""
        chance = self._chance
        rows = [row for row in chance.choice(self.stands) if row["delta"]] if self.stands else []
        if not rows:
            return self._single(mark)
        if rows[0]["group_id"] is None or chance.random() < 0.1:
            return self._request(mark, Way.REVERSAL, [_back(rows[0])])
        changes = [_back(row) for row in reversed(rows)]
        group = self._request(mark, Way.GROUP_REVERSAL, changes, is_group=True)
        group.group_id = rows[0]["group_id"]
        return group

    # -------------------------------------------------------------------------------------------------------- lines

    def _lines(self, *, least: int = -4, with_instants: bool = True) -> tuple[Change, ...]:
        """Two to eight changes and counts of four stock items: batches overlap, and so do their own lines."""
        return tuple(
            self._counted(with_instant=with_instants) if self._chance.random() < 0.1 else self._changed(least, 5)
            for _ in range(self._chance.choice((1, 2, 3, 4, 8)))
        )

    def _at_times_refused(self, change: Change) -> Change:
        if change.delta is None or self._chance.random() > 0.07:
            return change
        return change._replace(delta=BEYOND_ANY_STOCK)

    def _changed(self, least: int, most: int) -> Change:
        chance = self._chance
        delta = chance.choice([each for each in range(least, most + 1) if each])
        return self._of_any_place(delta)._replace(reason_code=chance.choice(_CODES))

    def _counted(self, *, with_instant: bool = True) -> Change:
        """A count of now, of a little while ago, or of exactly the state that an earlier row has left."""
        chance, drawn = self._chance, self._chance.random()
        counted_at: str | None = None
        if with_instant and drawn < 0.3 and self.stands:
            counted_at = chance.choice(self.stands)[-1]["created_at"]
        elif with_instant and drawn < 0.5:
            instant = datetime.fromtimestamp(time.time() - chance.uniform(0, 20), UTC)
            counted_at = instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return self._of_any_place(None)._replace(
            kind="count",
            counted_quantity=chance.randint(0, _COUNTED_MAX),
            counted_at=counted_at,
            reason_code="count_variance",
        )

    def _of_any_place(self, delta: int | None) -> Change:
        variant = self._chance.choice(self.shop.variants)
        sku = variant.sku if self._chance.random() < 0.3 else None
        return Change(variant.id, self._chance.choice(self.shop.locations), delta, sku=sku)

    def _moves(self) -> tuple[Change, ...]:
        """For each line of a transfer the row that takes and the row that adds."""
        chance = self._chance
        taken, added = chance.sample(self.shop.locations, 2)
        moved: list[Change] = []
        for variant in chance.sample(self.shop.variants, chance.randint(1, len(self.shop.variants))):
            units, sku = chance.randint(1, 4), variant.sku if chance.random() < 0.3 else None
            moved += [
                Change(variant.id, place, delta, "transfer", sku=sku, reason_code="transfer")
                for place, delta in ((taken, -units), (added, units))
            ]
        return tuple(moved)


def body_of(request: Request) -> dict[str, Any]:
    """The body of a request, without what only its way over HTTP says."""
    if request.parts:
        return {"mode": "each", "lines": [line(each.changes[0], each.mark) for each in request.parts]}
    first = request.changes[0]
    if first.kind == "reversal":
        return {"reason": request.mark}
    if first.kind == "transfer":
        return {
            "from_location_id": first.location_id,
            "to_location_id": request.changes[1].location_id,
            "reason": request.mark,
            "lines": [
                {**named(each), "quantity": -(each.delta or 0), "expected_quantity": each.expected_quantity}
                for each in request.changes[::2]
            ],
        }
    if request.is_group:
        return {"lines": [line(each, request.mark) for each in request.changes]}
    return line(first, request.mark)


def _with_key(request: Request, key: str | None) -> Request:
    request.key = key
    for part in request.parts:
        part.key = key
    return request


def _back(row: Row) -> Change:
    return Change(row["variant_id"], row["location_id"], -row["delta"], "reversal", reverses=row["id"])
