"""The authorizer: which requests pass the gateway, and the context that it gives to the functions."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, get_args

import pytest

from inventory.api.authorizer import patterns_of
from inventory.api.routes import ROUTES
from inventory.domain.api_tokens import Scope, digest_of, mint, token_id_of, well_formed
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, CALL_BUDGET_S, RetryBudget
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import parse_uuid
from tests.support.faults.wire import Reply, Wire, broken, fault, reply
from tests.support.harness.loading import CREDENTIALS, ROOT, Context, load_event, load_handler
from tests.support.sam_template import resources

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from inventory.api.shapes import AuthorizerEvent, Policy


class Load(Protocol):
    """Load the authorizer against a table that gives these replies; returns it and the wire."""

    def __call__(self, *replies: Reply, **environment: str) -> tuple[Any, Wire]: ...


BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01"
OTHER_BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02"
TOKEN = mint()
DIGEST = digest_of(TOKEN)
TOKEN_ID = token_id_of(DIGEST)
STAGE_ARN = "arn:aws:execute-api:eu-central-1:000000000000:abcdefghij/dev"
POST_ADJUSTMENT = f"{STAGE_ARN}/POST/api/v1/inventory/adjustments"
OPEN = [
    f"{STAGE_ARN}/POST/api/v1/inventory/{route}{slash}"
    for route in (
        "adjustments",
        "adjustments/*/reversal",
        "adjustments/batch",
        "adjustments/groups/*/reversal",
        "counts",
        "transfers",
    )
    for slash in ("", "/")
]
"""The routes that the scopes of ``stored`` allow."""
READS = [
    "/api/v1/inventory/adjustments",
    "/api/v1/inventory/adjustments/groups/{group_id}",
    "/api/v1/inventory/adjustments/{id}",
    "/api/v1/inventory/levels",
    "/api/v1/inventory/levels/{variant_id}/{location_id}/proof",
    "/api/v1/inventory/locations",
    "/api/v1/inventory/reasons",
    "/api/v1/inventory/reports/adjustment-reasons",
    "/api/v1/inventory/variants",
]
OPENED = {
    "adjustments:write": [
        f"POST /api/v1/inventory/{route}" for route in ("adjustments", "adjustments/batch", "counts", "transfers")
    ],
    "adjustments:read": [f"{method} {path}" for method in ("GET", "HEAD") for path in READS],
    "adjustments:reverse": [
        f"POST /api/v1/inventory/adjustments/{reversed_}/reversal" for reversed_ in ("groups/{group_id}", "{id}")
    ],
}
"""The template's routes that each scope allows."""
READ = {"ConsumedCapacity": {"TableName": "access", "CapacityUnits": 1.0}}
FAULTS = [
    pytest.param(fault("ThrottlingException"), CALL_ATTEMPTS_MAX, id="throttled"),
    pytest.param(fault("ProvisionedThroughputExceededException"), CALL_ATTEMPTS_MAX, id="over capacity"),
    pytest.param(fault("InternalServerError", 500), CALL_ATTEMPTS_MAX, id="failed"),
    pytest.param(broken(), CALL_ATTEMPTS_MAX, id="cut off"),
    pytest.param(reply({}), CALL_ATTEMPTS_MAX, id="truncated"),
    pytest.param(fault("AccessDeniedException"), 1, id="forbidden"),
    pytest.param(fault("ResourceNotFoundException"), 1, id="no table"),
    pytest.param(reply({"Item": {}, **READ}), 1, id="not a token"),
]


def stored(**changes: object) -> AWSResponse:
    item = {
        "pk": {"S": f"TOKEN#{TOKEN_ID}"},
        "digest": {"B": base64.b64encode(DIGEST).decode()},
        "subject": {"S": "till 4"},
        "business_ids": {"L": [{"S": BUSINESS}]},
        "scopes": {"L": [{"S": "adjustments:write"}, {"S": "adjustments:reverse"}]},
        "issued_at": {"S": "2026-11-23T14:05:09.123456Z"},
    }
    return reply({"Item": item | changes, **READ})


def unknown() -> AWSResponse:
    return reply(READ)


def request(
    *,
    token: str = TOKEN,
    business: str = BUSINESS,
    headers: dict[str, str] | None = None,
    several: dict[str, list[str]] | None = None,
    arn: str = POST_ADJUSTMENT,
) -> AuthorizerEvent:
    """An event with good headers, or with exactly ``headers``; ``several`` are those that came more than once."""
    if headers is None:
        headers = {"Authorization": f"Bearer {token}", "x-business-id": business, "x-secret": "a header"}
    return {"methodArn": arn, "headers": headers, "multiValueHeaders": several}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the authorizer against a table that gives these replies; returns it and the wire."""

    def loaded(*replies: Reply, **environment: str) -> tuple[Any, Wire]:
        module: Any = load_handler("authorizer", monkeypatch, ACCESS_TABLE="secret-table", **environment)
        monkeypatch.setattr(module, "RetryBudget", partial(RetryBudget, sleep=lambda _: None))
        return module, Wire(module.client, "GetItem", *replies)

    return loaded


def answer(module: Any, event: AuthorizerEvent) -> Policy:
    policy: Policy = module.handler(event, Context())
    return policy


def refusal(module: Any, event: AuthorizerEvent) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011  what the gateway goes by is the text
        module.handler(event, Context())
    return str(raised.value)


def statements(policy: Policy) -> list[tuple[str, list[str]]]:
    return [(each["Effect"], each["Resource"]) for each in policy["policyDocument"]["Statement"]]


# --- allowed requests


def test_a_good_token_opens_exactly_the_routes_of_its_scopes(load: Load) -> None:
    module, _ = load(stored())
    policy = answer(module, request())
    assert policy["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": OPEN}],
    }


def test_the_context_holds_business_subject_scopes_and_token_id(load: Load) -> None:
    module, _ = load(stored())
    policy = answer(module, request())
    assert policy["principalId"] == TOKEN_ID
    assert policy["context"] == {
        "business_id": BUSINESS,
        "subject": "till 4",
        "scopes": "adjustments:reverse adjustments:write",
        "token_id": TOKEN_ID,
    }


def test_a_usage_plan_counts_by_business_whatever_the_token_and_however_its_id_is_spelt(load: Load) -> None:
    module, _ = load(stored(), stored())
    policies = [answer(module, request(business=spelt)) for spelt in (BUSINESS, BUSINESS.upper())]
    assert [policy.get("usageIdentifierKey") for policy in policies] == [BUSINESS, BUSINESS]


def test_a_denied_caller_counts_against_no_usage_plan(load: Load) -> None:
    module, _ = load(stored())
    assert "usageIdentifierKey" not in answer(module, request(business=OTHER_BUSINESS))


@pytest.mark.parametrize("called", ["GET/api/v1/inventory/adjustments", "DELETE/", "POST/a/b/c?d=e"])
def test_the_policy_does_not_depend_on_the_route_that_was_called_as_it_is_kept_for_the_others(
    load: Load, called: str
) -> None:
    module, _ = load(stored())
    assert answer(module, request(arn=f"{STAGE_ARN}/{called}")) == answer(module, request())


def test_the_policy_names_the_partition_the_api_and_the_stage_of_the_call_only(load: Load) -> None:
    module, _ = load(stored())
    arn = "arn:aws-cn:execute-api:cn-north-1:999999999999:other/prod/POST/x"
    (statement,) = statements(answer(module, request(arn=arn)))
    assert statement == (
        "Allow",
        [arn.replace("POST/x", route.removeprefix(f"{STAGE_ARN}/")) for route in OPEN],
    )


def test_a_token_whose_scopes_allow_no_route_is_denied_explicitly(load: Load) -> None:
    module, _ = load(stored(scopes={"L": [{"S": "adjustments:of-another-time"}]}))
    assert statements(answer(module, request())) == [("Deny", [f"{STAGE_ARN}/*"])]


def routes_of_the_template() -> list[str]:
    """The routes that require a token."""
    return [
        f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}"
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api" and "Auth" not in event["Properties"]
    ]


def opens(policy: Policy, route: str) -> bool:
    """Whether a policy lets a request of a route pass; as in IAM, a ``*`` matches slashes too."""
    method, path = route.split(" ")
    called = f"{STAGE_ARN}/{method}{re.sub('{.*?}', BUSINESS, path)}"
    return any(
        effect == "Allow" and fnmatchcase(called, pattern)
        for effect, patterns in statements(policy)
        for pattern in patterns
    )


@pytest.mark.parametrize("scope", OPENED)
def test_a_scope_opens_its_routes_and_no_other(load: Load, scope: str) -> None:
    module, _ = load(stored(scopes={"L": [{"S": scope}]}))
    policy = answer(module, request())
    for slash in ("", "/"):
        assert [each for each in sorted(routes_of_the_template()) if opens(policy, each + slash)] == OPENED[scope]


def test_every_scope_and_every_route_is_tried_above() -> None:
    assert OPENED.keys() == set(get_args(Scope.__value__))
    assert sorted(route for routes in OPENED.values() for route in routes) == sorted(routes_of_the_template())


def test_only_reading_opens_all_that_lies_below_a_path() -> None:
    below = {
        each.scope
        for each in ROUTES
        if each.scope and any(pattern.endswith("*") or "?" in pattern for pattern in patterns_of(each))
    }
    assert below == {"adjustments:read"}
    assert {each.method for each in ROUTES if each.scope == "adjustments:read"} == {"GET"}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}", "X-Business-Id": BUSINESS},
        {"AUTHORIZATION": f"bearer {TOKEN}", "X-BUSINESS-ID": BUSINESS},
        {"Authorization": f" BEARER   {TOKEN} ", "x-business-id": f" {BUSINESS} "},
    ],
)
def test_case_and_outer_white_space_of_headers_do_not_count(load: Load, headers: dict[str, str] | None) -> None:
    module, _ = load(stored())
    assert answer(module, request(headers=headers)) == answer(module, request())


@pytest.mark.parametrize("spelling", ["{}", "{{{}}}", "urn:uuid:{}"])
def test_every_spelling_of_the_business_id_becomes_the_same_context(load: Load, spelling: str) -> None:
    module, _ = load(stored())
    policy = answer(module, request(business=spelling.format(BUSINESS.upper())))
    assert policy["context"]["business_id"] == BUSINESS


def test_the_token_is_read_by_its_id_and_consistently(load: Load) -> None:
    module, _ = load(stored())
    sent: list[dict[str, Any]] = []
    module.client.meta.events.register("before-call.dynamodb.GetItem", lambda params, **_: sent.append(params))

    answer(module, request())

    assert json.loads(sent[0]["body"]) == {
        "TableName": "secret-table",
        "Key": {"pk": {"S": f"TOKEN#{TOKEN_ID}"}},
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }


# --- 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        None,
        {"Authorization": f"Bearer {TOKEN}"},
        {"x-business-id": BUSINESS},
        {"Authorization": "", "x-business-id": BUSINESS},
        {"Authorization": f"Bearer {TOKEN}", "x-business-id": " "},
        {"Authorization": "Bearer", "x-business-id": BUSINESS},
        {"Authorization": TOKEN, "x-business-id": BUSINESS},
        {"Authorization": f"Basic {TOKEN}", "x-business-id": BUSINESS},
        {"Authorization": f"Bearer\t{TOKEN}", "x-business-id": BUSINESS},
        {"Authorization": f"Bearer {TOKEN} {TOKEN}", "x-business-id": BUSINESS},
        {"Authorization": f"Bearer {TOKEN[:-1]}", "x-business-id": BUSINESS},
        {"Authorization": f"Bearer {TOKEN[:-1]}{'0' if TOKEN[-1] != '0' else '1'}", "x-business-id": BUSINESS},
    ],
)
def test_a_missing_header_and_a_mistyped_token_cost_no_read(load: Load, headers: dict[str, str] | None) -> None:
    module, wire = load(stored())
    event: AuthorizerEvent = {"methodArn": POST_ADJUSTMENT, "headers": headers}
    assert refusal(module, event) == "Unauthorized"
    assert wire.calls == 0


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(unknown(), id="unknown"),
        pytest.param(stored(digest={"B": base64.b64encode(DIGEST[:16] + bytes(16)).decode()}), id="of the same id"),
        pytest.param(stored(expires_at={"S": instant_text(datetime.now(UTC) - timedelta(seconds=1))}), id="expired"),
        pytest.param(stored(revoked_at={"S": "2026-11-23T14:05:09.123456Z"}), id="revoked"),
    ],
)
def test_unknown_expired_and_revoked_tokens_are_refused_alike(load: Load, found: Reply) -> None:
    module, _ = load(found)
    assert refusal(module, request()) == "Unauthorized"
    assert refusal(module, request(business="malformed")) == "Unauthorized"


def test_a_token_is_valid_until_it_expires_and_the_context_holds_its_expiry(load: Load) -> None:
    soon = instant_text(datetime.now(UTC) + timedelta(minutes=1))
    module, _ = load(stored(), stored(expires_at={"S": soon}))
    lasting, passing = answer(module, request()), answer(module, request())
    assert statements(passing) == [("Allow", OPEN)]
    assert passing["context"] == lasting["context"] | {"expires_at": soon}


@pytest.mark.usefixtures("process_time_zone")
def test_a_token_expires_at_its_instant_in_any_time_zone_of_the_process(load: Load) -> None:
    now = datetime.now(UTC)
    past, soon = (instant_text(now + timedelta(minutes=each)) for each in (-1, 1))
    module, _ = load(stored(expires_at={"S": past}), stored(expires_at={"S": soon}))

    assert refusal(module, request()) == "Unauthorized"
    assert answer(module, request())["context"]["expires_at"] == soon


def test_two_authorization_headers_count_as_none(load: Load) -> None:
    module, wire = load(stored())
    several = {"Authorization": [f"Bearer {TOKEN}", f"Bearer {TOKEN}"], "x-business-id": [BUSINESS]}
    assert refusal(module, request(several=several)) == "Unauthorized"
    assert wire.calls == 0


def test_under_sam_local_which_cannot_say_401_a_bad_token_is_denied(load: Load) -> None:
    module, _ = load(unknown(), AWS_SAM_LOCAL="true")
    policy = answer(module, request())
    assert policy["principalId"] == "anonymous"
    assert statements(policy) == [("Deny", [f"{STAGE_ARN}/*"])]


# --- 403


@pytest.mark.parametrize("business", [OTHER_BUSINESS, "malformed", f"{BUSINESS}0", f"{BUSINESS}, {BUSINESS}"])
def test_a_business_that_is_not_the_tokens_own_is_denied_on_every_route(load: Load, business: str) -> None:
    module, _ = load(stored())
    policy = answer(module, request(business=business))
    assert policy["principalId"] == TOKEN_ID
    assert statements(policy) == [("Deny", [f"{STAGE_ARN}/*"])]


@pytest.mark.parametrize("values", [[BUSINESS, OTHER_BUSINESS], [OTHER_BUSINESS, BUSINESS], [BUSINESS, BUSINESS]])
def test_two_business_headers_are_denied_even_where_the_gateway_shows_one_of_them(
    load: Load, values: list[str]
) -> None:
    module, _ = load(stored())
    several = {"Authorization": [f"Bearer {TOKEN}"], "x-business-id": values}
    assert statements(answer(module, request(several=several))) == [("Deny", [f"{STAGE_ARN}/*"])]


# --- an unavailable table


@pytest.mark.parametrize(("found", "calls"), FAULTS)
def test_a_table_fault_neither_denies_nor_allows_and_leaks_no_details(load: Load, found: Reply, calls: int) -> None:
    module, wire = load(found)
    assert refusal(module, request()) == "The authorizer could not decide."
    assert wire.calls == calls


@pytest.mark.parametrize(("found", "calls"), FAULTS)
def test_not_even_under_sam_local(load: Load, found: Reply, calls: int) -> None:
    module, wire = load(found, AWS_SAM_LOCAL="true")
    assert refusal(module, request()) == "The authorizer could not decide."
    assert wire.calls == calls


@pytest.mark.parametrize("passing", [fault("ThrottlingException"), broken(), reply({})])
def test_a_transient_fault_is_retried(load: Load, passing: Reply) -> None:
    module, wire = load(passing, stored())
    assert statements(answer(module, request())) == [("Allow", OPEN)]
    assert wire.calls == 2


def test_no_second_read_begins_that_could_outlast_the_invocation(load: Load) -> None:
    module, wire = load(broken())
    with pytest.raises(module.AuthorizerError):
        module.handler(request(), Context(remaining_ms=int(CALL_BUDGET_S * 1000)))
    assert wire.calls == 1


# --- secrets and cost


@pytest.mark.parametrize(
    "found", [stored(), unknown(), fault("ThrottlingException"), fault("AccessDeniedException"), reply({"Item": {}})]
)
@pytest.mark.parametrize("business", [BUSINESS, OTHER_BUSINESS])
def test_no_log_line_holds_a_token_its_digest_or_a_header(
    load: Load, capsys: pytest.CaptureFixture[str], found: Reply, business: str
) -> None:
    module, _ = load(found, POWERTOOLS_LOGGER_LOG_EVENT="true", LOG_LEVEL="DEBUG")
    for token in (TOKEN, TOKEN[:-1]):
        event = request(token=token, business=business)
        with suppress(module.AuthorizerError):
            answer(module, event)
    logged = "".join(capsys.readouterr())
    for secret in (TOKEN[:-1], TOKEN[3:33], DIGEST.hex(), repr(DIGEST), business, "a header"):
        assert secret not in logged


def test_the_reason_of_a_denial_is_logged_and_not_sent_to_the_caller(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _ = load(stored(revoked_at={"S": "2026-11-23T14:05:09.123456Z"}))
    assert refusal(module, request()) == "Unauthorized"
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["why"] == "revoked"


def test_no_log_member_of_one_request_stays_for_the_next(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    module, _ = load(stored())
    answer(module, request(business=OTHER_BUSINESS))
    refusal(module, request(headers={}))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "token_id" in first
    assert "token_id" not in second


def test_a_cold_start_imports_no_pydantic() -> None:
    script = (
        "import runpy, sys; sys.path.insert(0, 'layers/inventory'); runpy.run_path('functions/authorizer/handler.py');"
        "print([name for name in ('pydantic', 'aws_lambda_powertools.utilities.parser') if name in sys.modules])"
    )
    environment = CREDENTIALS | {"ACCESS_TABLE": "access"}
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=environment, text=True)  # noqa: S603
    assert printed.strip() == "[]"


def test_the_sample_event_names_a_well_formed_token_and_a_business(load: Load) -> None:
    event = load_event("authorizer")
    module, wire = load(unknown())
    assert refusal(module, event) == "Unauthorized"
    assert wire.calls == 1
    assert well_formed(event["headers"]["Authorization"].removeprefix("Bearer "))
    assert parse_uuid(event["headers"]["x-business-id"]) is not None
