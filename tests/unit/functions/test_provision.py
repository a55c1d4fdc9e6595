"""The operators' commands, through the handler, on tables in memory: one call at a time, as moto loses writes else."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from copy import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3
import pytest
from moto import mock_aws

from inventory.domain.api_tokens import mint, well_formed
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, CALL_BUDGET_S, RetryBudget
from tests.support.faults.wire import Reply, Wire, broken, cancelled, fault, reply
from tests.support.harness.loading import Context, load_event, load_handler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from mypy_boto3_dynamodb.literals import KeyTypeType

BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01"
OTHER_BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02"
LOCATION = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e11"
OTHER_LOCATION = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e12"
VARIANT = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e21"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
NOW_TEXT = "2026-11-23T14:05:09.123456Z"
LATER = datetime(2026, 11, 23, 14, 6, tzinfo=UTC)
LATER_TEXT = "2026-11-23T14:06:00.000000Z"

REGISTER_BUSINESS = {"command": "register_business", "business_id": BUSINESS, "name": "Roasters"}
REGISTER_LOCATION = {
    "command": "register_location",
    "business_id": BUSINESS,
    "location_id": LOCATION,
    "name": "Warehouse",
}
REGISTER_VARIANT = {"command": "register_variant", "business_id": BUSINESS, "variant_id": VARIANT, "sku": "BEANS-1"}
DEACTIVATE_LOCATION = {"command": "deactivate_location", "business_id": BUSINESS, "location_id": LOCATION}
DEACTIVATE_VARIANT = {"command": "deactivate_variant", "business_id": BUSINESS, "variant_id": VARIANT}
ISSUE_TOKEN = {
    "command": "issue_token",
    "subject": "till 4",
    "business_ids": [BUSINESS],
    "scopes": ["adjustments:write"],
}
REVOKE_TOKEN = {"command": "revoke_token", "token_id": "0" * 32}
COMMANDS = [
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_VARIANT,
    DEACTIVATE_LOCATION,
    DEACTIVATE_VARIANT,
    ISSUE_TOKEN,
    REVOKE_TOKEN,
]
type Command = dict[str, Any]
type Place = tuple[list[str | int], str]
named = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command["command"])


class Service:
    """The provision function and its tables; ``now`` is its clock, ``log`` what it logged."""

    def __init__(self, module: Any) -> None:
        self.now = NOW
        self.log = io.StringIO()
        self.minted: list[str] = []
        self.client = module.client
        self.tables = boto3.client("dynamodb")
        self._module = module
        self._original = module.provision
        self._wires: list[Wire] = []
        module.logger.handlers[0].setStream(self.log)
        module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)
        module.provision = replace(module.provision, clock=lambda: self.now, new_token=self._mint)

    def close(self) -> None:
        for wire in self._wires:
            wire.remove()
        for table in ("inventory", "access"):
            for item in self.client.scan(TableName=table)["Items"]:
                key = {name: item[name] for name in ("pk", "sk") if name in item}
                self.tables.delete_item(TableName=table, Key=key)
        self._module.provision = self._original

    def _mint(self) -> str:
        self.minted.append(mint())
        return self.minted[-1]

    def always_mint(self, token: str) -> None:
        self._module.provision = replace(self._module.provision, new_token=lambda: token)

    def find(self, token_id: str) -> Any:
        return self._module.provision.access.find(token_id)

    def do(self, command: Any, **changes: object) -> Any:
        """Invoke with a command; a change to ``...`` leaves the field out."""
        return self.invoke({name: value for name, value in {**command, **changes}.items() if value is not ...})

    def invoke(self, event: object, context: Context | None = None) -> Any:
        return self._module.handler(event, context or Context())

    def refused(self, command: Any, **changes: object) -> tuple[str, Any]:
        """The ``errorType`` and the parsed ``errorMessage`` that the invoker gets."""
        with pytest.raises(Exception) as raised:  # noqa: PT011  its name is what is judged
            self.do(command, **changes)
        assert raised.value.__suppress_context__
        return type(raised.value).__name__, json.loads(str(raised.value))

    def wire(self, operation: str, *replies: Any) -> Wire:
        self._wires.append(Wire(self.client, operation, *replies))
        return self._wires[-1]

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def item(self, sk: str, business_id: str = BUSINESS) -> dict[str, Any]:
        key = {"pk": {"S": f"BUSINESS#{business_id}"}, "sk": {"S": sk}}
        found = self.client.get_item(TableName="inventory", Key=key)["Item"]
        return {name: next(iter(value.values())) for name, value in found.items()}

    def token_items(self) -> list[dict[str, Any]]:
        return list(self.tables.scan(TableName="access")["Items"])

    def items(self) -> list[dict[str, Any]]:
        return [*self.tables.scan(TableName="inventory")["Items"], *self.token_items()]


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    """The handler, loaded once: a client takes longer to make than a test to run."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        module: Any = load_handler("provision", monkeypatch, INVENTORY_TABLE="inventory", ACCESS_TABLE="access")
        tables: tuple[tuple[str, dict[str, KeyTypeType]], ...] = (
            ("inventory", {"pk": "HASH", "sk": "RANGE"}),
            ("access", {"pk": "HASH"}),
        )
        for table, keys in tables:
            boto3.client("dynamodb").create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            )
        yield module


@pytest.fixture
def service(module: ModuleType) -> Iterator[Service]:
    service = Service(module)
    yield service
    service.close()


@pytest.fixture
def shop(service: Service) -> Service:
    """A service with one business."""
    service.do(REGISTER_BUSINESS)
    return service


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


def test_a_business_registered_again_after_an_unknown_outcome_is_one_business(service: Service) -> None:
    wire = service.wire("TransactWriteItems", broken(), None)
    service.do(REGISTER_BUSINESS, business_id=...)
    assert wire.calls == 2
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


@pytest.mark.parametrize("default", [..., False])
def test_registering_the_default_location_again_keeps_it_the_default(shop: Service, default: object) -> None:
    shop.do(REGISTER_LOCATION, default=True)
    shop.do(REGISTER_LOCATION, default=default, name="New name")
    assert shop.item("SETTINGS")["default_location_id"] == LOCATION
    location = shop.item(f"LOCATION#{LOCATION}")
    assert location["name"] == "New name"


def test_registering_a_location_again_reactivates_it(shop: Service) -> None:
    shop.do(REGISTER_LOCATION)
    assert shop.do(DEACTIVATE_LOCATION) == {}
    assert shop.item(f"LOCATION#{LOCATION}")["active"] is False
    shop.do(REGISTER_LOCATION)
    assert shop.item(f"LOCATION#{LOCATION}")["active"] is True


def test_a_location_without_an_id_gets_one(shop: Service) -> None:
    answer = shop.do(REGISTER_LOCATION, location_id=..., default=True)
    assert shop.item(f"LOCATION#{UUID(answer['location_id'])}")
    assert shop.item("SETTINGS")["default_location_id"] == answer["location_id"]


# --- variants


def test_registering_a_variant_stores_it_active(shop: Service) -> None:
    assert shop.do(REGISTER_VARIANT, name="Beans") == {"variant_id": VARIANT}
    assert shop.item(f"VARIANT#{VARIANT}") == {
        "pk": f"BUSINESS#{BUSINESS}",
        "sk": f"VARIANT#{VARIANT}",
        "sku": "BEANS-1",
        "name": "Beans",
        "active": True,
        "created_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
    }


def test_a_variant_needs_no_name_and_one_registered_without_has_none(shop: Service) -> None:
    shop.do(REGISTER_VARIANT, name="Beans")
    shop.do(REGISTER_VARIANT)
    assert "name" not in shop.item(f"VARIANT#{VARIANT}")


def test_registering_a_variant_again_reactivates_it(shop: Service) -> None:
    shop.do(REGISTER_VARIANT)
    assert shop.do(DEACTIVATE_VARIANT) == {}
    assert shop.item(f"VARIANT#{VARIANT}")["active"] is False
    shop.do(REGISTER_VARIANT, sku="BEANS-2")
    variant = shop.item(f"VARIANT#{VARIANT}")
    assert (variant["active"], variant["sku"]) == (True, "BEANS-2")


def test_a_variant_without_an_id_gets_one(shop: Service) -> None:
    answer = shop.do(REGISTER_VARIANT, variant_id=...)
    assert shop.item(f"VARIANT#{UUID(answer['variant_id'])}")


@pytest.mark.parametrize(
    ("register", "deactivate"), [(REGISTER_LOCATION, DEACTIVATE_LOCATION), (REGISTER_VARIANT, DEACTIVATE_VARIANT)]
)
def test_deactivating_twice_is_harmless_and_keeps_everything_else(
    shop: Service, register: Command, deactivate: Command
) -> None:
    shop.do(register)
    before = shop.items()
    assert shop.do(deactivate) == shop.do(deactivate) == {}
    strip = {"active": ...}
    assert [item | strip for item in shop.items()] == [item | strip for item in before]


# --- unknown ids


@pytest.mark.parametrize(
    "command", [REGISTER_LOCATION, REGISTER_VARIANT, DEACTIVATE_LOCATION, DEACTIVATE_VARIANT, ISSUE_TOKEN]
)
def test_a_command_for_an_unknown_business_writes_nothing(service: Service, command: Command) -> None:
    expected = {"code": "business_not_found", "message": "There is no such business."}
    assert service.refused(command) == ("BusinessNotFound", expected)
    assert service.items() == []


def test_a_default_location_for_an_unknown_business_writes_nothing(service: Service) -> None:
    assert service.refused(REGISTER_LOCATION, default=True)[0] == "BusinessNotFound"
    assert service.items() == []


@pytest.mark.parametrize(
    ("command", "error"), [(DEACTIVATE_LOCATION, "LocationNotFound"), (DEACTIVATE_VARIANT, "VariantNotFound")]
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
    lost = iter([broken()])

    def lose_the_first_reply(**_: object) -> None:
        for error in lost:
            raise error

    shop.client.meta.events.register("after-call.dynamodb.PutItem", lose_the_first_reply)
    answer = shop.do(ISSUE_TOKEN)
    shop.client.meta.events.unregister("after-call.dynamodb.PutItem", lose_the_first_reply)

    assert next(lost, None) is None
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
    for registration in ("business", "location", "variant"):
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
        (REGISTER_LOCATION, "business_id", None, "uuid_type"),
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

OPERATIONS = {
    "register_business": "TransactWriteItems",
    "register_location": "TransactWriteItems",
    "register_variant": "TransactWriteItems",
    "deactivate_location": "TransactWriteItems",
    "deactivate_variant": "TransactWriteItems",
    "issue_token": "PutItem",
    "revoke_token": "UpdateItem",
}
PASSING = [fault("ThrottlingException"), fault("InternalServerError", 500), fault("x", 503), broken(), reply({})]


@named
@pytest.mark.parametrize("passing", PASSING)
def test_a_transient_fault_of_the_tables_is_retried(shop: Service, command: Command, passing: Reply) -> None:
    shop.do(REGISTER_LOCATION)
    shop.do(REGISTER_VARIANT)
    token_id = shop.do(ISSUE_TOKEN)["token_id"]
    wire = shop.wire(OPERATIONS[command["command"]], passing, None)
    shop.do(command | {"token_id": token_id} if command is REVOKE_TOKEN else command)
    assert wire.calls == 2


@named
def test_a_lasting_fault_is_raised_as_try_again(shop: Service, command: Command) -> None:
    wire = shop.wire(OPERATIONS[command["command"]], fault("ThrottlingException"))
    name, detail = shop.refused(command)
    assert (name, detail["code"]) == ("TryAgain", "try_again")
    assert wire.calls == CALL_ATTEMPTS_MAX


@pytest.mark.parametrize(
    ("command", "operation", "answer"),
    [
        (REGISTER_BUSINESS, "TransactWriteItems", cancelled("TransactionConflict")),
        (REGISTER_LOCATION, "TransactWriteItems", cancelled("TransactionConflict", "None")),
        (REGISTER_VARIANT, "TransactWriteItems", cancelled("None", "ThrottlingError")),
        (DEACTIVATE_VARIANT, "TransactWriteItems", cancelled("ProvisionedThroughputExceeded", "None")),
        (DEACTIVATE_VARIANT, "TransactWriteItems", fault("TransactionInProgressException")),
        (ISSUE_TOKEN, "BatchGetItem", reply({})),
        (
            ISSUE_TOKEN,
            "BatchGetItem",
            reply({"Responses": {}, "UnprocessedKeys": {"inventory": {"Keys": [{}]}}}),
        ),
    ],
)
def test_conflicts_and_incomplete_responses_are_retried(
    shop: Service, command: Command, operation: str, answer: Reply
) -> None:
    wire = shop.wire(operation, answer)
    assert shop.refused(command)[0] == "TryAgain"
    assert wire.calls == CALL_ATTEMPTS_MAX


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (("ConditionalCheckFailed", "None"), "BusinessNotFound"),
        (("ConditionalCheckFailed", "ConditionalCheckFailed"), "BusinessNotFound"),
        (("ConditionalCheckFailed", "TransactionConflict"), "BusinessNotFound"),
        (("None", "ConditionalCheckFailed"), "LocationNotFound"),
        (("ValidationError", "None"), "InternalError"),
        (("ItemCollectionSizeLimitExceeded", "TransactionConflict"), "TryAgain"),
    ],
)
def test_the_reasons_of_a_cancelled_transaction_are_distinguished_by_position(
    shop: Service, codes: tuple[str, ...], error: str
) -> None:
    shop.wire("TransactWriteItems", cancelled(*codes))
    assert shop.refused(DEACTIVATE_LOCATION)[0] == error


@named
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_an_internal_error_names_no_table_and_is_not_retried(shop: Service, command: Command, code: str) -> None:
    wire = shop.wire(OPERATIONS[command["command"]], fault(code))
    assert shop.refused(command) == (
        "InternalError",
        {"code": "internal_error", "message": "The service failed. The fault was recorded."},
    )
    assert wire.calls == 1
    assert code in shop.log.getvalue()


@named
def test_a_fault_after_an_unanswered_write_does_not_claim_that_nothing_was_written(
    shop: Service, command: Command
) -> None:
    wire = shop.wire(OPERATIONS[command["command"]], broken(), fault("AccessDeniedException"))

    assert shop.refused(command)[0] == "TryAgain"

    assert wire.calls > 1
    assert "AccessDeniedException" in shop.log.getvalue()


@pytest.mark.parametrize(
    "command",
    [REGISTER_BUSINESS, REGISTER_LOCATION, REGISTER_VARIANT, DEACTIVATE_LOCATION, DEACTIVATE_VARIANT],
    ids=lambda command: command["command"],
)
def test_all_attempts_of_a_command_share_one_client_request_token(shop: Service, command: Command) -> None:
    """Otherwise an abandoned attempt that arrives late would undo a command that was acknowledged since."""
    shop.do(REGISTER_LOCATION)
    shop.do(REGISTER_VARIANT)
    wire = shop.wire("TransactWriteItems", broken(), fault("ThrottlingException"), None)
    shop.do(command)
    first, second, third = wire.sent
    assert first == second == third

    shop.do(command)
    assert wire.sent[3]["ClientRequestToken"] != first["ClientRequestToken"]


def test_no_attempt_begins_that_could_outlast_the_invocation(shop: Service) -> None:
    wire = shop.wire("TransactWriteItems", broken())
    with pytest.raises(Exception, match="try_again"):
        shop.invoke(REGISTER_BUSINESS, Context(remaining_ms=int(CALL_BUDGET_S * 1000)))
    assert wire.calls == 1


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
