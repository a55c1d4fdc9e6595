"""boto3 as it is started here: it finds what it would have found, and sends what it would have sent."""

from __future__ import annotations

from typing import Any, Final

import boto3
import pytest
from botocore import handlers

from inventory.aws import fast_session
from inventory.aws.clients import dynamodb_client
from tests.sdk_versions.exchanges import (
    BINARY,
    CALLS,
    CANCELLED,
    DYNAMODB_CALLS,
    ITEM,
    REPLIES,
    sent_by,
    signed_for,
    told_to,
)
from tests.support.harness.loading import ROOT
from tools import sdk_models


def regions() -> list[str]:
    """Every Region that the SDK knows of, of all partitions, and one that it does not know yet."""
    session = boto3.Session()
    return ["us-west-9"] + [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition_name=partition)
    ]


def test_a_call_goes_to_where_the_sdk_sends_it_in_every_region() -> None:
    """The SDK's endpoint table decides as its endpoint rules do."""
    plain, quick = boto3.Session(), fast_session.fast_session()
    differing = []
    for region in regions():
        of_plain, of_quick = (
            sent_by(session.client("dynamodb", region_name=region), CALLS["dynamodb"]) for session in (plain, quick)
        )
        if (of_plain.url, signed_for(of_plain)) != (of_quick.url, signed_for(of_quick)):
            differing.append((region, of_plain.url, of_quick.url))

    assert differing == []
    assert len(regions()) > 30


def test_no_endpoint_rules_are_evaluated_at_a_call() -> None:
    """The locked SDK takes the endpoint from its table where a service has no rules."""
    assert fast_session.make_client("dynamodb")._ruleset_resolver is None
    assert boto3.client("dynamodb")._ruleset_resolver is not None  # type: ignore[attr-defined]


def test_an_sdk_that_insists_on_endpoint_rules_is_used_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such an SDK would not catch the error that says that there are none."""
    monkeypatch.setattr("botocore.client.UnknownServiceError", LookupError)

    request = sent_by(fast_session.make_client("dynamodb", region_name="eu-west-1"), CALLS["dynamodb"])

    assert request.url == "https://dynamodb.eu-west-1.amazonaws.com/"


def handlers_of(session: boto3.Session, of_operation: str) -> dict[str, list[Any]]:
    """What is called at each of the SDK's events of a call, in order."""
    emitter: Any = session._session.get_component("event_emitter")
    return {
        event: [
            getattr(handler, "__qualname__", type(handler).__name__)
            for handler in emitter._emitter._handlers.prefix_search(f"{event}.{of_operation}")
        ]
        for event in EVENTS_OF_A_CALL
    }


EVENTS_OF_A_CALL: Final = (
    *("choose-service-name", "creating-client-class", "creating-serializer", "getattr", "provide-client-params"),
    *("before-parameter-build", "before-endpoint-resolution", "before-call", "request-created", "choose-signer"),
    *("before-sign", "before-send", "before-parse", "response-received", "needs-retry", "after-call"),
    "after-call-error",
)


@pytest.mark.parametrize(
    "of_operation",
    [
        *(f"dynamodb.{operation}" for operation in fast_session.OPERATIONS["dynamodb"]),
        *("eventbridge.PutEvents", "sqs.SendMessage"),
        *("sts.AssumeRole", "sts.AssumeRoleWithWebIdentity", "sso.GetRoleCredentials", "sso-oidc.CreateToken"),
        "signin.CreateOAuth2Token",
    ],
)
def test_a_call_meets_the_handlers_that_the_sdk_has_for_it_but_for_the_idle_ones(of_operation: str) -> None:
    of_plain, of_quick = (
        handlers_of(session, of_operation) for session in (boto3.Session(), fast_session.fast_session())
    )

    assert of_quick == {
        event: [name for name in names if name not in fast_session._IDLE_HANDLERS] for event, names in of_plain.items()
    }
    assert {name for names in of_plain.values() for name in names} >= fast_session._IDLE_HANDLERS


def test_handlers_for_other_services_are_left_out() -> None:
    left_out = "glacier.UploadArchive"

    assert handlers_of(boto3.Session(), left_out) != handlers_of(fast_session.fast_session(), left_out)


@pytest.mark.parametrize(
    "unexpected",
    [
        [],
        [("before-call", "a handler's name")],
        [("before-call", print, "in the middle")],
        [("before-call", print, object(), object())],
        [("before-call",)],
        [{"event": "before-call", "handler": print}],
    ],
    ids=["others", "no handler", "another position", "longer", "shorter", "an object"],
)
def test_all_handlers_are_registered_where_the_sdks_list_is_not_as_expected(
    unexpected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    monkeypatch.setattr(fast_session, "Session", lambda *_, **options: taken.append(bool(options)))
    whole = [(event, print) for event in sorted(fast_session._EVENTS_OF_EVERY_CALL)]
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", [*whole, *unexpected] if unexpected else whole[1:])

    fast_session._session_with_few_handlers({})

    assert taken == [False]


@pytest.mark.parametrize("service", ["events", "sqs"])
@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_a_call_of_another_service_goes_where_the_sdk_sends_it(service: str, region: str) -> None:
    answer = {"events": b'{"Entries": [], "FailedEntryCount": 0}', "sqs": b"{}"}[service]
    of_plain, of_quick = (
        sent_by(session.client(service, region_name=region), CALLS[service], answer)  # type: ignore[call-overload]
        for session in (boto3.Session(), fast_session.fast_session())
    )

    assert (of_quick.url, of_quick.body, signed_for(of_quick)) == (of_plain.url, of_plain.body, signed_for(of_plain))


@pytest.mark.parametrize("operation", DYNAMODB_CALLS)
def test_a_request_is_the_sdks_own_to_the_byte(operation: str) -> None:
    of_plain, of_quick = (
        sent_by(session.client("dynamodb"), lambda client: getattr(client, operation)(**DYNAMODB_CALLS[operation]))
        for session in (boto3.Session(), fast_session.fast_session())
    )

    assert of_quick.body == of_plain.body
    assert of_quick.headers["X-Amz-Target"] == of_plain.headers["X-Amz-Target"]


@pytest.mark.parametrize("operation", DYNAMODB_CALLS)
def test_a_reply_is_read_as_the_sdk_reads_it(operation: str) -> None:
    of_plain, of_quick = (
        told_to(session.client("dynamodb"), operation, REPLIES[operation])
        for session in (boto3.Session(), fast_session.fast_session())
    )

    assert of_quick == of_plain


@pytest.mark.parametrize("operation", ["transact_get_items", "transact_write_items"])
def test_the_reasons_of_a_cancelled_transaction_are_read_as_the_sdk_reads_them(operation: str) -> None:
    of_plain, of_quick = (
        told_to(session.client("dynamodb"), operation, CANCELLED, 400)
        for session in (boto3.Session(), fast_session.fast_session())
    )

    assert of_quick == of_plain
    assert of_quick["CancellationReasons"][1]["Item"] == ITEM


def test_what_is_binary_is_not_sent_by_an_operation_whose_attributes_are_sent_as_they_are() -> None:
    with pytest.raises(TypeError):
        sent_by(
            dynamodb_client(None),
            lambda client: client.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": BINARY}}]),
        )


def test_every_operation_that_is_described_is_among_those_compared() -> None:
    snake = {name.replace("_", "") for name in DYNAMODB_CALLS}

    assert {name.lower() for name in fast_session.OPERATIONS["dynamodb"]} == snake


def test_the_descriptions_are_those_of_the_locked_sdk() -> None:
    """``make sdk-models`` writes them anew."""
    lying = {
        str(path.relative_to(fast_session.MODELS)): path.read_text()
        for path in fast_session.MODELS.rglob("*")
        if path.is_file()
    }

    assert lying == sdk_models.files()


def test_no_code_calls_what_is_not_described() -> None:
    described = {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")
        for names in fast_session.OPERATIONS.values()
        for name in names
    }
    called = {
        name
        for path in (ROOT / "layers" / "inventory" / "inventory").rglob("*.py")
        for name in _OPERATIONS_OF_CLIENTS
        if f"client.{name}(" in path.read_text(encoding="utf-8")
    }

    assert called == described


_OPERATIONS_OF_CLIENTS: Final = {
    name
    for service in fast_session.OPERATIONS
    for name in boto3.client(service, region_name="us-east-1").meta.method_to_api_mapping  # type: ignore[call-overload]
}


def test_other_services_are_loaded_from_the_sdk() -> None:
    """Credentials that are taken from a role, as on an operator's machine, need one."""
    assert fast_session.fast_session().client("sts").meta.service_model.operation_names


def test_a_missing_service_raises_the_sdks_error() -> None:
    with pytest.raises(Exception, match="no-such-service"):
        fast_session.fast_session().client("no-such-service")  # type: ignore[call-overload]
