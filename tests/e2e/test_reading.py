"""Reading through the API's own routes: a token with the read scope finds what was written, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import uuid4

import pytest

from tests.e2e.service import ADJUSTMENTS
from tests.support.pages import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from tests.e2e.service import Business, Service

LEVELS = "/api/v1/inventory/levels"
ODD_REFERENCE = "Zählung №7 – A&B +1 = 100 %?#/"


def get(
    business: Business,
    path: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    service = business.service
    return service.http.get(
        f"{service.base_url}{path}", params=parameters, headers=business.headers() | dict(headers or {})
    )


def read_at_location(business: Business, answer: httpx.Response) -> httpx.Response:
    """Ask for what an answer's ``Location`` names, resolved against the URL of its request."""
    url = urljoin(str(answer.request.url), answer.headers["location"])
    return business.service.http.get(url, headers=business.headers())


def found(business: Business, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """What one page holds; there must be no other."""
    answer = get(business, path, parameters)
    assert (answer.status_code, answer.json()["next_cursor"]) == (200, None), answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def pages(business: Business, path: str = ADJUSTMENTS, **parameters: Any) -> list[list[dict[str, Any]]]:
    pages = []
    while True:
        answer = get(business, path, parameters)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["data"])
        if answer.json()["next_cursor"] is None:
            return pages
        parameters["cursor"] = answer.json()["next_cursor"]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]["code"]


def with_scopes(business: Business, *scopes: str) -> dict[str, str]:
    token = business.service.issue_token([business.id], scopes=scopes)["token"]
    return {"Authorization": f"Bearer {token}"}


# -------------------------------------------------------------------------------------------------------- adjustments


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_adjustment_is_read_at_the_location_that_its_201_and_its_reversals_name(
    business: Business, slash: str
) -> None:
    """A client resolves the reference against the URL that it called, which has a stage before the route."""
    body = {"variant_id": business.variant_id, "quantity_change": 7, "reason": "Restock", "reference": ODD_REFERENCE}
    created = business.service.post(json.dumps(body).encode(), business.headers(), path=f"{ADJUSTMENTS}{slash}")

    answer = read_at_location(business, created)

    assert (answer.status_code, answer.json()) == (200, created.json())
    path = f"{ADJUSTMENTS}/{created.json()['id']}/reversal{slash}"
    reversal = business.service.post(b'{"reason": "Mistake"}', business.headers(), path=path)
    assert read_at_location(business, reversal).json() == reversal.json()
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]


def test_unknown_and_foreign_adjustments_are_not_found(service: Service, business: Business) -> None:
    foreign = service.new_business().adjust(1).json()["id"]

    answers = [get(business, f"{ADJUSTMENTS}/{each}") for each in (foreign, uuid4())]

    assert [code_of(each) for each in answers] == [(404, "adjustment_not_found")] * 2
    assert answers[0].text == answers[1].text
    assert get(business, f"{ADJUSTMENTS}/x").status_code == 422


def test_the_list_is_newest_first_and_each_filter_finds_its_own(service: Service, business: Business) -> None:
    other_variant = service.operate("register_variant", business_id=business.id, sku="SKU-2")["variant_id"]
    written = [
        business.adjust(10).json(),
        business.adjust(2, location_id=business.other_location_id, reason_code="found").json(),
        business.adjust(3, variant_id=other_variant, reference=ODD_REFERENCE).json(),
        business.adjust(-4, reason_code="damage", reference="A+B").json(),
    ]
    first, second, third, fourth = written

    assert found(business, ADJUSTMENTS) == written[::-1]
    assert found(business, ADJUSTMENTS, variant_id=business.variant_id) == [fourth, second, first]
    assert found(business, ADJUSTMENTS, variant_id=business.variant_id, location_id=business.location_id) == [
        fourth,
        first,
    ]
    assert found(business, ADJUSTMENTS, location_id=business.other_location_id) == [second]
    assert found(business, ADJUSTMENTS, reason_code="damage") == [fourth]
    assert found(business, ADJUSTMENTS, reference=ODD_REFERENCE) == [third]
    assert found(business, ADJUSTMENTS, reference="A+B", variant_id=business.variant_id.upper()) == [fourth]
    assert found(business, ADJUSTMENTS, created_from=second["created_at"], created_to=fourth["created_at"]) == [
        third,
        second,
    ]
    assert found(business, ADJUSTMENTS, created_to=first["created_at"]) == []
    assert found(business, ADJUSTMENTS, variant_id=str(uuid4())) == []
    assert [len(page) for page in pages(business, limit=3)] == [3, 1]


def test_the_pages_example_works_when_it_is_pasted(business: Business) -> None:
    created = business.adjust(3, reason_code="damage").json()
    business.adjust(3, reason_code="found")
    example = re.search(r"^\$ (curl -G .*?)\n\n", page("docs/api.md"), re.MULTILINE | re.DOTALL)
    assert example
    settings = {
        "BASE_URL": business.service.base_url,
        "TOKEN": business.token,
        "BUSINESS": business.id,
        "VARIANT": business.variant_id,
        "NO_PROXY": "127.0.0.1",
    }

    printed = subprocess.check_output(  # noqa: S603  our own page
        ["bash", "-c", example[1]],  # noqa: S607
        env=os.environ | settings,
        stderr=subprocess.DEVNULL,
    )

    assert json.loads(printed) == {"data": [created], "next_cursor": None}


def test_an_unencoded_plus_in_an_instant_is_read_as_a_plus(business: Business) -> None:
    created = business.adjust(1).json()
    local = (datetime.fromisoformat(created["created_at"]) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")

    url = f"{business.service.base_url}{ADJUSTMENTS}?created_from={local}+01:00"

    assert business.service.http.get(url, headers=business.headers()).json()["data"] == [created]


def test_an_instant_in_nanoseconds_separates_rows_exactly(business: Business) -> None:
    """It lies right behind the row, in the row's own microsecond."""
    created = business.adjust(1).json()
    instant = f"{created['created_at'][:-1]}001Z"

    assert found(business, ADJUSTMENTS, created_from=instant) == []
    assert found(business, ADJUSTMENTS, created_to=instant) == [created]
    assert found(business, LEVELS, variant_id=business.variant_id, as_of=instant) == [level_after(created)]


@pytest.mark.parametrize("by_variant", [False, True])
def test_pages_are_exact_while_others_write(business: Business, by_variant: bool) -> None:  # noqa: FBT001
    locations = [business.location_id, business.other_location_id]
    there = [business.adjust(1, location_id=locations[number % 2]).json() for number in range(30)]
    read = Event()

    def write(number: int) -> list[dict[str, Any]]:
        written = []
        while not read.is_set():
            answer = business.adjust(1, location_id=locations[number % 2])
            assert answer.status_code == 201
            written.append(answer.json())
        return written

    wanted = {"variant_id": business.variant_id} if by_variant else {}
    with ThreadPoolExecutor(4) as writers:
        writing = [writers.submit(write, number) for number in range(4)]
        try:
            several = [pages(business, limit=limit, **wanted) for limit in (4, 25)]
        finally:
            read.set()
        written = [row for each in writing for row in each.result()]

    everything = {row["id"]: row for row in there + written}
    assert len(written) > 0
    for one in several:
        rows = [row for page in one for row in page]
        places = [(row["created_at"], row["id"]) for row in rows]
        assert places == sorted(set(places), reverse=True)
        assert {row["id"] for row in there} <= {row["id"] for row in rows}
        assert all(everything[row["id"]] == row for row in rows)


def test_a_foreign_or_altered_cursor_is_rejected_at_its_parameter(service: Service, business: Business) -> None:
    other = service.new_business()
    for each in (business, other):
        each.opened_with(1).opened_with(1)
    own, foreign = (get(each, ADJUSTMENTS, {"limit": 1}).json()["next_cursor"] for each in (business, other))
    assert get(business, ADJUSTMENTS, {"cursor": own}).status_code == 200

    for parameters in ({"cursor": foreign}, {"cursor": own[:-2]}, {"cursor": own, "reason_code": "damage"}):
        answer = get(business, ADJUSTMENTS, parameters)
        assert answer.status_code == 422
        assert [(each["loc"], each["type"]) for each in answer.json()["detail"]] == [
            (["query", "cursor"], "value_error")
        ]


def test_every_wrong_parameter_is_reported(business: Business) -> None:
    answer = get(business, ADJUSTMENTS, {"limit": 0, "created_from": "yesterday", "variantId": business.variant_id})

    assert answer.status_code == 422
    assert [(each["loc"][1], each["type"]) for each in answer.json()["detail"]] == [
        ("created_from", "datetime_from_date_parsing"),
        ("limit", "greater_than_equal"),
        ("variantId", "extra_forbidden"),
    ]


# ------------------------------------------------------------------------------------------------------------- levels


def level_after(adjustment: dict[str, Any]) -> dict[str, Any]:
    return {
        "variant_id": adjustment["variant_id"],
        "location_id": adjustment["location_id"],
        "quantity": adjustment["quantity_after"],
        "sequence": adjustment["sequence"],
        "updated_at": adjustment["created_at"],
        "sku": "SKU-1",
        "counted_at": None,
    }


def by_location(*adjustments: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(map(level_after, adjustments), key=lambda level: str(level["location_id"]))


def test_levels_of_each_location_are_right_now_and_at_any_instant(business: Business) -> None:
    first = business.adjust(10).json()
    second = business.adjust(5, location_id=business.other_location_id).json()
    third = business.adjust(-3).json()
    variant = business.variant_id
    just_before = (datetime.fromisoformat(third["created_at"]) - timedelta(microseconds=1)).isoformat()

    assert found(business, LEVELS, variant_id=variant) == by_location(second, third)
    assert found(business, LEVELS, variant_id=variant, location_id=business.location_id) == [level_after(third)]
    assert found(business, LEVELS, variant_id=variant, as_of=third["created_at"]) == by_location(second, third)
    assert found(business, LEVELS, variant_id=variant, as_of=just_before) == by_location(first, second)
    assert found(business, LEVELS, variant_id=variant, as_of=first["created_at"]) == [level_after(first)]
    assert found(business, LEVELS, variant_id=variant, as_of="2020-01-01T00:00:00Z") == []
    assert [len(page) for page in pages(business, LEVELS, variant_id=variant, limit=1)] == [1, 1]


def test_unadjusted_variants_have_no_levels_and_deactivated_ones_stay_readable(
    service: Service, business: Business
) -> None:
    variant = business.variant_id
    assert found(business, LEVELS, variant_id=variant) == []
    assert code_of(get(business, LEVELS, {"variant_id": str(uuid4())})) == (404, "variant_not_found")
    assert code_of(get(business, LEVELS, {"variant_id": variant, "location_id": str(uuid4())})) == (
        404,
        "location_not_found",
    )
    assert found(business, LEVELS) == []

    created = business.adjust(1)
    service.operate("deactivate_variant", business_id=business.id, variant_id=variant)

    assert found(business, LEVELS, variant_id=variant) == [level_after(created.json())]
    assert read_at_location(business, created).json() == created.json()


def test_the_levels_of_another_business_are_not_found(service: Service, business: Business) -> None:
    foreign = service.new_business().opened_with(3)

    assert code_of(get(business, LEVELS, {"variant_id": foreign.variant_id})) == (404, "variant_not_found")


# ------------------------------------------------------------------------------------------------------------- access


def test_a_token_with_the_read_scope_reads_everything_and_writes_nothing(service: Service, business: Business) -> None:
    created = business.adjust(1)
    reader = with_scopes(business, "adjustments:read")

    for path, parameters in (
        (f"{ADJUSTMENTS}/{created.json()['id']}", None),
        (ADJUSTMENTS, None),
        (LEVELS, {"variant_id": business.variant_id}),
    ):
        assert get(business, path, parameters, headers=reader).status_code == 200
    assert code_of(service.post(business.body(1), business.headers(**reader))) == (403, "forbidden")


@pytest.mark.parametrize("scopes", [("adjustments:write",), ("adjustments:write", "adjustments:reverse")])
def test_a_token_without_the_read_scope_reads_nothing(business: Business, scopes: tuple[str, ...]) -> None:
    created = business.adjust(1)
    writer = with_scopes(business, *scopes)

    for path in (f"{ADJUSTMENTS}/{created.json()['id']}", ADJUSTMENTS, f"{LEVELS}?variant_id={business.variant_id}"):
        assert code_of(get(business, path, headers=writer)) == (403, "forbidden")


def test_a_token_reads_in_its_own_business_only(service: Service, business: Business) -> None:
    created = business.adjust(1)
    other = service.new_business()

    for path in (f"{ADJUSTMENTS}/{created.json()['id']}", ADJUSTMENTS):
        answer = get(business, path, headers={"x-business-id": other.id})
        assert code_of(answer) == (403, "forbidden")


@pytest.mark.parametrize("path", ["/api/v1/inventory", LEVELS + "/x", ADJUSTMENTS + "/x/y", "/api/v1/inventory/level"])
def test_an_unknown_path_is_not_found(path: str, business: Business) -> None:
    assert code_of(get(business, path)) == (404, "not_found")
