"""The read function: each of its routes, the business that it reads, and its answers to faults."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.api import routes
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.responses import adjustment_members
from inventory.storage import cursors
from tests.support.builders.domain import an_adjustment, history
from tests.support.builders.ids import (
    ADJUSTMENT,
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    OTHER_VARIANT,
    TICK,
    VARIANT,
)
from tests.support.builders.requests import an_authorizer_context
from tests.support.fakes.tables import LEDGER_TABLE
from tests.support.faults.wire import broken, fault, reply
from tests.support.harness.loading import Context
from tests.support.harness.read_service import LEVELS, LIST, ONE, ReadService, a_get_event
from tests.support.harness.write_service import NAMESPACE

if TYPE_CHECKING:
    from inventory.api.routes import Route
    from tests.support.harness.write_service import Answer

REVERSAL = UUID(int=99)
THIS = {"id": str(ADJUSTMENT)}
OF_VARIANT = [("variant_id", str(VARIANT))]
READ_ROUTES = [each for each in routes.ROUTES if each.function == "read_inventory"]


def ids(answer: Answer) -> list[int]:
    return [UUID(each["id"]).int for each in answer.body["data"]]


def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.body["detail"]) == {"code", "message"}
    return answer.status, answer.code


@pytest.mark.parametrize("route", READ_ROUTES, ids=lambda each: each.path)
def test_every_route_of_the_function_is_served(route: Route, reading: ReadService) -> None:
    path = dict.fromkeys(re.findall(r"{(\w+)}", route.path), str(VARIANT))

    assert reading.get(route.path, path=path).status in {200, 404, 422}


# --- one adjustment --------------------------------------------------------------------------------------------------


def test_an_adjustment_is_answered_as_it_was_when_it_was_created(reading: ReadService) -> None:
    row = an_adjustment(reason='Größe "L"\n📦', reference="CC-17", reason_code="damage")
    reading.tables.with_history(row)

    answer = reading.get(ONE, path=THIS)

    assert (answer.status, answer.body) == (200, adjustment_members(row))
    assert list(answer.body) == list(adjustment_members(row))


def test_a_reversed_adjustment_names_its_reversal(reading: ReadService) -> None:
    row = an_adjustment()
    reading.tables.with_history(row)
    reading.tables.with_link(ADJUSTMENT, REVERSAL)

    assert reading.get(ONE, path=THIS).body == adjustment_members(row) | {"reversed_by": str(REVERSAL)}
    assert reading.get(LIST).body["data"] == [adjustment_members(row) | {"reversed_by": str(REVERSAL)}]


def test_an_answer_may_not_be_cached_on_the_way(reading: ReadService) -> None:
    reading.tables.with_history(an_adjustment())

    assert reading.get(ONE, path=THIS).headers == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "x-request-id": Context().aws_request_id,
    }


@pytest.mark.parametrize("there", [True, False], ids=["another business's", "unknown"])
def test_unknown_and_foreign_adjustments_get_the_same_answer(reading: ReadService, there: bool) -> None:  # noqa: FBT001
    if there:
        reading.tables.with_history(an_adjustment(business_id=OTHER_BUSINESS))
        reading.tables.with_link(ADJUSTMENT, REVERSAL, business_id=OTHER_BUSINESS)

    answer = reading.get(ONE, path=THIS)

    assert refused(answer) == (404, "adjustment_not_found")
    assert answer.body["detail"]["message"] == "There is no such adjustment in this business."


def test_an_adjustments_id_may_be_spelt_as_any_uuid_may(reading: ReadService) -> None:
    reading.tables.with_history(an_adjustment())

    assert reading.get(ONE, path={"id": f"{{{str(ADJUSTMENT).upper()}}}"}).status == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [({"id": "x"}, "uuid_parsing"), ({"id": ""}, "uuid_parsing"), ({"id": "\ud800"}, "string_unicode")],
)
def test_an_invalid_id_in_the_path_is_reported_at_the_path(
    reading: ReadService, path: dict[str, str], kind: str
) -> None:
    answer = reading.get(ONE, path=path)

    assert (answer.status, answer.problems) == (422, [(("path", "id"), kind)])
    assert reading.tables.requests == {}


def test_a_route_without_parameters_rejects_any_beside_the_errors_of_its_path(
    reading: ReadService,
) -> None:
    reading.tables.with_history(an_adjustment())

    of_query = [(("query", "limit"), "extra_forbidden")]
    assert reading.get(ONE, [("limit", "1")], path=THIS).problems == of_query
    assert reading.get(ONE, [("limit", "1")], path={"id": "x"}).problems == [
        (("path", "id"), "uuid_parsing"),
        *of_query,
    ]
    assert reading.tables.requests == {}


# --- the list --------------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_ends_without_a_cursor(reading: ReadService) -> None:
    reading.tables.with_history(*history(3))

    answer = reading.get(LIST)

    assert (answer.status, set(answer.body)) == (200, {"data", "next_cursor"})
    assert (ids(answer), answer.body["next_cursor"]) == ([3, 2, 1], None)
    assert answer.body["data"][0] == adjustment_members(history(3)[-1])


def test_an_empty_ledger_is_an_empty_list(reading: ReadService) -> None:
    for query in ([], OF_VARIANT, [*OF_VARIANT, ("location_id", str(LOCATION))], [("variant_id", str(UUID(int=0)))]):
        assert reading.get(LIST, query).body == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 100])
@pytest.mark.parametrize("query", [[], OF_VARIANT, [*OF_VARIANT, ("location_id", str(LOCATION))]])
def test_pages_follow_each_other_and_the_last_has_no_cursor(
    reading: ReadService, limit: int, query: list[tuple[str, str]]
) -> None:
    reading.tables.with_history(*history(6))
    pages = []
    cursor: str | None = ""
    while cursor is not None:
        answer = reading.get(LIST, [*query, ("limit", str(limit)), *([("cursor", cursor)] if cursor else [])])
        pages.append(ids(answer))
        cursor = answer.body["next_cursor"]

    assert [each for page in pages for each in page] == [6, 5, 4, 3, 2, 1]
    assert [len(page) for page in pages] == [limit] * (6 // limit) + ([6 % limit] if 6 % limit else [])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([("variant_id", str(VARIANT))], [4, 2, 1]),
        ([("location_id", str(OTHER_LOCATION))], [2]),
        ([("variant_id", str(VARIANT)), ("location_id", str(LOCATION))], [4, 1]),
        ([("reason_code", "damage")], [3, 2]),
        ([("reference", " Ä €+&=?% ")], [4]),
        ([("reference", "Ä €+&=?%"), ("variant_id", str(VARIANT))], [4]),
        ([("reason_code", "damage"), ("variant_id", str(OTHER_VARIANT))], [3]),
        ([("created_from", instant_text(NOW + timedelta(seconds=2)))], [4, 3, 2]),
        ([("created_to", instant_text(NOW + timedelta(seconds=2)))], [1]),
        (
            [
                ("created_from", instant_text(NOW + timedelta(seconds=2))),
                ("created_to", instant_text(NOW + timedelta(seconds=4))),
            ],
            [3, 2],
        ),
        (
            [
                ("created_from", instant_text(NOW + timedelta(seconds=4))),
                ("created_to", instant_text(NOW + timedelta(seconds=4))),
            ],
            [],
        ),
        ([("created_from", "2026-11-23T15:05:11.123456 01:00")], [4, 3, 2]),
    ],
)
def test_each_filter_finds_its_rows(reading: ReadService, query: list[tuple[str, str]], found: list[int]) -> None:
    first, second, third, fourth = history(4)
    reading.tables.with_history(
        first,
        an_adjustment(id=second.id, created_at=second.created_at, location_id=OTHER_LOCATION, reason_code="damage"),
        an_adjustment(id=third.id, created_at=third.created_at, variant_id=OTHER_VARIANT, reason_code="damage"),
        an_adjustment(id=fourth.id, created_at=fourth.created_at, reference="Ä €+&=?%", sequence=2, quantity_after=10),
    )

    assert ids(reading.get(LIST, query)) == found


def test_the_last_of_repeated_parameters_counts(reading: ReadService) -> None:
    reading.tables.with_history(*history(3))

    answer = reading.get(LIST, [("limit", "100"), ("variant_id", "x"), ("limit", "2"), *OF_VARIANT])

    assert (answer.status, ids(answer)) == (200, [3, 2])
    assert reading.get(LIST, [*OF_VARIANT, ("variant_id", "x")]).status == 422


def test_the_last_counts_even_when_the_single_value_is_the_first(reading: ReadService) -> None:
    reading.tables.with_history(*history(3))

    answer = reading.get(
        LIST, queryStringParameters={"limit": "1"}, multiValueQueryStringParameters={"limit": ["1", "2"]}
    )

    assert ids(answer) == [3, 2]


@pytest.mark.parametrize("members", [{"limit": "2"}, {"limit": "2", "variant_id": str(VARIANT)}])
def test_the_multi_value_parameters_may_be_absent(reading: ReadService, members: dict[str, str]) -> None:
    reading.tables.with_history(*history(3))

    answer = reading.get(LIST, queryStringParameters=members, multiValueQueryStringParameters=None)

    assert ids(answer) == [3, 2]


@pytest.mark.parametrize("query_string", [None, {}])
def test_a_query_string_may_be_null_or_empty(reading: ReadService, query_string: dict[str, str] | None) -> None:
    event = a_get_event(LIST) | {
        "queryStringParameters": query_string,
        "multiValueQueryStringParameters": query_string,
    }
    del event["pathParameters"]

    assert reading.module.handler(event, Context())["statusCode"] == 200


def test_an_unknown_parameter_is_refused_and_costs_no_read(reading: ReadService) -> None:
    answer = reading.get(LIST, [("variantId", str(VARIANT)), ("\ud800", "x")])

    assert (answer.status, answer.problems) == (
        422,
        [(("query", "variantId"), "extra_forbidden"), (("query", "?"), "extra_forbidden")],
    )
    assert reading.tables.requests == {}


def test_the_business_of_a_query_string_is_refused_like_any_other_unknown_parameter(reading: ReadService) -> None:
    answer = reading.get(LIST, [("business_id", str(OTHER_BUSINESS))])

    assert (answer.status, answer.problems) == (422, [(("query", "business_id"), "extra_forbidden")])


# --- cursors ---------------------------------------------------------------------------------------------------------


def cursor_of(reading: ReadService, resource: str = LIST, *query: tuple[str, str], **event: Any) -> str:
    cursor: str = reading.get(resource, [*query, ("limit", "1")], **event).body["next_cursor"]
    return cursor


def test_the_page_size_may_change_between_pages(reading: ReadService) -> None:
    reading.tables.with_history(*history(6))

    answer = reading.get(LIST, [("cursor", cursor_of(reading)), ("limit", "100")])

    assert ids(answer) == [5, 4, 3, 2, 1]


def test_a_cursor_is_valid_for_the_same_filters_in_another_spelling(reading: ReadService) -> None:
    reading.tables.with_history(*history(6))
    cursor = cursor_of(reading, LIST, ("created_from", "2026-11-23T14:05:11.123456Z"), *OF_VARIANT)

    answer = reading.get(
        LIST,
        [
            ("cursor", cursor),
            ("variant_id", VARIANT.hex.upper()),
            ("created_from", "2026-11-23T15:05:11.123456+01:00"),
        ],
    )

    assert ids(answer) == [5, 4, 3, 2]


@pytest.mark.parametrize(
    "query",
    [
        [("reason_code", "damage")],
        [("reference", "x")],
        OF_VARIANT,
        [("location_id", str(LOCATION))],
        [("created_from", "2026-11-23T00:00:00Z")],
        [("created_to", "2027-11-23T00:00:00Z")],
    ],
)
def test_a_cursor_of_other_filters_is_refused(reading: ReadService, query: list[tuple[str, str]]) -> None:
    reading.tables.with_history(*history(2))
    cursor = cursor_of(reading)

    answer = reading.get(LIST, [*query, ("cursor", cursor)])

    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])
    assert answer.body["detail"][0]["input"] == cursor


def test_a_cursor_of_another_business_is_refused(reading: ReadService) -> None:
    reading.tables.with_history(*history(2, business_id=OTHER_BUSINESS), *history(2))
    other = {"x-business-id": str(OTHER_BUSINESS)}
    foreign = cursor_of(
        reading,
        headers=other,
        multiValueHeaders=None,
        authorizer=an_authorizer_context(business_id=str(OTHER_BUSINESS)),
    )

    answer = reading.get(LIST, [("cursor", foreign)])

    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])
    assert foreign != cursor_of(reading)


def test_a_cursor_of_the_other_list_is_refused(reading: ReadService) -> None:
    first, second = history(2)
    reading.tables.with_history(first, an_adjustment(id=second.id, location_id=OTHER_LOCATION))
    of_levels, of_list = cursor_of(reading, LEVELS, *OF_VARIANT), cursor_of(reading, LIST, *OF_VARIANT)

    for resource, cursor in ((LIST, of_levels), (LEVELS, of_list)):
        answer = reading.get(resource, [*OF_VARIANT, ("cursor", cursor)])
        assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


@pytest.mark.parametrize("cursor", ["x", "ü", "A" * 1024, "\ud800"])
def test_a_malformed_cursor_is_rejected_without_a_read(reading: ReadService, cursor: str) -> None:
    for resource in (LIST, LEVELS):
        answer = reading.get(resource, [*OF_VARIANT, ("cursor", cursor)])
        assert answer.status == 422
        assert [place for place, _ in answer.problems] == [("query", "cursor")]
    assert reading.tables.requests == {}


@pytest.mark.parametrize(
    "position",
    [
        "",
        "#",
        "Z#",
        "now",
        f"2026-11-23T14:05:09.123456#{ADJUSTMENT}",
        f"2026-11-23T14:05:09Z#{ADJUSTMENT}",
        f"2026-11-23T15:05:09.123456+01:00#{ADJUSTMENT}",
        f"0001-01-01T00:00:00.000000+23:59#{ADJUSTMENT}",
        "2026-11-23T14:05:09.123456Z#x",
        f"2026-11-23T14:05:09.123456Z#{ADJUSTMENT.hex}",
        f"2026-11-23T14:05:09.123456Z#{ADJUSTMENT}#",
        f"2026-02-30T14:05:09.123456Z#{ADJUSTMENT}",
        LOCATION.hex,
        str(LOCATION).upper(),
        f"{{{LOCATION}}}",
    ],
)
def test_a_forged_cursor_with_a_valid_digest_is_rejected_unless_its_position_is_valid(
    reading: ReadService, position: str
) -> None:
    """The digest's rule is public: a stranger can compute it."""
    of_list = {"list": "AdjustmentsQuery", "business_id": str(BUSINESS)}
    of_levels = {"list": "LevelsQuery", "business_id": str(BUSINESS), "variant_id": str(VARIANT)}

    for resource, query, question in ((LIST, [], of_list), (LEVELS, OF_VARIANT, of_levels)):
        answer = reading.get(resource, [*query, ("cursor", cursors.cursor(position, question))])
        assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


def test_a_cursor_is_refused_in_the_same_words_everywhere(reading: ReadService) -> None:
    fact = "must be one that an earlier answer to the same question issued"
    proof = "/api/v1/inventory/levels/{variant_id}/{location_id}/proof"
    place = {"variant_id": str(VARIANT), "location_id": str(LOCATION)}

    for resource, query, path in ((LIST, [], None), (LEVELS, OF_VARIANT, None), (proof, [], place)):
        assert reading.get(resource, [*query, ("cursor", "x")], path=path).body["detail"] == [
            {
                "type": "value_error",
                "loc": ["query", "cursor"],
                "msg": f"Value error, {fact}",
                "input": "x",
                "ctx": {"error": fact},
            }
        ]


# --- levels ----------------------------------------------------------------------------------------------------------


def a_level(location_id: UUID, quantity: int, sequence: int, seconds: int) -> dict[str, object]:
    return {
        "variant_id": str(VARIANT),
        "location_id": str(location_id),
        "quantity": quantity,
        "sequence": sequence,
        "updated_at": instant_text(NOW + timedelta(seconds=seconds)),
        "sku": None,
        "counted_at": None,
    }


@pytest.fixture
def stocked(reading: ReadService) -> ReadService:
    """Three adjustments at the default location, one at the other, all a second apart."""
    reading.tables.with_history(
        *history(3),
        an_adjustment(id=UUID(int=4), location_id=OTHER_LOCATION, created_at=NOW + timedelta(seconds=4)),
    )
    return reading


def test_levels_list_all_locations_ordered_by_id(stocked: ReadService) -> None:
    assert stocked.get(LEVELS, OF_VARIANT).body == {
        "data": [a_level(LOCATION, 15, 3, 3), a_level(OTHER_LOCATION, 5, 1, 4)],
        "next_cursor": None,
    }


def test_a_level_can_be_read_for_one_location(stocked: ReadService) -> None:
    answer = stocked.get(LEVELS, [*OF_VARIANT, ("location_id", str(OTHER_LOCATION))])

    assert answer.body == {"data": [a_level(OTHER_LOCATION, 5, 1, 4)], "next_cursor": None}


@pytest.mark.parametrize(
    ("seconds", "levels"),
    [
        (0.999999, []),
        (1, [a_level(LOCATION, 5, 1, 1)]),
        (2.5, [a_level(LOCATION, 10, 2, 2)]),
        (2.999999, [a_level(LOCATION, 10, 2, 2)]),
        (3, [a_level(LOCATION, 15, 3, 3)]),
        (4, [a_level(LOCATION, 15, 3, 3), a_level(OTHER_LOCATION, 5, 1, 4)]),
        (10**9, [a_level(LOCATION, 15, 3, 3), a_level(OTHER_LOCATION, 5, 1, 4)]),
    ],
)
def test_levels_of_an_instant_include_what_was_adjusted_at_it(
    stocked: ReadService, seconds: float, levels: list[dict[str, object]]
) -> None:
    as_of = instant_text(NOW + timedelta(seconds=seconds))

    assert stocked.get(LEVELS, [*OF_VARIANT, ("as_of", as_of)]).body == {"data": levels, "next_cursor": None}


@pytest.mark.parametrize("as_of", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_earliest_and_the_latest_instant_are_accepted(stocked: ReadService, as_of: str) -> None:
    answer = stocked.get(LEVELS, [*OF_VARIANT, ("as_of", as_of)])

    assert len(answer.body["data"]) == (2 if as_of.startswith("9") else 0)


def test_levels_are_paged(stocked: ReadService) -> None:
    first = stocked.get(LEVELS, [*OF_VARIANT, ("limit", "1")])
    second = stocked.get(LEVELS, [*OF_VARIANT, ("limit", "1"), ("cursor", first.body["next_cursor"])])

    assert first.body["data"] == [a_level(LOCATION, 15, 3, 3)]
    assert second.body == {"data": [a_level(OTHER_LOCATION, 5, 1, 4)], "next_cursor": None}


def test_a_cursor_of_levels_as_of_another_instant_is_refused(stocked: ReadService) -> None:
    cursor = cursor_of(stocked, LEVELS, *OF_VARIANT)

    answer = stocked.get(LEVELS, [*OF_VARIANT, ("as_of", instant_text(NOW)), ("cursor", cursor)])

    assert (answer.status, answer.problems) == (422, [(("query", "cursor"), "value_error")])


def test_levels_of_an_instant_are_answered_for_one_variant_only(reading: ReadService) -> None:
    answer = reading.get(LEVELS, [("as_of", instant_text(NOW))])

    assert (answer.status, answer.problems) == (422, [(("query", "as_of"), "value_error")])


# --- tenancy ---------------------------------------------------------------------------------------------------------

ROUTES: dict[str, dict[str, Any]] = {ONE: {"path": THIS}, LIST: {}, LEVELS: {"query": OF_VARIANT}}
each_route = pytest.mark.parametrize("resource", ROUTES)


@each_route
@pytest.mark.parametrize("context", [{}, {"authorizer": None}, {"authorizer": {}}], ids=["absent", "null", "empty"])
def test_a_request_that_passed_no_authorizer_is_unauthorized(
    reading: ReadService, resource: str, context: dict[str, object]
) -> None:
    answer = reading.get(resource, **ROUTES[resource], requestContext=context)

    assert refused(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert reading.tables.requests == {}


@each_route
@pytest.mark.parametrize("left", [TICK, timedelta(0)], ids=str)
def test_a_token_that_expired_after_the_authorizer_answered_is_unauthorized(
    reading: ReadService, resource: str, left: timedelta
) -> None:
    reading.module.clock = lambda: NOW
    context = an_authorizer_context(expires_at=instant_text(NOW + left))

    answer = reading.get(resource, **ROUTES[resource], authorizer=context)

    assert (answer.status == 401) == (left == timedelta(0))


@each_route
@pytest.mark.parametrize(
    "authorizer",
    [
        an_authorizer_context(business_id=str(OTHER_BUSINESS)),
        an_authorizer_context(scopes=""),
        an_authorizer_context(scopes="adjustments:write adjustments:reverse"),
        an_authorizer_context(scopes="adjustments:reader"),
        {"subject": "x"},
    ],
    ids=["another business", "no scope", "other scopes", "a longer one", "neither"],
)
def test_a_context_for_another_business_or_without_the_scope_is_forbidden(
    reading: ReadService, resource: str, authorizer: dict[str, str]
) -> None:
    answer = reading.get(resource, **ROUTES[resource], authorizer=authorizer)

    assert refused(answer) == (403, "forbidden")
    assert reading.tables.requests == {}


@each_route
def test_a_header_that_names_another_business_is_forbidden(reading: ReadService, resource: str) -> None:
    answer = reading.get(
        resource, **ROUTES[resource], headers={"x-business-id": str(OTHER_BUSINESS)}, multiValueHeaders=None
    )

    assert refused(answer) == (403, "forbidden")


def test_the_tenant_is_checked_before_the_parameters(reading: ReadService) -> None:
    foreign = an_authorizer_context(business_id=str(OTHER_BUSINESS))

    assert reading.get(LIST, [("limit", "0")], authorizer=foreign).status == 403
    assert reading.get(ONE, path={"id": "x"}, requestContext={}).status == 401


def test_nothing_of_another_business_is_in_any_answer(reading: ReadService) -> None:
    reading.tables.with_history(*history(3, business_id=OTHER_BUSINESS))
    reading.tables.with_variant(business_id=OTHER_BUSINESS)

    assert reading.get(LIST).body["data"] == []
    assert reading.get(LIST, OF_VARIANT).body["data"] == []
    assert reading.get(LIST, [*OF_VARIANT, ("location_id", str(LOCATION))]).body["data"] == []
    assert reading.get(LEVELS, OF_VARIANT).body["data"] == []
    assert refused(reading.get(ONE, path={"id": str(UUID(int=1))})) == (404, "adjustment_not_found")


# --- faults ----------------------------------------------------------------------------------------------------------

PASSING = [fault("ThrottlingException"), fault("InternalServerError", 500), broken(), reply({})]
NEEDED = [(ONE, "BatchGetItem"), (LIST, "Query"), (LIST, "BatchGetItem"), (LEVELS, "Query")]


@pytest.mark.parametrize(("resource", "operation"), NEEDED)
@pytest.mark.parametrize("met", PASSING, ids=["throttled", "failed", "cut off", "torn"])
def test_a_read_that_does_not_finish_in_time_is_answered_with_try_again(
    stocked: ReadService, resource: str, operation: str, met: Any
) -> None:
    stocked.tables.meets(operation, met)

    answer = stocked.get(resource, **ROUTES[resource])

    assert refused(answer) == (503, "try_again")
    assert answer.headers["Retry-After"] == "1"
    assert len(stocked.tables.requests[operation]) == CALL_ATTEMPTS_MAX


@pytest.mark.parametrize(("resource", "operation"), NEEDED)
def test_a_transient_fault_is_retried(stocked: ReadService, resource: str, operation: str) -> None:
    stocked.tables.meets(operation, broken(), reply({}), None)

    assert (
        stocked.get(
            resource, **ROUTES[resource] | ({"path": {"id": str(UUID(int=1))}} if resource == ONE else {})
        ).status
        == 200
    )
    assert len(stocked.pauses_s) == 2


@each_route
@pytest.mark.parametrize("remaining_ms", [0, int(CALL_BUDGET_S * 1000) - 1])
def test_no_read_begins_that_could_outlast_the_invocation(
    stocked: ReadService, resource: str, remaining_ms: int
) -> None:
    answer = stocked.get(resource, **ROUTES[resource], context=Context(remaining_ms=remaining_ms))

    assert refused(answer) == (503, "try_again")
    assert stocked.tables.requests == {}


@pytest.mark.parametrize(("resource", "operation"), NEEDED)
@pytest.mark.parametrize("met", [fault("AccessDeniedException"), fault("ValidationException"), RuntimeError("secret")])
def test_an_unexpected_fault_is_answered_without_details(
    stocked: ReadService, resource: str, operation: str, met: Any
) -> None:
    stocked.tables.meets(operation, met)

    answer = stocked.get(resource, **ROUTES[resource])

    assert refused(answer) == (500, "internal_error")
    assert "secret" not in json.dumps(answer.body)
    assert LEDGER_TABLE not in json.dumps(answer.body)
    assert len(stocked.tables.requests[operation]) == 1


def test_a_route_that_only_the_gateway_knows_is_an_internal_error(reading: ReadService) -> None:
    assert refused(reading.get("/api/v1/inventory/other")) == (500, "internal_error")


def test_the_real_thread_pool_gives_the_same_answers(stocked: ReadService, monkeypatch: pytest.MonkeyPatch) -> None:
    one_after_another = stocked.get(LIST).body, stocked.get(LEVELS, [*OF_VARIANT, ("as_of", instant_text(NOW))]).body
    module = stocked.module
    threads = stocked.module.ThreadPoolExecutor(stocked.module.CALLS_AT_ONCE)
    monkeypatch.setattr(
        module, "reader", module.reader_on(module.lookups, module.index, module.stock_index, threads.map)
    )

    with threads:
        side_by_side = stocked.get(LIST).body, stocked.get(LEVELS, [*OF_VARIANT, ("as_of", instant_text(NOW))]).body

    assert side_by_side == one_after_another


# --- logs and metrics ------------------------------------------------------------------------------------------------

SECRETS = ["dz_secret", "confidential", "whispered", str(ADJUSTMENT), str(VARIANT)]


def lines(reading: ReadService) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    printed = reading.printed()
    return [each for each in printed if "_aws" not in each], [each for each in printed if "_aws" in each]


@pytest.mark.parametrize(
    ("resource", "asked", "metric"),
    [
        (ONE, {"path": THIS}, "ReadAnswered"),
        (LIST, {"query": [("reference", "confidential"), *OF_VARIANT]}, "ReadAnswered"),
        (LEVELS, {"query": OF_VARIANT}, "ReadAnswered"),
        (ONE, {"path": {"id": str(VARIANT)}}, "AdjustmentNotFound"),
        (LIST, {"query": [("cursor", "whispered"), *OF_VARIANT]}, "InvalidRequest"),
        (LEVELS, {"query": [("variant_id", str(OTHER_VARIANT))]}, "VariantNotFound"),
        (LIST, {"authorizer": {}}, "Unauthorized"),
        (LIST, {"authorizer": an_authorizer_context(scopes="")}, "Forbidden"),
    ],
)
def test_each_request_is_counted_once_and_logged_without_sent_text(
    reading: ReadService, resource: str, asked: dict[str, Any], metric: str
) -> None:
    reading.tables.with_history(an_adjustment(reference="confidential", reason="whispered"))

    reading.get(resource, **asked)

    logs, metrics = lines(reading)
    (counted,) = metrics
    (directive,) = counted["_aws"]["CloudWatchMetrics"]
    assert ([each["Name"] for each in directive["Metrics"]], directive["Namespace"]) == ([metric], NAMESPACE)
    assert counted[metric] == [1.0]
    assert len(logs) == 1
    assert [secret for secret in SECRETS if secret in json.dumps([logs, metrics])] == []


def test_an_answer_is_logged_by_business_and_route(reading: ReadService) -> None:
    answer = reading.get(LIST)

    (line,), _ = lines(reading)
    logged = {name: line[name] for name in ("message", "level", "business_id", "resource", "function_request_id")}
    assert logged == {
        "message": "read answered",
        "level": "INFO",
        "business_id": str(BUSINESS),
        "resource": LIST,
        "function_request_id": answer.headers["x-request-id"],
    }


def test_a_fault_is_logged_with_its_cause_and_answered_without(stocked: ReadService) -> None:
    stocked.tables.meets("Query", fault("AccessDeniedException"))

    stocked.get(LIST)

    logs, metrics = lines(stocked)
    assert [(line["message"], line["code"]) for line in logs] == [("unexpected fault", "internal_error")]
    assert "AccessDeniedException" in logs[0]["exception"]
    assert metrics[0]["InternalError"] == [1.0]


def test_the_event_logging_setting_of_powertools_logs_no_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    reading = ReadService(monkeypatch, capsys)

    reading.get(LIST)

    logs, _ = lines(reading)
    assert [line["message"] for line in logs] == ["read answered"]
    assert "dz_secret" not in json.dumps(logs)
