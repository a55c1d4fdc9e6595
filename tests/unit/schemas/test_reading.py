"""The rules of paths and query strings, with errors in FastAPI's form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

import pytest

from inventory.domain.errors import InvalidRequest
from inventory.domain.model import ReasonCode
from inventory.schemas.base import validated
from inventory.schemas.reading import AdjustmentPath, AdjustmentsQuery, LevelPath, LevelsQuery, ProofQuery
from tests.support.builders.ids import ADJUSTMENT, LOCATION, VARIANT

if TYPE_CHECKING:
    from inventory.domain.errors import ValidationEntry
    from inventory.schemas.base import RequestModel


def problems(model: type[RequestModel], members: dict[str, str], place: str = "query") -> list[ValidationEntry]:
    with pytest.raises(InvalidRequest) as raised:
        validated(model, members, place=place)
    return raised.value.entries


def kinds(
    model: type[RequestModel], members: dict[str, str], place: str = "query"
) -> list[tuple[tuple[str | int, ...], str]]:
    return [(tuple(each["loc"]), each["type"]) for each in problems(model, members, place)]


def instant(text: str) -> datetime | None:
    return validated(AdjustmentsQuery, {"created_from": text}, place="query").created_from


def limit(text: str) -> int:
    return validated(AdjustmentsQuery, {"limit": text}, place="query").limit


def test_nothing_asked_for_is_everything_in_pages_of_fifty() -> None:
    query = validated(AdjustmentsQuery, {}, place="query")

    assert query.model_dump() == dict.fromkeys(AdjustmentsQuery.model_fields) | {"order": "desc", "limit": 50}


def test_everything_may_be_asked_for_at_once() -> None:
    query = validated(
        AdjustmentsQuery,
        {
            "variant_id": str(VARIANT),
            "location_id": str(LOCATION),
            "reason_code": "damage",
            "reference": "CC-17",
            "created_by": "till-3",
            "kind": "count",
            "group_id": str(ADJUSTMENT),
            "idempotency_key": "delivery-7",
            "order": "asc",
            "include": "chain",
            "created_from": "2026-11-23T00:00:00Z",
            "created_to": "2026-11-24T00:00:00Z",
            "limit": "7",
            "cursor": "abc",
        },
        place="query",
    )

    assert query.model_dump() == {
        "variant_id": VARIANT,
        "sku": None,
        "location_id": LOCATION,
        "reason_code": "damage",
        "reference": "CC-17",
        "created_by": "till-3",
        "kind": "count",
        "group_id": ADJUSTMENT,
        "idempotency_key": "delivery-7",
        "order": "asc",
        "include": "chain",
        "created_from": datetime(2026, 11, 23, tzinfo=UTC),
        "created_to": datetime(2026, 11, 24, tzinfo=UTC),
        "limit": 7,
        "cursor": "abc",
    }


@pytest.mark.parametrize("spelling", [str(VARIANT).upper(), VARIANT.hex, f"{{{VARIANT}}}", f"urn:uuid:{VARIANT}"])
def test_ids_may_be_spelt_as_in_a_body(spelling: str) -> None:
    assert validated(LevelsQuery, {"variant_id": spelling}, place="query").variant_id == VARIANT
    assert validated(AdjustmentPath, {"id": spelling}, place="path").id == VARIANT


@pytest.mark.parametrize("code", get_args(ReasonCode.__value__))
def test_every_reason_code_may_be_asked_for(code: str) -> None:
    assert validated(AdjustmentsQuery, {"reason_code": code}, place="query").reason_code == code


def test_a_reference_is_looked_for_as_it_is_stored() -> None:
    assert validated(AdjustmentsQuery, {"reference": " Ä €+&=?% "}, place="query").reference == "Ä €+&=?%"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("variant_id", "x", "uuid_parsing"),
        ("variant_id", "", "uuid_parsing"),
        ("location_id", f"{LOCATION}0", "uuid_parsing"),
        ("reason_code", "Damage", "string_pattern_mismatch"),
        ("reason_code", "", "string_pattern_mismatch"),
        ("reference", "", "string_too_short"),
        ("reference", " ", "string_too_short"),
        ("reference", "x" * 256, "string_too_long"),
        ("reference", "a\nb", "value_error"),
        ("limit", "0", "greater_than_equal"),
        ("limit", "-1", "greater_than_equal"),
        ("limit", "101", "less_than_equal"),
        ("limit", "many", "int_parsing"),
        ("limit", "1.5", "int_parsing"),
        ("limit", "", "int_parsing"),
        ("limit", "9" * 5_000, "int_parsing_size"),
        ("cursor", "", "string_too_short"),
        ("cursor", "x" * 1025, "string_too_long"),
        ("variantId", str(VARIANT), "extra_forbidden"),
        ("business_id", str(VARIANT), "extra_forbidden"),
        ("", "x", "extra_forbidden"),
        ("as_of", "2026-11-23T00:00:00Z", "extra_forbidden"),
    ],
)
def test_an_invalid_parameter_of_the_list_is_reported_at_its_name(name: str, value: str, kind: str) -> None:
    assert kinds(AdjustmentsQuery, {name: value}) == [(("query", name), kind)]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"as_of": "2026-11-23T00:00:00Z"}, [(("query", "as_of"), "value_error")]),
        ({"variant_id": "x", "as_of": "2026-11-23T00:00:00Z"}, [(("query", "variant_id"), "uuid_parsing")]),
        ({"variant_id": str(VARIANT), "sku": "MUG"}, [(("query", "sku"), "value_error")]),
        ({"sku": " "}, [(("query", "sku"), "string_too_short")]),
        ({"quantity_at_most": "1.5"}, [(("query", "quantity_at_most"), "int_parsing")]),
        ({"quantity_at_least": str(2**53)}, [(("query", "quantity_at_least"), "less_than_equal")]),
        ({"variant_id": "x"}, [(("query", "variant_id"), "uuid_parsing")]),
        ({"variant_id": str(VARIANT), "as_of": "now"}, [(("query", "as_of"), "datetime_from_date_parsing")]),
        ({"variant_id": str(VARIANT), "limit": "101"}, [(("query", "limit"), "less_than_equal")]),
        ({"variant_id": str(VARIANT), "created_from": "x"}, [(("query", "created_from"), "extra_forbidden")]),
    ],
)
def test_an_invalid_parameter_of_the_levels_is_reported_at_its_name(members: dict[str, str], found: Any) -> None:
    assert kinds(LevelsQuery, members) == found


def test_an_invalid_path_is_reported_at_the_path() -> None:
    assert kinds(AdjustmentPath, {"id": "x"}, "path") == [(("path", "id"), "uuid_parsing")]
    assert kinds(AdjustmentPath, {}, "path") == [(("path", "id"), "missing")]
    assert kinds(LevelPath, {"variant_id": "x", "location_id": str(LOCATION)}, "path") == [
        (("path", "variant_id"), "uuid_parsing")
    ]
    assert validated(AdjustmentPath, {"id": str(ADJUSTMENT)}, place="path").id == ADJUSTMENT


def test_a_proof_takes_a_cursor_only() -> None:
    assert validated(ProofQuery, {"cursor": "abc"}, place="query").cursor == "abc"
    assert kinds(ProofQuery, {"limit": "5"}) == [(("query", "limit"), "extra_forbidden")]


def test_every_wrong_parameter_is_reported_in_the_models_order_with_unknown_ones_last() -> None:
    sent = {"zebra": "1", "limit": "0", "created_to": "x", "created_from": "y", "variant_id": "z"}

    assert [place[1] for place, _ in kinds(AdjustmentsQuery, sent)] == [
        "variant_id",
        "created_from",
        "created_to",
        "limit",
        "zebra",
    ]


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("100", 100), ("+5", 5), (" 5 ", 5), ("5.0", 5)])
def test_a_limit_is_a_number_from_one_to_a_hundred(text: str, number: int) -> None:
    assert limit(text) == number


# --- instants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T14:05:09.123456Z",
        "2026-11-23t14:05:09.123456z",
        "2026-11-23 14:05:09.123456Z",
        "2026-11-23T14:05:09,123456Z",
        "2026-11-23T15:05:09.123456+01:00",
        "2026-11-23T15:05:09.123456+0100",
        "2026-11-23T08:35:09.123456-05:30",
        "2026-11-23T14:05:09.123456-00:00",
        "2026-11-23T16:05:09.123456+02",
        "2026-11-23T14:06:39.123456+00:01:30",
        "20261123T140509.123456Z",
        "20261123T160509,123456+0200",
        "2026-W48-1T14:05:09.123456Z",
        "2026W481T140509.123456Z",
        "2026-11-23T14:05:09.123456000Z",
        "2026-11-23T14:05:09.123456" + "0" * 1000 + "Z",
    ],
)
def test_an_instant_may_be_written_with_any_offset(text: str) -> None:
    assert instant(text) == datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)


def test_an_instant_is_kept_in_utc_so_that_one_question_has_one_spelling() -> None:
    at = instant("2026-11-23T15:05:09+01:00")

    assert at is not None
    assert at.isoformat() == "2026-11-23T14:05:09+00:00"


@pytest.mark.parametrize(
    "text", ["2026-11-23T15:05:09 01:00", "2026-11-23T15:05:09 0100", "2026-11-23 15:05 01", "20261123 1505 01"]
)
def test_a_plus_that_was_not_encoded_is_meant_as_one(text: str) -> None:
    at = instant(text)

    assert at is not None
    assert (at.hour, at.minute, at.utcoffset()) == (14, 5, UTC.utcoffset(None))


@pytest.mark.parametrize(
    ("text", "digits"),
    [("2026-11-23T14:05Z", 0), ("2026-11-23T14Z", 0), ("2026-11-23T14:05:00.5Z", 500_000), ("0001-01-01T00:00Z", 0)],
)
def test_an_instant_may_be_less_fine_than_a_microsecond(text: str, digits: int) -> None:
    at = instant(text)

    assert at is not None
    assert at.microsecond == digits


@pytest.mark.parametrize(
    "text",
    [
        "1795442709",
        "-1",
        "now",
        "",
        "2026-11-23T",
        "2026-11-23Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T14.5Z",
        "2026-11-23T14:05.5Z",
        "2026-11-23T1405.5Z",
        "2026-11-23T14:05:09.Z",
        "2026-11-23T14:05:09 Z",
        "2026-11-23_14:05:09Z",
        "2026-11-23T14:0509Z",
        "2026-1123T14:05:09Z",
        "2026-327T14:05:09Z",
        "0000-01-01T00:00:00Z",
        "2026-11-23T14:05:09\u221201:00",
        "2026-11-23T14:05:60Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T14:05:09+24:00",
        "2026-11-23T14:05:09 -01:00",
        "2026-11-23T14:05:09Z[Europe/Berlin]",
        "٢٠٢٦-11-23T14:05:09Z",
        "2026-11-23T14:05:09Z\n",
    ],
)
def test_text_that_is_not_an_instant_is_rejected(text: str) -> None:
    assert kinds(AdjustmentsQuery, {"created_from": text}) == [
        (("query", "created_from"), "datetime_from_date_parsing")
    ]


@pytest.mark.parametrize(
    "text", ["2026-11-23T14:05:09", "20261123T140509", "2026-11-23 14:05", "2026-11-23", "20261123"]
)
def test_an_instant_without_an_offset_could_be_any_and_so_could_a_day(text: str) -> None:
    (found,) = problems(AdjustmentsQuery, {"created_to": text})

    assert (found["type"], found["msg"]) == ("timezone_aware", "Input should have timezone info")
    assert found["input"] == text


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("2026-11-23T14:05:09.123456Z", "09.123456", "09.123456"),
        ("2026-11-23T14:05:09.1234560000Z", "09.123456", "09.123456"),
        ("2026-11-23T14:05:09.1234561Z", "09.123456", "09.123457"),
        ("2026-11-23T14:05:09.123456999Z", "09.123456", "09.123457"),
        ("2026-11-23T14:05:09.123456" + "0" * 50 + "1Z", "09.123456", "09.123457"),
        ("2026-11-23T14:05:09.999999999Z", "09.999999", "10.000000"),
        ("20261123T160509.9999990001+02", "09.999999", "10.000000"),
    ],
)
def test_what_is_finer_than_our_microseconds_is_asked_for_exactly(text: str, before: str, after: str) -> None:
    """Up to an instant are the rows of the microsecond before it; from it on, and before it, it is the one after."""
    listed = validated(AdjustmentsQuery, {"created_from": text, "created_to": text}, place="query")
    levels = validated(LevelsQuery, {"variant_id": str(VARIANT), "as_of": text}, place="query")

    assert listed.created_from == listed.created_to == datetime.fromisoformat(f"2026-11-23T14:05:{after}Z")
    assert levels.as_of == datetime.fromisoformat(f"2026-11-23T14:05:{before}Z")


def test_the_end_of_time_in_nanoseconds_is_the_last_microsecond() -> None:
    assert instant("9999-12-31T23:59:59.999999999Z") == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_instant_that_is_out_of_range_in_utc_is_refused(text: str) -> None:
    (found,) = problems(AdjustmentsQuery, {"created_from": text})

    assert (found["type"], found["msg"]) == ("value_error", "Value error, must be between the years 1 and 9999 in UTC")
