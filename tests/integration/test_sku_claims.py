"""Operators at the same time: SKUs stay unique, and a claim exists exactly while its variant is active."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain.errors import ServiceError, SkuTaken, StoreUnavailable, VariantNotFound
from tests.support.faults.proxy import Ending, Fault
from tests.support.harness.emulated_tables import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.entrypoints.provisioning import Provision
    from tests.support.faults.proxy import FaultsProxy
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

AT_ONCE = 20


class Catalog:
    """The variants of one business, as operators left them."""

    def __init__(self, tables: Tables, business_id: UUID) -> None:
        pages = tables.client.get_paginator("scan").paginate(TableName=tables.inventory, ConsistentRead=True)
        items = [item for page in pages for item in page["Items"] if item["pk"]["S"] == f"BUSINESS#{business_id}"]
        self.active = {
            item["sk"]["S"].removeprefix("VARIANT#"): item["sku"]["S"]
            for item in items
            if item["sk"]["S"].startswith("VARIANT#") and item["active"]["BOOL"]
        }
        claims = [item for item in items if item["sk"]["S"].startswith("SKU#")]
        self.claims = {item["sku"]["S"]: item["variant_id"]["S"] for item in claims}

    def hold(self) -> bool:
        """Whether each active variant has the claim on its SKU, and there is no other claim."""
        return self.claims == {sku: variant_id for variant_id, sku in self.active.items()} and len(self.claims) == len(
            self.active
        )


@pytest.fixture
def business_id(tables: Tables) -> UUID:
    business_id = uuid4()
    tables.command("register_business", business_id, name="Shop")
    return business_id


@pytest.fixture
def operators(clients: Clients, tables: Tables) -> list[Provision]:
    return [tables.provision(clients.make()) for _ in range(AT_ONCE)]


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The answers and refusals, in the order of the calls."""

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (ServiceError, StoreUnavailable) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def test_one_sku_registered_by_many_at_once_is_one_active_variant(
    tables: Tables, business_id: UUID, operators: list[Provision]
) -> None:
    answers = at_once([partial(carry_out, each, "register_variant", business_id, sku="MUG-RED") for each in operators])
    assert len({answer["variant_id"] for answer in answers}) == 1
    catalog = Catalog(tables, business_id)
    assert catalog.hold()
    assert [*catalog.claims] == ["MUG-RED"]


def test_one_sku_wanted_for_different_variants_at_once_goes_to_one_of_them(
    tables: Tables, business_id: UUID, operators: list[Provision]
) -> None:
    register = [
        partial(carry_out, each, "register_variant", business_id, sku="MUG-RED", variant_id=uuid4())
        for each in operators
    ]
    answers = at_once(register)
    (holder,) = [answer["variant_id"] for answer in answers if not isinstance(answer, SkuTaken)]
    assert {str(answer.variant_id) for answer in answers if isinstance(answer, SkuTaken)} == {holder}
    assert Catalog(tables, business_id).claims == {"MUG-RED": holder}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_operators_do_at_once_claims_are_those_of_the_active_variants(
    tables: Tables, business_id: UUID, operators: list[Provision], seed: int
) -> None:
    chance = random.Random(seed)
    variants, skus = [uuid4() for _ in range(3)], ["A", "B", "C"]

    def command() -> tuple[str, dict[str, Any]]:
        variant_id, sku = chance.choice(variants), chance.choice(skus)
        match chance.randrange(6):
            case 0:
                return "deactivate_variant", {"variant_id": variant_id}
            case 1:
                return "register_variant", {"sku": sku}
            case 2:
                several = [{"sku": each, "variant_id": str(chance.choice(variants))} for each in chance.sample(skus, 2)]
                return "register_variants", {"variants": several}
            case 3:
                return "claim_skus", {}
            case _:
                return "register_variant", {"sku": sku, "variant_id": variant_id}

    for _ in range(3):
        commands = [command() for _ in range(6)]
        outcomes = at_once(
            [
                partial(carry_out, operator, name, business_id, **fields)
                for operator, (name, fields) in zip(operators, commands, strict=False)
            ]
        )
        assert all(isinstance(each, dict | SkuTaken | VariantNotFound) for each in outcomes)
        assert Catalog(tables, business_id).hold()


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CORRUPTED, Ending.EMPTY_OBJECT, Ending.UNAVAILABLE])
def test_a_registration_whose_reply_is_lost_is_one_variant(
    clients: Clients, tables: Tables, proxy: FaultsProxy, business_id: UUID, ending: Ending
) -> None:
    """The engine applied the transaction, and nobody heard. Whoever repeats the command gets the same variant."""
    register = partial(carry_out, tables.provision(clients.make(proxy.endpoint_url)), "register_variant", business_id)
    proxy.break_every("TransactWriteItems", Fault(ending, delivered=True))
    first = register(sku="MUG-RED")
    proxy.mend()
    assert register(sku="MUG-RED") == first
    catalog = Catalog(tables, business_id)
    assert catalog.hold()
    assert catalog.claims == {"MUG-RED": first["variant_id"]}


def test_an_attempt_that_arrives_late_makes_no_second_variant(
    clients: Clients, tables: Tables, proxy: FaultsProxy, business_id: UUID
) -> None:
    register = partial(carry_out, tables.provision(clients.make(proxy.endpoint_url)), "register_variant", business_id)
    proxy.break_every("TransactWriteItems", Fault(Ending.RESET, delivered=False))
    with pytest.raises(StoreUnavailable):
        register(sku="MUG-RED")
    proxy.mend()
    again = register(sku="MUG-RED")
    tables.command("deactivate_variant", business_id, variant_id=again["variant_id"])
    assert tables.command("register_variant", business_id, sku="MUG-RED") != again
    before = Catalog(tables, business_id)
    assert {reply.status for reply in proxy.deliver_late()} == {400}
    after = Catalog(tables, business_id)
    assert after.hold()
    assert (after.active, after.claims) == (before.active, before.claims)
