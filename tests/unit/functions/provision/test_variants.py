"""SKUs are unique among active variants: claims, through the provision function."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.storage.catalog import Catalog
from tests.support.faults.wire import broken
from tests.support.harness.provision_service import (
    BUSINESS,
    CLAIM_SKUS,
    DEACTIVATE_VARIANT,
    OTHER_BUSINESS,
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_VARIANT,
    REGISTER_VARIANTS,
    UNKNOWN,
    VARIANT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.storage.keys import ItemKey
    from tests.support.harness.provision_service import Service

OTHER_VARIANT = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e22"


def claims(service: Service) -> dict[str, str]:
    """The variant of each claim by its SKU; each claim is under the digest of its SKU."""
    found = {sk: item for sk, item in service.catalog().items() if sk.startswith("SKU#")}
    assert all(sk == f"SKU#{sha256(item['sku'].encode()).hexdigest()}" for sk, item in found.items())
    return {item["sku"]: item["variant_id"] for item in found.values()}


def claim_items(service: Service) -> dict[ItemKey, Any]:
    """The claims as they are stored, by their keys."""
    found = service.client.scan(TableName="inventory")["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found if item["sk"]["S"].startswith("SKU#")}


def before_claims(service: Service, variant_id: str, sku: str, *, active: bool = True) -> None:
    """A variant as it was registered before SKUs were claimed."""
    values = {"sku": {"S": sku}, "active": {"BOOL": active}, "created_at": {"S": "2026-01-01T00:00:00.000000Z"}}
    key = {"pk": {"S": f"BUSINESS#{BUSINESS}"}, "sk": {"S": f"VARIANT#{variant_id}"}}
    item: Any = {**key, **values, "updated_at": values["created_at"]}
    service.client.put_item(TableName="inventory", Item=item)


def taken_by(variant_id: str) -> tuple[str, dict[str, str]]:
    message = "Another active variant of this business has this SKU."
    return "SkuTaken", {"code": "sku_taken", "message": message, "variant_id": variant_id}


def test_registering_a_variant_stores_it_active_with_the_claim_on_its_sku(shop: Service) -> None:
    assert shop.do(REGISTER_VARIANT, sku=" BEANS-1 ", name="Beans") == {"variant_id": VARIANT}
    variant = shop.item(f"VARIANT#{VARIANT}")
    assert (variant["sku"], variant["name"], variant["active"]) == ("BEANS-1", "Beans", True)
    assert claims(shop) == {"BEANS-1": VARIANT}


def test_a_variant_without_an_id_gets_one(shop: Service) -> None:
    answer = shop.do(REGISTER_VARIANT, variant_id=...)
    assert claims(shop) == {"BEANS-1": str(UUID(answer["variant_id"]))}


def test_the_same_sku_without_an_id_is_the_variant_that_has_it(shop: Service) -> None:
    shop.do(REGISTER_VARIANT, name="Beans")
    assert shop.do(REGISTER_VARIANT, variant_id=...) == {"variant_id": VARIANT}
    assert shop.item(f"VARIANT#{VARIANT}")["name"] == "Beans"


def test_a_sku_of_another_active_variant_is_taken(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    before = shop.items()
    assert shop.refused(REGISTER_VARIANT, variant_id=OTHER_VARIANT) == taken_by(VARIANT)
    assert shop.items() == before


def test_skus_are_compared_exactly_and_by_business(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    assert shop.do(REGISTER_VARIANT, sku="beans-1", variant_id=OTHER_VARIANT)
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    assert shop.do(REGISTER_VARIANT, business_id=OTHER_BUSINESS, variant_id=...)["variant_id"] != VARIANT


def test_another_sku_moves_the_claim_and_frees_the_old_one(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    shop.do(REGISTER_VARIANT, sku="BEANS-2")
    assert claims(shop) == {"BEANS-2": VARIANT}
    shop.do(REGISTER_VARIANT, variant_id=OTHER_VARIANT)
    assert claims(shop) == {"BEANS-1": OTHER_VARIANT, "BEANS-2": VARIANT}


@pytest.mark.parametrize(
    ("command", "expected"),
    [(REGISTER_VARIANT, {"BEANS-1": VARIANT}), (DEACTIVATE_VARIANT, {})],
    ids=["registered with its old SKU", "deactivated"],
)
def test_claims_that_are_read_before_another_command_changes_them_are_read_again(
    command: dict[str, Any],
    expected: dict[str, str],
    shop: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.do(REGISTER_VARIANT)
    old_claims = claim_items(shop)
    shop.do(REGISTER_VARIANT, sku="BEANS-2")
    new_claims = claim_items(shop)
    read, write = Catalog.items, Catalog.write
    writes: list[bool] = []

    def read_torn(catalog: Catalog, wanted: Iterable[ItemKey]) -> Any:
        """The variant as that command left it, and the claims from before, as a read sees a transaction's parts."""
        found = read(catalog, wanted := [*wanted])
        if writes:
            return found
        late = {key: item for key, item in old_claims.items() if key in wanted}
        return {key: item for key, item in found.items() if key not in new_claims} | late

    def noted(catalog: Catalog, *arguments: Any) -> bool:
        writes.append(write(catalog, *arguments))
        return writes[-1]

    monkeypatch.setattr(Catalog, "items", read_torn)
    monkeypatch.setattr(Catalog, "write", noted)
    shop.do(command)
    assert writes == [False, True]
    assert claims(shop) == expected


def test_a_deactivated_variant_frees_its_sku_and_must_find_it_free_to_be_active_again(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    shop.do(DEACTIVATE_VARIANT)
    assert claims(shop) == {}
    shop.do(REGISTER_VARIANT, variant_id=OTHER_VARIANT)
    assert shop.refused(REGISTER_VARIANT) == taken_by(OTHER_VARIANT)
    assert shop.refused(REGISTER_VARIANT, sku=...) == taken_by(OTHER_VARIANT)
    shop.do(REGISTER_VARIANT, sku="BEANS-2")
    assert claims(shop) == {"BEANS-1": OTHER_VARIANT, "BEANS-2": VARIANT}


def test_a_sku_of_an_inactive_variant_without_an_id_is_a_new_variant(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    shop.do(DEACTIVATE_VARIANT)
    assert shop.do(REGISTER_VARIANT, variant_id=...)["variant_id"] != VARIANT


def test_what_is_left_out_stays_and_null_clears_the_name(shop: Service) -> None:
    shop.do(REGISTER_VARIANT, name="Beans")
    shop.do(REGISTER_VARIANT, sku="BEANS-2")
    assert shop.item(f"VARIANT#{VARIANT}")["name"] == "Beans"
    shop.do(DEACTIVATE_VARIANT)
    shop.do(REGISTER_VARIANT, sku=..., name=None)
    variant = shop.item(f"VARIANT#{VARIANT}")
    assert (variant["sku"], variant["active"], "name" in variant) == ("BEANS-2", True, False)
    assert claims(shop) == {"BEANS-2": VARIANT}


def test_a_new_variant_needs_a_sku(shop: Service) -> None:
    for changes in ({"variant_id": UNKNOWN}, {"variant_id": ...}):
        name, entries = shop.refused(REGISTER_VARIANT, sku=..., **changes)
        assert (name, [(each["loc"], each["type"]) for each in entries]) == (
            "InvalidRequest",
            [(["body", "sku"], "missing")],
        )


def test_a_registration_whose_reply_was_lost_is_one_variant(shop: Service) -> None:
    lost = iter([broken()])

    def lose(**_: object) -> None:
        for error in lost:
            raise error

    shop.client.meta.events.register("after-call.dynamodb.TransactWriteItems", lose)
    answer = shop.do(REGISTER_VARIANT, variant_id=...)
    assert next(lost, None) is None
    assert claims(shop) == {"BEANS-1": answer["variant_id"]}
    assert sum(sk.startswith("VARIANT#") for sk in shop.catalog()) == 1
    assert shop.do(REGISTER_VARIANT, variant_id=...) == answer


def test_a_variant_that_is_registered_while_its_deactivation_is_seen_in_part_has_its_claim(shop: Service) -> None:
    """The variant is read after the deactivation, and the claim on its SKU before."""
    shop.do(REGISTER_VARIANT)
    claims_before = [item for item in shop.items() if item["sk"]["S"].startswith("SKU#")]
    shop.do(DEACTIVATE_VARIANT)
    first = iter([None])

    def tear(parsed: Any, **_: object) -> None:
        for _read in first:
            parsed["Responses"]["inventory"] += claims_before

    shop.client.meta.events.register("after-call.dynamodb.BatchGetItem", tear)
    shop.do(REGISTER_VARIANT)

    assert claims(shop) == {"BEANS-1": VARIANT}


def test_a_claim_that_its_variant_does_not_have_any_more_hinders_nobody(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    before_claims(shop, VARIANT, "BEANS-1", active=False)
    assert shop.do(REGISTER_VARIANT, variant_id=OTHER_VARIANT) == {"variant_id": OTHER_VARIANT}
    assert claims(shop) == {"BEANS-1": OTHER_VARIANT}


# --- many at once


def test_many_variants_are_registered_in_their_order(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    variants: list[Any] = [{"sku": f"CUP-{number}", "name": f"Cup {number}"} for number in range(100)]
    variants[50] = {"sku": "BEANS-1"}
    variants[70] = {"sku": "BEANS-1", "variant_id": OTHER_VARIANT}
    variants[80] = {"sku": " CUP-3 "}
    variants[90] = {"variant_id": UNKNOWN}
    variants[99] = {"sku": "BEANS-2", "variant_id": VARIANT}
    answers = shop.do(REGISTER_VARIANTS, variants=variants)["variants"]
    assert len(answers) == 100
    assert answers[50] == answers[99] == {"variant_id": VARIANT}
    assert answers[70] == {"error": taken_by(VARIANT)[1]}
    assert answers[80] == answers[3]
    assert answers[90]["error"]["code"] == "invalid_request"
    assert [each["loc"] for each in answers[90]["error"]["detail"]] == [["body", "variants", 90, "sku"]]
    registered = {answer["variant_id"] for answer in answers if "error" not in answer}
    assert len(registered) == 96
    assert claims(shop) == {"BEANS-2": VARIANT} | {
        variants[number]["sku"]: answers[number]["variant_id"] for number in range(99) if number not in {50, 70, 80, 90}
    }


def test_many_variants_again_change_nothing(shop: Service) -> None:
    variants = [{"sku": f"CUP-{number}"} for number in range(40)]
    first = shop.do(REGISTER_VARIANTS, variants=variants)
    before = shop.items()
    assert shop.do(REGISTER_VARIANTS, variants=variants) == first
    assert shop.items() == before


def test_a_variant_passes_its_sku_on_within_one_command(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    passed_on = [{"sku": "BEANS-2", "variant_id": VARIANT}, {"sku": "BEANS-1", "variant_id": OTHER_VARIANT}]
    assert shop.do(REGISTER_VARIANTS, variants=passed_on)["variants"] == [
        {"variant_id": VARIANT},
        {"variant_id": OTHER_VARIANT},
    ]
    assert claims(shop) == {"BEANS-2": VARIANT, "BEANS-1": OTHER_VARIANT}


def test_the_errors_of_all_variants_come_together_and_nothing_is_written(shop: Service) -> None:
    before = shop.items()
    variants = [{"sku": "a"}, {"sku": "\n"}, 5, {"sku": "b", "variant_id": "x", "\ud800": 1}, {"name": "c"}]
    name, entries = shop.refused(REGISTER_VARIANTS, variants=variants)
    assert name == "InvalidRequest"
    assert [(each["loc"][:4], each["type"]) for each in entries] == [
        (["body", "variants", 1, "sku"], "string_too_short"),
        (["body", "variants", 2], "model_attributes_type"),
        (["body", "variants", 3, "variant_id"], "uuid_parsing"),
        (["body", "variants", 3, "?"], "extra_forbidden"),
        (["body", "variants", 4, "sku"], "missing"),
    ]
    assert shop.items() == before


def test_what_is_not_settled_in_time_is_told_variant_by_variant(shop: Service) -> None:
    shop.wire("TransactWriteItems", None, broken())
    answers = shop.do(REGISTER_VARIANTS, variants=[{"sku": str(number)} for number in range(50)])["variants"]
    assert ["variant_id" in answer for answer in answers] == [True] * 33 + [False] * 17
    assert {answer["error"]["code"] for answer in answers[33:]} == {"try_again"}


# --- catalogs from before


def test_the_skus_of_a_catalog_from_before_are_claimed_once(shop: Service) -> None:
    for number in range(3):
        before_claims(shop, f"6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e3{number}", f"CUP-{number}")
    before_claims(shop, VARIANT, "BEANS-1", active=False)
    assert shop.do(CLAIM_SKUS) == {"claimed": 3, "duplicates": [], "next_cursor": None}
    assert sorted(claims(shop)) == ["CUP-0", "CUP-1", "CUP-2"]
    before = shop.items()
    assert shop.do(CLAIM_SKUS) == {"claimed": 0, "duplicates": [], "next_cursor": None}
    assert shop.items() == before


def test_variants_from_before_with_one_sku_are_reported_until_one_of_them_has_another(shop: Service) -> None:
    before_claims(shop, VARIANT, "BEANS-1")
    before_claims(shop, OTHER_VARIANT, "BEANS-1")
    duplicate = {"sku": "BEANS-1", "variant_id": OTHER_VARIANT, "claimed_by": VARIANT}
    for claimed in (1, 0):
        assert shop.do(CLAIM_SKUS) == {"claimed": claimed, "duplicates": [duplicate], "next_cursor": None}
    assert shop.refused(REGISTER_VARIANT, variant_id=OTHER_VARIANT, sku=..., name="x") == taken_by(VARIANT)
    shop.do(REGISTER_VARIANT, variant_id=OTHER_VARIANT, sku="BEANS-2")
    assert shop.do(CLAIM_SKUS) == {"claimed": 0, "duplicates": [], "next_cursor": None}
    assert claims(shop) == {"BEANS-1": VARIANT, "BEANS-2": OTHER_VARIANT}


def test_a_duplicate_from_before_leaves_the_claim_of_the_other_one_when_it_is_deactivated(shop: Service) -> None:
    before_claims(shop, VARIANT, "BEANS-1")
    before_claims(shop, OTHER_VARIANT, "BEANS-1")
    shop.do(CLAIM_SKUS)
    shop.do(DEACTIVATE_VARIANT, variant_id=OTHER_VARIANT)
    assert claims(shop) == {"BEANS-1": VARIANT}


def test_a_variant_from_before_claims_its_sku_when_it_is_registered_again(shop: Service) -> None:
    before_claims(shop, VARIANT, "BEANS-1")
    shop.do(REGISTER_VARIANT, sku=...)
    assert claims(shop) == {"BEANS-1": VARIANT}


def test_the_claims_of_a_large_catalog_are_made_page_by_page(shop: Service) -> None:
    for number in range(335):
        before_claims(shop, str(UUID(int=number + 1)), f"SKU {number}")
    first = shop.do(CLAIM_SKUS)
    assert first["claimed"] == 330
    last = shop.do(CLAIM_SKUS, cursor=first["next_cursor"])
    assert last == {"claimed": 5, "duplicates": [], "next_cursor": None}
    assert len(claims(shop)) == 335
    shop.do(REGISTER_LOCATION)
    assert shop.refused(CLAIM_SKUS, cursor="x")[1][0]["loc"] == ["body", "cursor"]
