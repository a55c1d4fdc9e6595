"""A key's first answer stays the same after changes of the stock, the variant or the location."""

from __future__ import annotations

from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.errors import IdempotencyKeyReused, InsufficientStock
from inventory.domain.rules import keyed_id
from inventory.storage.stock_store import CATALOG_LIFETIME_S
from tests.support.harness.shop import Environment, Shop, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment, Command
    from tests.support.harness.emulator import Clients

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY = "a key"


def empty_the_stock(shop: Shop, service: Environment) -> None:
    service.adjust(shop.command(-8))


def let_another_environment_empty_the_stock(shop: Shop, _: Environment) -> None:
    """What the first one knows of the stock item is out of date then, and would let the request pass again."""
    environment(shop.tables.client, shop.tables).adjust(shop.command(-8))


def deactivate_the_variant(shop: Shop, _: Environment) -> None:
    shop.tables.command("deactivate_variant", shop.business_id, variant_id=shop.variant_id)


def deactivate_the_location(shop: Shop, _: Environment) -> None:
    shop.tables.command("deactivate_location", shop.business_id, location_id=shop.location_id)


def change_the_default_location(shop: Shop, _: Environment) -> None:
    shop.tables.command(
        "register_location", shop.business_id, location_id=shop.other_location_id, name="New", default=True
    )


def do_all_of_it(shop: Shop, service: Environment) -> None:
    empty_the_stock(shop, service)
    change_the_default_location(shop, service)
    deactivate_the_location(shop, service)
    deactivate_the_variant(shop, service)


CHANGES = [
    empty_the_stock,
    let_another_environment_empty_the_stock,
    deactivate_the_variant,
    deactivate_the_location,
    change_the_default_location,
    do_all_of_it,
]

after_each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)


class Clock:
    """The wall clock of an environment's memory."""

    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def warm(clients: Clients, shop: Shop, clock: Clock) -> Environment:
    """An environment that knows the catalog as it was first; there are 10 units in stock."""
    service = environment(clients.make(), shop.tables, time_s=clock)
    service.adjust(shop.command(10))
    return service


@pytest.fixture(params=["location left out", "location named"])
def request_of_key(request: pytest.FixtureRequest, shop: Shop) -> Command:
    """Two units of the ten shall go out of the default location."""
    return shop.command(-2, key=KEY, location_id=shop.location_id if request.param == "location named" else None)


@pytest.fixture
def first(warm: Environment, request_of_key: Command) -> Adjustment:
    """The row of the key."""
    return warm.adjust(request_of_key).adjustment


@pytest.fixture(params=["warm", "warm but its memory has ended", "cold"])
def service(
    request: pytest.FixtureRequest, warm: Environment, clock: Clock, clients: Clients, shop: Shop
) -> Callable[[], Environment]:
    """Gives the environment that gets the repetition, after the change."""

    def give() -> Environment:
        if request.param == "cold":
            return environment(clients.make(), shop.tables)
        if request.param != "warm":
            clock.now_s += CATALOG_LIFETIME_S
        return warm

    return give


@pytest.fixture
def changed(
    shop: Shop,
    warm: Environment,
    first: Adjustment,  # noqa: ARG001  the first request comes before the change
    change: Callable[[Shop, Environment], None],
) -> object:
    """The tables' contents after the change."""
    change(shop, warm)
    return shop.tables.contents()


@after_each_change
def test_a_repeated_request_is_a_replay(
    service: Callable[[], Environment], shop: Shop, request_of_key: Command, first: Adjustment, changed: object
) -> None:
    outcome = service().adjust(request_of_key)

    assert (outcome.replayed, outcome.adjustment) == (True, first)
    assert shop.tables.contents() == changed


@after_each_change
def test_another_request_under_the_key_is_rejected_before_anything_else(
    service: Callable[[], Environment], shop: Shop, request_of_key: Command, first: Adjustment, changed: object
) -> None:
    named_or_not = None if request_of_key.location_id else shop.location_id

    for other in (replace(request_of_key, quantity_change=-3), replace(request_of_key, location_id=named_or_not)):
        with pytest.raises(IdempotencyKeyReused):
            service().adjust(other)

    assert shop.tables.contents() == changed
    assert first in shop.rows()


@pytest.mark.parametrize(
    "members",
    [
        {"quantity_change": 2},
        {"reason": "counted"},
        {"reason_code": "damage"},
        {"reference": "sheet 7"},
        {"expected_quantity": 10},
        {"variant": "other"},
        {"location": "other"},
    ],
    ids=lambda members: next(iter(members)),
)
def test_a_request_that_differs_in_any_member_is_another_request(
    warm: Environment, shop: Shop, request_of_key: Command, first: Adjustment, members: dict[str, Any]
) -> None:
    elsewhere = {"variant": ("variant_id", shop.other_variant_id), "location": ("location_id", shop.other_location_id)}
    changes: dict[str, Any] = dict(elsewhere.get(name, (name, value)) for name, value in members.items())

    with pytest.raises(IdempotencyKeyReused):
        warm.adjust(replace(request_of_key, **changes))

    assert len(shop.tables.rows()) == 2
    assert first in shop.tables.rows()


def test_the_same_request_by_another_actor_is_a_repetition(
    warm: Environment, request_of_key: Command, first: Adjustment
) -> None:
    outcome = warm.adjust(replace(request_of_key, actor="somebody else"))

    assert (outcome.replayed, outcome.adjustment) == (True, first)
    assert outcome.adjustment.created_by == "tester"


def test_a_refused_request_leaves_its_key_free(warm: Environment, shop: Shop) -> None:
    with pytest.raises(InsufficientStock):
        warm.adjust(shop.command(-11, key=KEY))

    outcome = warm.adjust(shop.command(-1, key=KEY))

    assert not outcome.replayed
    assert outcome.adjustment.id == keyed_id(shop.business_id, KEY)
