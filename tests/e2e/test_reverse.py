"""Reversing adjustments through the API's own route, authorizer, handler and transaction."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.e2e.service import assert_ledger_matches

if TYPE_CHECKING:
    import httpx

    from tests.e2e.service import Business, Service


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["detail"]["code"]


def places(response: httpx.Response) -> tuple[int, list[tuple[list[str], str]]]:
    return response.status_code, [(each["loc"], each["type"]) for each in response.json()["detail"]]


def test_a_reversal_takes_the_stock_back_and_names_what_it_reverses(business: Business) -> None:
    made = business.adjust(20, reason_code="found", reference="CC-17").json()
    response = business.reverse(made["id"], reason="Counted the wrong shelf")
    assert response.status_code == 201
    body = response.json()
    assert list(body) == list(made)
    assert response.headers["location"] == f"../{body['id']}"
    assert "idempotent-replayed" not in response.headers
    assert {name: body[name] for name in ("delta", "quantity_after", "sequence", "correction_reason", "reverses")} == {
        "delta": -20,
        "quantity_after": 0,
        "sequence": 2,
        "correction_reason": "Counted the wrong shelf",
        "reverses": made["id"],
    }
    assert (body["reason_code"], body["reference"], body["created_by"]) == (None, None, "test suite")
    assert_ledger_matches(business, [made, body])


def test_a_reversal_can_be_reversed_and_its_original_stays_reversed(business: Business) -> None:
    made = business.adjust(5).json()
    reversal = business.reverse(made["id"]).json()
    second = business.reverse(reversal["id"]).json()
    assert (second["delta"], second["quantity_after"], second["reverses"]) == (5, 5, reversal["id"])
    again = business.reverse(made["id"])
    assert refused(again) == (409, "already_reversed")
    assert again.json()["detail"]["reversed_by"] == reversal["id"]
    assert_ledger_matches(business, [made, reversal, second])


def test_of_twenty_concurrent_reversals_one_succeeds_and_the_others_get_its_id(business: Business) -> None:
    business.opened_with(100)
    made = business.adjust(5).json()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: business.reverse(made["id"]), range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    (reversal,) = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json()["detail"] for answer in answers if answer.status_code == 409]
    assert {(each["code"], each["reversed_by"]) for each in refused} == {("already_reversed", reversal["id"])}
    assert business.stock() == (100, 3)


def test_twenty_concurrent_reversals_with_one_key_get_one_answer(business: Business) -> None:
    business.opened_with(100)
    made = business.adjust(5).json()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: business.reverse(made["id"], key="once"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert business.stock() == (100, 3)


def test_a_repeated_key_returns_the_original_answer_after_later_changes(service: Service, business: Business) -> None:
    made = business.adjust(5).json()
    first = business.reverse(made["id"], key="undo")
    service.operate("deactivate_variant", business_id=business.id, variant_id=business.variant_id)
    again = business.reverse(made["id"].upper(), key="undo")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert business.stock() == (0, 2)


def test_creations_and_reversals_share_one_namespace_of_keys(business: Business) -> None:
    made = business.adjust(5, key="creation").json()
    other = business.adjust(5).json()
    assert business.reverse(made["id"], key="reversal").status_code == 201
    misuses = [
        business.reverse(other["id"], key="creation"),
        business.reverse(made["id"], key="creation"),
        business.reverse(other["id"], key="reversal"),
        business.reverse(made["id"], key="reversal", reason="Another"),
        business.reverse(str(uuid4()), key="creation"),
        business.adjust(-5, key="reversal"),
    ]
    reused = (422, [(["header", "idempotency-key"], "idempotency_key_reused")])
    assert [places(misuse) for misuse in misuses] == [reused] * len(misuses)
    assert business.stock() == (5, 3)


def test_sold_stock_cannot_be_reversed_and_the_key_stays_free(business: Business) -> None:
    made = business.adjust(5).json()
    business.adjust(-3)
    response = business.reverse(made["id"], key="undo")
    assert refused(response) == (409, "insufficient_stock")
    detail = response.json()["detail"]
    assert (detail["quantity_on_hand"], detail["quantity_change"]) == (2, -5)
    business.adjust(3)
    assert business.reverse(made["id"], key="undo").json()["quantity_after"] == 0


def test_unknown_and_foreign_adjustments_get_the_same_404(service: Service, business: Business) -> None:
    foreign = service.new_business().adjust(5).json()
    answers = [business.reverse(each) for each in (str(uuid4()), foreign["id"])]
    assert [refused(answer) for answer in answers] == [(404, "adjustment_not_found")] * 2
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize("scopes", [("adjustments:read",), ("adjustments:write", "adjustments:read")])
def test_a_token_without_the_reverse_scope_reverses_nothing(
    service: Service, business: Business, scopes: tuple[str, ...]
) -> None:
    made = business.adjust(5).json()
    token = service.issue_token([business.id], scopes)["token"]
    assert refused(business.reverse(made["id"], token=token)) == (403, "forbidden")
    assert business.stock() == (5, 1)


def test_the_reverse_scope_allows_reversals_and_no_creation(service: Service, business: Business) -> None:
    made = business.adjust(5).json()
    token = service.issue_token([business.id], ("adjustments:reverse",))["token"]
    headers = business.headers() | {"Authorization": f"Bearer {token}"}
    assert refused(service.post(business.body(1), headers)) == (403, "forbidden")
    assert business.reverse(made["id"], token=token).status_code == 201


def test_errors_are_listed_path_first_then_header_then_body(business: Business) -> None:
    response = business.reverse("not-a-uuid", key="two words", delta=-5)
    assert places(response) == (
        422,
        [
            (["path", "id"], "uuid_parsing"),
            (["header", "idempotency-key"], "value_error"),
            (["body", "delta"], "extra_forbidden"),
        ],
    )


def test_an_id_is_percent_decoded_once(business: Business) -> None:
    made = business.adjust(5).json()
    twice = business.reverse(f"%257B{made['id']}%257D")
    assert places(twice) == (422, [(["path", "id"], "uuid_parsing")])
    once = business.reverse(f"%7B{made['id']}%7D")
    assert (once.status_code, once.json()["reverses"]) == (201, made["id"])
