"""The Idempotency-Key header: 1 to 255 visible ASCII characters, and its errors before those of the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.builders.requests import a_body

if TYPE_CHECKING:
    from tests.support.harness.write_service import Service

KEY = "Idempotency-Key"
WHERE = ("header", "idempotency-key")
EVERY_VISIBLE_CHARACTER = "".join(map(chr, range(0x21, 0x7F)))


@pytest.mark.parametrize("key", ["k", "k" * 255, EVERY_VISIBLE_CHARACTER, "8e03978e-40d5-43e8-bc93-6894a57f9324"])
def test_a_visible_ascii_key_of_up_to_255_characters_is_accepted(service: Service, key: str) -> None:
    assert service.post(headers=[(KEY, key)]).status == 201


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("", "string_too_short"),
        (" ", "string_too_short"),
        ("k" * 256, "string_too_long"),
        ("two words", "value_error"),
        ("tab\tinside", "value_error"),
        ("caf\u00e9", "value_error"),
        ("nul\x00", "value_error"),
        ("del\x7f", "value_error"),
        ("half a pair \ud800", "string_unicode"),
        ("\u00a0", "value_error"),
    ],
)
def test_any_other_key_is_invalid(service: Service, key: str, kind: str) -> None:
    answer = service.post(headers=[(KEY, key)])

    assert (answer.status, answer.problems) == (422, [(WHERE, kind)])
    assert service.tables.rows == []


def test_white_space_around_a_key_is_not_part_of_it(service: Service) -> None:
    first, second = (service.post(headers=[(KEY, key)]) for key in (" \tkey ", "key"))

    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.body == second.body


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), ("", "a")])
def test_a_repeated_key_is_invalid_even_with_equal_values(service: Service, keys: tuple[str, str]) -> None:
    answer = service.post(headers=[(KEY, keys[0]), (KEY, keys[1])])

    assert (answer.status, answer.problems) == (422, [(WHERE, "value_error")])


def test_a_repeated_key_in_different_cases_is_invalid(service: Service) -> None:
    answer = service.post(headers=[(KEY, "a"), (KEY.lower(), "a")])

    assert (answer.status, answer.problems) == (422, [(WHERE, "value_error")])


@pytest.mark.parametrize("name", ["idempotency-key", "IDEMPOTENCY-KEY", "Idempotency-Key", "iDEMPOTENCY-kEY"])
@pytest.mark.parametrize("multiple", [True, False], ids=["several values", "single values"])
def test_the_name_of_the_header_is_found_in_any_case(service: Service, name: str, multiple: bool) -> None:  # noqa: FBT001
    changes = {} if multiple else {"multiValueHeaders": None}

    answers = [service.post(headers=[(each, "key")], **changes) for each in (KEY, name)]

    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]


def test_errors_of_the_header_come_before_those_of_the_body(service: Service) -> None:
    answer = service.post(a_body(quantity_change=0, reason=...), headers=[(KEY, "")])

    assert answer.problems == [
        (WHERE, "string_too_short"),
        (("body", "quantity_change"), "value_error"),
        (("body", "reason"), "missing"),
    ]


def test_a_bad_header_is_reported_even_when_the_body_is_not_json(service: Service) -> None:
    answer = service.post(b"{", headers=[(KEY, "two words")])

    assert answer.problems == [(WHERE, "value_error"), (("body", "*"), "json_invalid")]


def test_a_request_without_the_header_has_no_key(service: Service) -> None:
    first, second = service.post(), service.post()

    assert first.body["id"] != second.body["id"]
    assert [answer.body["quantity_after"] for answer in (first, second)] == [5, 10]
