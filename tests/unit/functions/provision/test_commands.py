"""The operators' commands, through the handler."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import pytest

from inventory.domain.api_tokens import mint, well_formed
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_ATTEMPTS_MAX, CALL_BUDGET_S
from tests.support.faults.wire import Reply, broken, cancelled, fault, reply
from tests.support.harness.loading import Context, load_event
from tests.support.harness.provision_service import (
    BUSINESS,
    COMMANDS,
    DEACTIVATE_LOCATION,
    DEACTIVATE_REASON,
    DEACTIVATE_VARIANT,
    ISSUE_TOKEN,
    LATER,
    LATER_TEXT,
    LIST_BUSINESSES,
    LIST_VARIANTS,
    LOCATION,
    NOW,
    NOW_TEXT,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_REASON,
    REGISTER_VARIANT,
    REGISTER_VARIANTS,
    REVOKE_TOKEN,
    UNKNOWN,
    WRITES,
    Command,
    Place,
    Service,
)


def lose_the_first_reply(service: Service, operation: str) -> None:
    """The first call is carried out, and its reply never comes."""
    lost = iter([broken()])

    def lose(**_: object) -> None:
        for error in lost:
            raise error

    service.client.meta.events.register(f"after-call.dynamodb.{operation}", lose)


named = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command["command"])


# --- businesses


def test_registering_a_business_stores_its_settings(service: Service) -> None:
    assert service.do(REGISTER_BUSINESS, allow_negative_stock=True) == {"business_id": BUSINESS}
    assert service.item("SETTINGS") == {
        "pk": f"BUSINESS#{BUSINESS}",
        "sk": "SETTINGS",
        "name": "Roasters",
        "allow_negative_stock": True,
        "created_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
    }


def test_negative_stock_is_forbidden_unless_allowed(shop: Service) -> None:
    assert shop.item("SETTINGS")["allow_negative_stock"] is False


def test_a_business_without_an_id_gets_one(service: Service) -> None:
    answer = service.do(REGISTER_BUSINESS, business_id=...)
    assert service.item("SETTINGS", business_id=str(UUID(answer["business_id"])))


def test_every_spelling_of_an_id_names_the_same_business(service: Service) -> None:
    assert service.do(REGISTER_BUSINESS, business_id=f"{{{BUSINESS.upper()}}}") == {"business_id": BUSINESS}
    assert service.item("SETTINGS")


def test_registering_a_business_again_updates_it_and_keeps_its_default_location(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.now = LATER
    shop.do(REGISTER_BUSINESS, name=" New name ", allow_negative_stock=True)
    settings = shop.item("SETTINGS")
    assert (settings["name"], settings["allow_negative_stock"]) == ("New name", True)
    assert settings["default_location_id"] == LOCATION
    assert (settings["created_at"], settings["updated_at"]) == (NOW_TEXT, LATER_TEXT)


def test_a_new_name_leaves_negative_stock_allowed(service: Service) -> None:
    service.do(REGISTER_BUSINESS, allow_negative_stock=True)
    service.do(REGISTER_BUSINESS, name="New name")
    assert service.item("SETTINGS")["allow_negative_stock"] is True


def test_a_business_that_exists_needs_no_name(shop: Service) -> None:
    shop.do(REGISTER_BUSINESS, name=..., allow_negative_stock=True)
    settings = shop.item("SETTINGS")
    assert (settings["name"], settings["allow_negative_stock"]) == ("Roasters", True)


def test_a_business_registered_again_after_an_unknown_outcome_is_one_business(service: Service) -> None:
    lose_the_first_reply(service, "TransactWriteItems")
    service.do(REGISTER_BUSINESS, business_id=...)
    assert len(service.items()) == 1


# --- locations


def test_registering_a_location_stores_it_active(shop: Service) -> None:
    assert shop.do(REGISTER_LOCATION) == {"location_id": LOCATION}
    assert shop.item(f"LOCATION#{LOCATION}") == {
        "pk": f"BUSINESS#{BUSINESS}",
        "sk": f"LOCATION#{LOCATION}",
        "name": "Warehouse",
        "active": True,
        "created_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
    }


def test_a_business_has_no_default_location_until_one_is_named(shop: Service) -> None:
    shop.do(REGISTER_LOCATION)
    assert "default_location_id" not in shop.item("SETTINGS")
    shop.do(REGISTER_LOCATION, location_id=OTHER_LOCATION, default=True)
    assert shop.item("SETTINGS")["default_location_id"] == OTHER_LOCATION


def test_the_last_location_named_as_default_is_the_default(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, location_id=OTHER_LOCATION, default=True)
    assert shop.item("SETTINGS")["default_location_id"] == OTHER_LOCATION


def test_registering_the_default_location_again_keeps_it_the_default(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, name="New name")
    assert shop.item("SETTINGS")["default_location_id"] == LOCATION
    assert shop.item(f"LOCATION#{LOCATION}")["name"] == "New name"


def test_a_default_location_that_is_no_longer_one_leaves_the_business_without(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, default=False)
    assert "default_location_id" not in shop.item("SETTINGS")


def test_a_location_that_is_not_the_default_one_leaves_the_default_one(shop: Service) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, location_id=OTHER_LOCATION, default=False)
    assert shop.item("SETTINGS")["default_location_id"] == LOCATION


def test_a_location_that_exists_needs_no_name(shop: Service) -> None:
    shop.do(REGISTER_LOCATION)
    shop.do(REGISTER_LOCATION, name=..., default=True)
    assert shop.item(f"LOCATION#{LOCATION}")["name"] == "Warehouse"


def test_registering_a_location_again_reactivates_it(shop: Service) -> None:
    shop.do(REGISTER_LOCATION)
    assert shop.do(DEACTIVATE_LOCATION) == {"stock": []}
    assert shop.item(f"LOCATION#{LOCATION}")["active"] is False
    shop.do(REGISTER_LOCATION)
    assert shop.item(f"LOCATION#{LOCATION}")["active"] is True


def test_a_location_without_an_id_gets_one(shop: Service) -> None:
    answer = shop.do(REGISTER_LOCATION, location_id=..., default=True)
    assert shop.item(f"LOCATION#{UUID(answer['location_id'])}")
    assert shop.item("SETTINGS")["default_location_id"] == answer["location_id"]


# --- items that exist


@pytest.mark.parametrize(
    ("register", "deactivate"),
    [
        (REGISTER_LOCATION, DEACTIVATE_LOCATION),
        (REGISTER_VARIANT, DEACTIVATE_VARIANT),
        (REGISTER_REASON, DEACTIVATE_REASON),
    ],
)
def test_deactivating_twice_is_harmless_and_keeps_everything_else(
    shop: Service, register: Command, deactivate: Command
) -> None:
    shop.do(register)
    registered = shop.catalog()
    assert shop.do(deactivate) == shop.do(deactivate)
    deactivated = shop.catalog()
    assert all(registered[sk] == item | {"active": True} for sk, item in deactivated.items() if "active" in item)
    shop.do(register)
    assert shop.catalog() == registered


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command["command"])
def test_a_command_that_changes_nothing_writes_nothing(stocked: Service, command: Command) -> None:
    stocked.do(command)
    wire = stocked.wire("TransactWriteItems", None)
    stocked.do(command)
    assert wire.calls == 0


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command["command"])
def test_every_write_makes_the_item_another_one_although_the_clock_stands_still(
    stocked: Service, command: Command
) -> None:
    """Its time is the condition of later writes."""
    before = {item["sk"]["S"]: item for item in stocked.items()}
    stocked.do(command)
    changed = [item for item in stocked.items() if item != before.get(item["sk"]["S"])]
    assert changed
    assert all(item["updated_at"] != before.get(item["sk"]["S"], {}).get("updated_at") for item in changed)


def test_an_item_that_somebody_wrote_by_hand_is_updated(shop: Service) -> None:
    item = {"pk": {"S": f"BUSINESS#{BUSINESS}"}, "sk": {"S": f"LOCATION#{LOCATION}"}, "note": {"S": "by hand"}}
    shop.client.put_item(TableName="inventory", Item=item)
    shop.do(REGISTER_LOCATION)
    location = shop.item(f"LOCATION#{LOCATION}")
    assert (location["note"], location["name"], location["updated_at"]) == ("by hand", "Warehouse", NOW_TEXT)


# --- unknown ids


@pytest.mark.parametrize(
    "command",
    [each for each in COMMANDS if "business_id" in each and each is not REGISTER_BUSINESS] + [ISSUE_TOKEN],
    ids=lambda command: command["command"],
)
def test_a_command_for_an_unknown_business_writes_nothing(service: Service, command: Command) -> None:
    expected = {"code": "business_not_found", "message": "There is no such business."}
    assert service.refused(command) == ("BusinessNotFound", expected)
    assert service.items() == []


def test_a_default_location_for_an_unknown_business_writes_nothing(service: Service) -> None:
    assert service.refused(REGISTER_LOCATION, default=True)[0] == "BusinessNotFound"
    assert service.items() == []


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (DEACTIVATE_LOCATION, "LocationNotFound"),
        (DEACTIVATE_VARIANT, "VariantNotFound"),
        (DEACTIVATE_REASON, "ReasonNotFound"),
    ],
)
def test_deactivating_what_was_never_registered_is_refused_and_leaves_nothing(
    shop: Service, command: Command, error: str
) -> None:
    before = shop.items()
    assert shop.refused(command)[0] == error
    assert shop.items() == before


def test_another_businesss_location_is_not_found(shop: Service) -> None:
    shop.do(REGISTER_LOCATION)
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    assert shop.refused(DEACTIVATE_LOCATION, business_id=OTHER_BUSINESS)[0] == "LocationNotFound"
    assert shop.item(f"LOCATION#{LOCATION}")["active"] is True


def test_a_token_is_issued_only_when_all_of_its_businesses_exist(shop: Service) -> None:
    assert shop.refused(ISSUE_TOKEN, business_ids=[BUSINESS, UNKNOWN])[0] == "BusinessNotFound"
    assert shop.token_items() == []


def test_revoking_an_unknown_token_is_refused_and_leaves_nothing(service: Service) -> None:
    assert service.refused(REVOKE_TOKEN) == (
        "TokenNotFound",
        {"code": "token_not_found", "message": "There is no such token."},
    )
    assert service.token_items() == []


# --- tokens


def test_an_issued_token_is_well_formed_and_only_its_digest_is_stored(shop: Service) -> None:
    shop.do(REGISTER_BUSINESS, business_id=OTHER_BUSINESS)
    answer = shop.do(
        ISSUE_TOKEN,
        business_ids=[OTHER_BUSINESS.upper(), BUSINESS],
        scopes=["adjustments:write", "adjustments:read"],
        expires_at="2026-12-31T23:59:59+01:00",
    )
    digest = sha256(answer["token"].encode()).digest()
    assert well_formed(answer["token"])
    assert answer == {"token": answer["token"], "token_id": digest.hex()[:32]}
    assert shop.token_items() == [
        {
            "pk": {"S": f"TOKEN#{answer['token_id']}"},
            "digest": {"B": digest},
            "subject": {"S": "till 4"},
            "business_ids": {"L": [{"S": BUSINESS}, {"S": OTHER_BUSINESS}]},
            "scopes": {"L": [{"S": "adjustments:read"}, {"S": "adjustments:write"}]},
            "issued_at": {"S": NOW_TEXT},
            "expires_at": {"S": "2026-12-31T22:59:59.000000Z"},
        }
    ]


def test_a_token_may_cover_a_hundred_businesses(shop: Service) -> None:
    ids = [str(UUID(int=number)) for number in range(1, 101)]
    shop.wire("BatchGetItem", reply({"Responses": {"inventory": [{"pk": {"S": each}} for each in ids]}}))
    answer = shop.do(ISSUE_TOKEN, business_ids=ids)
    assert len(shop.find(answer["token_id"]).business_ids) == 100


def test_a_token_may_be_issued_already_expired(shop: Service) -> None:
    assert shop.do(ISSUE_TOKEN, expires_at="2000-01-01T00:00:00Z")["token"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-12-31T23:59:59.123456789Z", "2026-12-31T23:59:59.123457Z"),
        ("20270101T015959,9999999+02", "2027-01-01T00:00:00.000000Z"),
    ],
)
def test_a_token_is_valid_for_the_whole_requested_time(shop: Service, text: str, stored: str) -> None:
    token = shop.find(shop.do(ISSUE_TOKEN, expires_at=text)["token_id"])
    assert token.expires_at == datetime.fromisoformat(stored)


@pytest.mark.usefixtures("process_time_zone")
def test_a_token_is_read_as_it_was_stored(shop: Service) -> None:
    answer = shop.do(ISSUE_TOKEN, expires_at="2026-12-31T23:59:59.5Z")
    token = shop.find(answer["token_id"])
    assert token.id == answer["token_id"]
    assert token.digest == sha256(answer["token"].encode()).digest()
    assert token.business_ids == {UUID(BUSINESS)}
    assert token.scopes == {"adjustments:write"}
    assert (token.issued_at, token.revoked_at) == (NOW, None)
    assert token.expires_at == datetime(2026, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)


def test_revoking_twice_returns_the_first_revocation_time(shop: Service) -> None:
    token_id = shop.do(ISSUE_TOKEN)["token_id"]
    assert shop.do(REVOKE_TOKEN, token_id=token_id) == {"revoked_at": NOW_TEXT}
    shop.now = LATER
    assert shop.do(REVOKE_TOKEN, token_id=token_id) == {"revoked_at": NOW_TEXT}
    assert shop.find(token_id).revoked_at == NOW


def test_a_token_whose_write_was_interrupted_is_issued_once(shop: Service) -> None:
    lose_the_first_reply(shop, "PutItem")
    answer = shop.do(ISSUE_TOKEN)

    assert [item["pk"]["S"] for item in shop.token_items()] == [f"TOKEN#{answer['token_id']}"]


def test_a_token_never_replaces_another_one_of_its_id(shop: Service) -> None:
    token = mint()
    other = {"pk": {"S": f"TOKEN#{sha256(token.encode()).hexdigest()[:32]}"}, "digest": {"B": bytes(32)}}
    shop.client.put_item(TableName="access", Item=other)
    shop.always_mint(token)
    assert shop.refused(ISSUE_TOKEN)[0] == "InternalError"
    assert shop.token_items() == [other]


# --- requests that are not valid


@named
def test_each_sample_event_is_valid(shop: Service, command: Command) -> None:
    for registration in ("business", "location", "variant", "reason"):
        shop.invoke(load_event(f"provision-register-{registration}"))
    event = load_event(f"provision-{command['command'].replace('_', '-')}")
    assert event["command"] == command["command"]
    if command is REVOKE_TOKEN:
        assert shop.refused(event)[0] == "TokenNotFound"
    else:
        shop.invoke(event)


def test_a_token_pasted_in_place_of_its_id_is_not_echoed(shop: Service) -> None:
    """The runtime logs a raised error, and the token stays valid until it is revoked by its id."""
    token = mint()
    name, detail = shop.refused(REVOKE_TOKEN, token_id=token)
    assert (name, [each["loc"] for each in detail]) == ("InvalidRequest", [["body", "token_id"]])
    assert token not in json.dumps(detail)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (None, [(["body"], "model_attributes_type")]),
        ([], [(["body"], "model_attributes_type")]),
        ('{"command": "register_business", "name": "x"}', [(["body"], "model_attributes_type")]),
        ({}, [(["body", "command"], "missing")]),
        ({"command": None}, [(["body", "command"], "literal_error")]),
        ({"command": ["register_business"]}, [(["body", "command"], "literal_error")]),
        ({"command": "drop_table" * 1000}, [(["body", "command"], "literal_error")]),
        ({"command": "\udc80"}, [(["body", "command"], "string_unicode")]),
        ({"command": "register_business"}, [(["body", "name"], "missing")]),
        (
            {"command": "register_location", "extra": 1},
            [
                (["body", "business_id"], "missing"),
                (["body", "name"], "missing"),
                (["body", "extra"], "extra_forbidden"),
            ],
        ),
    ],
)
def test_an_event_that_is_not_a_command_is_invalid(service: Service, event: object, expected: list[Place]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  its name is what is judged
        service.invoke(event)
    assert type(raised.value).__name__ == "InvalidRequest"
    text = str(raised.value)
    assert [(entry["loc"], entry["type"]) for entry in json.loads(text)] == expected
    assert len(text) < 3_000


@named
def test_every_command_refuses_unknown_fields(service: Service, command: Command) -> None:
    name, entries = service.refused(command, surprise=1)
    assert name == "InvalidRequest"
    assert [(entry["loc"], entry["type"]) for entry in entries] == [(["body", "surprise"], "extra_forbidden")]
    assert service.items() == []


@pytest.mark.parametrize(
    ("command", "field", "value", "kind"),
    [
        (REGISTER_BUSINESS, "name", "", "string_too_short"),
        (REGISTER_BUSINESS, "name", " \t", "string_too_short"),
        (REGISTER_BUSINESS, "name", "x" * 256, "string_too_long"),
        (REGISTER_BUSINESS, "name", "a\nb", "value_error"),
        (REGISTER_BUSINESS, "name", "\udc80", "string_unicode"),
        (REGISTER_BUSINESS, "name", 1, "string_type"),
        (REGISTER_BUSINESS, "business_id", "x", "uuid_parsing"),
        (REGISTER_BUSINESS, "allow_negative_stock", "false", "bool_type"),
        (REGISTER_BUSINESS, "allow_negative_stock", 1, "bool_type"),
        (REGISTER_BUSINESS, "name", None, "value_error"),
        (REGISTER_BUSINESS, "business_id", None, "value_error"),
        (REGISTER_BUSINESS, "allow_negative_stock", None, "value_error"),
        (REGISTER_LOCATION, "business_id", None, "uuid_type"),
        (REGISTER_LOCATION, "location_id", None, "value_error"),
        (REGISTER_LOCATION, "default", None, "value_error"),
        (REGISTER_VARIANT, "sku", None, "value_error"),
        (REGISTER_VARIANT, "variant_id", None, "value_error"),
        (REGISTER_VARIANTS, "variants", [], "too_short"),
        (REGISTER_VARIANTS, "variants", [{"sku": "x"}] * 501, "too_long"),
        (REGISTER_VARIANTS, "variants", {"sku": "x"}, "list_type"),
        (REGISTER_REASON, "reason_code", "", "string_pattern_mismatch"),
        (REGISTER_REASON, "reason_code", "Gift", "string_pattern_mismatch"),
        (REGISTER_REASON, "reason_code", "1gift", "string_pattern_mismatch"),
        (REGISTER_REASON, "reason_code", "gift\n", "string_pattern_mismatch"),
        (REGISTER_REASON, "reason_code", "g" * 41, "string_pattern_mismatch"),
        (REGISTER_REASON, "reason_code", "damage", "value_error"),
        (REGISTER_REASON, "name", None, "value_error"),
        (REGISTER_REASON, "direction", "up", "literal_error"),
        (REGISTER_REASON, "direction", None, "value_error"),
        (DEACTIVATE_REASON, "reason_code", "damage", "value_error"),
        (LIST_VARIANTS, "limit", 0, "greater_than_equal"),
        (LIST_VARIANTS, "limit", 101, "less_than_equal"),
        (LIST_VARIANTS, "limit", "5", "int_type"),
        (LIST_VARIANTS, "limit", True, "int_type"),
        (LIST_BUSINESSES, "cursor", "", "string_too_short"),
        (REGISTER_LOCATION, "default", "yes", "bool_type"),
        (REGISTER_VARIANT, "sku", " ", "string_too_short"),
        (REGISTER_VARIANT, "name", "", "string_too_short"),
        (DEACTIVATE_VARIANT, "variant_id", ..., "missing"),
        (ISSUE_TOKEN, "subject", "a\x00b", "value_error"),
        (ISSUE_TOKEN, "business_ids", [], "too_short"),
        (ISSUE_TOKEN, "business_ids", [str(UUID(int=number)) for number in range(101)], "too_long"),
        (ISSUE_TOKEN, "business_ids", [BUSINESS, f"urn:uuid:{BUSINESS.upper()}"], "value_error"),
        (ISSUE_TOKEN, "business_ids", BUSINESS, "list_type"),
        (ISSUE_TOKEN, "scopes", [], "too_short"),
        (ISSUE_TOKEN, "scopes", ["adjustments:write", "adjustments:write"], "value_error"),
        (ISSUE_TOKEN, "scopes", "adjustments:write", "list_type"),
        (ISSUE_TOKEN, "expires_at", "2026-12-31T23:59:59", "timezone_aware"),
        (ISSUE_TOKEN, "expires_at", "2026-12-31", "timezone_aware"),
        (ISSUE_TOKEN, "expires_at", "1798761599", "datetime_from_date_parsing"),
        (ISSUE_TOKEN, "expires_at", 1798761599, "datetime_from_date_parsing"),
        (ISSUE_TOKEN, "expires_at", "tomorrow", "datetime_from_date_parsing"),
        (ISSUE_TOKEN, "expires_at", "2026-13-01T00:00:00Z", "datetime_from_date_parsing"),
        (ISSUE_TOKEN, "expires_at", "9999-12-31T23:59:59-01:00", "value_error"),
        (REVOKE_TOKEN, "token_id", "0" * 31, "string_pattern_mismatch"),
        (REVOKE_TOKEN, "token_id", "0" * 32 + "\n", "string_pattern_mismatch"),
        (REVOKE_TOKEN, "token_id", "A" * 32, "string_pattern_mismatch"),
    ],
)
def test_a_field_out_of_its_bounds_is_named_with_what_is_wrong(
    service: Service, command: Command, field: str, value: object, kind: str
) -> None:
    name, entries = service.refused(command, **{field: value})
    assert name == "InvalidRequest"
    assert [(entry["loc"], entry["type"]) for entry in entries] == [(["body", field], kind)]
    assert service.items() == []


def test_an_unknown_scope_is_named_by_its_place(service: Service) -> None:
    _, entries = service.refused(ISSUE_TOKEN, scopes=["adjustments:write", "everything"])
    assert [(entry["loc"], entry["type"]) for entry in entries] == [(["body", "scopes", 1], "literal_error")]


# --- unavailable tables

OPERATIONS = {"issue_token": "PutItem", "revoke_token": "UpdateItem"}
PASSING = [fault("ThrottlingException"), fault("InternalServerError", 500), fault("x", 503), broken(), reply({})]
writing = pytest.mark.parametrize("command", [*WRITES, ISSUE_TOKEN, REVOKE_TOKEN], ids=lambda each: each["command"])


def operation_of(command: Command) -> str:
    return OPERATIONS.get(command["command"], "TransactWriteItems")


@writing
@pytest.mark.parametrize("passing", PASSING)
def test_a_transient_fault_of_the_tables_is_retried(stocked: Service, command: Command, passing: Reply) -> None:
    token_id = stocked.do(ISSUE_TOKEN)["token_id"]
    wire = stocked.wire(operation_of(command), passing, None)
    stocked.do(command | {"token_id": token_id} if command is REVOKE_TOKEN else command)
    assert wire.calls == 2


@writing
def test_a_lasting_fault_is_raised_as_try_again(stocked: Service, command: Command) -> None:
    wire = stocked.wire(operation_of(command), fault("ThrottlingException"))
    if command["command"] == "register_variants":
        (variant,) = stocked.do(command)["variants"]
        detail = variant["error"]
    else:
        name, detail = stocked.refused(command)
        assert name == "TryAgain"
    assert detail["code"] == "try_again"
    assert wire.calls == CALL_ATTEMPTS_MAX


@named
@pytest.mark.parametrize(
    "answer",
    [
        fault("ThrottlingException"),
        reply({}),
        reply({"Responses": {}, "UnprocessedKeys": {"inventory": {"Keys": [{}]}}}),
    ],
)
def test_a_table_that_can_not_be_read_is_raised_as_try_again(shop: Service, command: Command, answer: Reply) -> None:
    for operation in ("BatchGetItem", "Query", "Scan", "UpdateItem"):
        shop.wire(operation, answer)
    if command["command"] == "register_variants":
        (variant,) = shop.do(command)["variants"]
        assert variant["error"]["code"] == "try_again"
    else:
        assert shop.refused(command)[0] == "TryAgain"


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command["command"])
def test_a_command_is_decided_again_while_others_are_faster(stocked: Service, command: Command) -> None:
    wire = stocked.wire("TransactWriteItems", *[cancelled("ConditionalCheckFailed")] * 5, None)
    reads = stocked.wire("BatchGetItem", None)
    stocked.do(command)
    assert wire.calls == 6
    assert reads.calls >= 6


@pytest.mark.parametrize(
    "codes",
    [
        ("TransactionConflict",),
        ("None", "ThrottlingError"),
        ("ProvisionedThroughputExceeded", "None"),
        ("ConditionalCheckFailed", "None"),
        ("ItemCollectionSizeLimitExceeded", "TransactionConflict"),
    ],
)
def test_each_reason_of_a_cancelled_transaction_that_passes_is_met_by_another_attempt(
    stocked: Service, codes: tuple[str, ...]
) -> None:
    wire = stocked.wire("TransactWriteItems", cancelled(*codes), None)
    stocked.do(DEACTIVATE_LOCATION)
    assert wire.calls == 2


def test_a_command_that_others_overtake_all_the_time_is_raised_as_try_again(stocked: Service) -> None:
    wire = stocked.wire("TransactWriteItems", cancelled("ConditionalCheckFailed", "None"))
    assert stocked.refused(DEACTIVATE_LOCATION)[0] == "TryAgain"
    assert wire.calls == ATTEMPTS_MAX


def test_a_transaction_that_was_cancelled_for_another_reason_is_a_fault(stocked: Service) -> None:
    stocked.wire("TransactWriteItems", cancelled("ValidationError", "None"))
    assert stocked.refused(DEACTIVATE_LOCATION)[0] == "InternalError"


@writing
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_an_internal_error_names_no_table_and_is_not_retried(stocked: Service, command: Command, code: str) -> None:
    wire = stocked.wire(operation_of(command), fault(code))
    assert stocked.refused(command) == (
        "InternalError",
        {"code": "internal_error", "message": "The service failed. The fault was recorded."},
    )
    assert wire.calls == 1
    assert code in stocked.log.getvalue()


@writing
def test_a_fault_after_an_unanswered_write_does_not_claim_that_nothing_was_written(
    stocked: Service, command: Command
) -> None:
    wire = stocked.wire(operation_of(command), broken(), fault("AccessDeniedException"))
    if command["command"] == "register_variants":
        (variant,) = stocked.do(command)["variants"]
        assert variant["error"]["code"] == "try_again"
    else:
        assert stocked.refused(command)[0] == "TryAgain"
        assert "AccessDeniedException" in stocked.log.getvalue()
    assert wire.calls > 1


@pytest.mark.parametrize("command", WRITES, ids=lambda command: command["command"])
def test_an_attempt_that_arrives_late_undoes_nothing_that_was_commanded_since(
    stocked: Service, command: Command
) -> None:
    """The opposite command was acknowledged; then the first attempt of this one, given up long ago, arrives."""
    wire = stocked.wire("TransactWriteItems", broken(), None)
    stocked.do(command)
    late = wire.sent[0]
    stocked.do({name: value for name, value in _opposite(command).items() if value is not ...})
    before = stocked.items()
    with pytest.raises(stocked.tables.exceptions.TransactionCanceledException):
        stocked.tables.transact_write_items(TransactItems=late["TransactItems"])
    assert stocked.items() == before


def _opposite(command: Command) -> Command:
    if command["command"].startswith("deactivate"):
        return command | {"command": command["command"].replace("deactivate", "register")}
    match command["command"]:
        case "register_business" | "register_location":
            return command | {"name": "Another"}
        case "register_variant":
            return command | {"sku": "BEANS-4"}
        case "register_variants":
            return {"command": "register_variant", "business_id": BUSINESS, "sku": "BEANS-3", "name": "Another"}
        case _:
            return command | {"name": "Another"}


def test_no_attempt_begins_that_could_outlast_the_invocation(shop: Service) -> None:
    reads, writes = shop.wire("BatchGetItem", broken()), shop.wire("TransactWriteItems", None)
    with pytest.raises(Exception, match="try_again"):
        shop.invoke(REGISTER_BUSINESS, Context(remaining_ms=int(CALL_BUDGET_S * 1000)))
    assert (reads.calls, writes.calls) == (1, 0)


# --- logs


@named
def test_a_command_logs_one_line_with_its_name(service: Service, command: Command) -> None:
    with suppress(Exception):
        service.do(command)
    (line,) = service.logged()
    assert line["command"] == command["command"]


def test_no_log_member_of_one_command_stays_for_the_next(service: Service) -> None:
    service.do(REGISTER_BUSINESS)
    service.refused({})
    first, second = service.logged()
    assert (first["command"], first["business_id"]) == ("register_business", BUSINESS)
    assert not {"command", "business_id"} & set(second)


@pytest.mark.parametrize("answer", [None, broken(), fault("AccessDeniedException")])
def test_no_log_line_and_no_item_holds_a_token_and_no_log_line_its_digest(
    shop: Service, monkeypatch: pytest.MonkeyPatch, answer: Reply
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    shop.wire("PutItem", answer)
    with suppress(Exception):
        shop.do(ISSUE_TOKEN)
    (token,) = shop.minted
    digest = sha256(token.encode())
    for secret in (token, token[3:33]):
        assert secret not in shop.log.getvalue()
        assert secret not in repr(shop.items())
    for secret in (digest.hexdigest(), repr(digest.digest())):
        assert secret not in shop.log.getvalue()
