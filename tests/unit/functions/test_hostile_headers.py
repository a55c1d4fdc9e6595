"""Headers, ids and texts that try to escape from an item key, a log line or a response header."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.builders.domain import an_adjustment
from tests.support.builders.hostile_events import INJECTIONS
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, OTHER_BUSINESS, VARIANT
from tests.support.builders.requests import a_body
from tests.support.harness.entry_points import MARK
from tests.support.harness.read_service import LEVELS, LIST, ONE

if TYPE_CHECKING:
    from tests.support.harness.read_service import ReadService
    from tests.support.harness.write_service import Service

KEY = "Idempotency-Key"
DELIMITED = [
    f"{BUSINESS}#{ADJUSTMENT}",
    f"STOCK#{BUSINESS}#{VARIANT}",
    f"{VARIANT}#",
    f"#{VARIANT}",
    f"{VARIANT}\x00",
    f"{VARIANT}/{LOCATION}",
    f"{VARIANT}%23",
    "REVERSAL",
    "SETTINGS",
]


@pytest.mark.parametrize("named", DELIMITED)
@pytest.mark.parametrize("field", ["variant_id", "location_id"])
def test_no_id_in_a_body_can_form_another_item_key(service: Service, field: str, named: str) -> None:
    answer = service.post(a_body(**{field: named}))

    assert (answer.status, answer.problems) == (422, [(("body", field), "uuid_parsing")])
    assert service.tables.requests == {}


@pytest.mark.parametrize("named", DELIMITED)
def test_no_id_in_a_path_or_query_string_can_form_another_item_key(reading: ReadService, named: str) -> None:
    assert reading.get(ONE, path={"id": named}).status == 422
    assert reading.get(LEVELS, [("variant_id", named)]).status == 422
    assert reading.get(LIST, [("location_id", named)]).status == 422
    assert reading.tables.requests == {}


@pytest.mark.parametrize("key", ["#", "a#b", f"{OTHER_BUSINESS}#key", "STOCK#1#2", "../x", "'--"])
def test_an_idempotency_key_may_hold_delimiters_because_only_its_digest_is_stored(service: Service, key: str) -> None:
    answers = [service.post(headers=[(KEY, each)]) for each in (key, key, key.replace("#", ":") + "x")]

    assert [answer.status for answer in answers] == [201, 201, 201]
    assert answers[0].body == answers[1].body
    assert [row["pk"]["S"] for row in service.tables.rows] == [
        f"{BUSINESS}#{answer.body['id']}" for answer in answers[1:]
    ]


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_long_header_gets_a_short_answer(service: Service, size: int) -> None:
    answers = [
        service.post(headers=[(KEY, "k" * size)]),
        service.post(headers=[("x-business-id", "b" * size)]),
        service.post(headers=[(f"x-{'n' * size}", "1")]),
    ]

    assert [answer.status for answer in answers] == [422, 403, 201]
    assert all(answer.size_bytes < 1024 for answer in answers)


def test_a_thousand_headers_change_nothing(service: Service) -> None:
    assert service.post(headers=[(f"x-{number}", MARK) for number in range(1000)]).status == 201


@pytest.mark.parametrize("shown", [str(BUSINESS), str(OTHER_BUSINESS)])
def test_the_multi_value_headers_count_when_the_two_lists_disagree(service: Service, shown: str) -> None:
    """The gateway shows one value of each header, and all of them beside it."""
    several = {"x-business-id": [str(OTHER_BUSINESS)]}

    answer = service.post_event(headers={"x-business-id": shown}, multiValueHeaders=several)

    assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_sent_text_adds_no_log_line_and_no_text_to_a_line(service: Service, text: str) -> None:
    answers = [
        service.post(a_body(reason=text[:400])),
        service.post(a_body(variant_id=text, reference=text)),
        service.post(headers=[(KEY, text)]),
        service.post(headers=[("x-business-id", text)]),
        service.post(a_body(**{text: 1})),
    ]

    lines = [line for line in service.printed() if "_aws" not in line]
    assert len(lines) == len(answers)
    assert not [line for line in lines if MARK in json.dumps(line)]


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_no_sent_text_reaches_a_response_header(service: Service, text: str) -> None:
    for answer in (service.post(headers=[(KEY, text)]), service.post(a_body(reference=text))):
        assert set(answer.headers) <= {"Content-Type", "x-request-id", "Location", "Idempotent-Replayed"}
        assert MARK not in str(answer.headers)


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_a_read_logs_its_route_and_not_its_parameters(reading: ReadService, text: str) -> None:
    reading.tables.with_history(an_adjustment())
    reading.get(LIST, [("reference", text), ("cursor", text)])
    reading.get(LIST, [(text, text)])
    reading.get(ONE, path={"id": text})

    lines = [line for line in reading.printed() if "_aws" not in line]
    assert len(lines) == 3
    assert MARK not in json.dumps(lines)
