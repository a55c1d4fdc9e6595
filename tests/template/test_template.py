"""What must hold in the template after every change."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from datetime import timedelta
from typing import Any

import pytest

from inventory.api.headers import cors_headers
from inventory.api.routes import (
    API_DESCRIPTION,
    APP_ASSET,
    APP_PAGE,
    DOCS_ASSET,
    DOCS_PAGE,
    PROVE_LEVEL,
    REPORT_REASONS,
)
from inventory.domain.model import Rejection, StockItem
from inventory.domain.retry_budget import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from inventory.queries.settled import SETTLED_AFTER
from inventory.storage.items import ledger_item, rejection_item, stock_item_attributes
from inventory.storage.rejections import MARKER_LIFETIME
from local.template import gateway_responses
from tests.support.builders.domain import a_stock_item, an_adjustment
from tests.support.builders.ids import NOW
from tests.support.sam_template import PROJECT_ROOT, load_template, resources

FUNCTIONS = resources("AWS::Serverless::Function")
ROLES = resources("AWS::IAM::Role")
TABLES = resources("AWS::DynamoDB::Table")
LOG_GROUPS = resources("AWS::Logs::LogGroup")
QUEUES = resources("AWS::SQS::Queue")
ALARMS = resources("AWS::CloudWatch::Alarm")
API = load_template()["Resources"]["Api"]["Properties"]
GATEWAY_TIMEOUT_S = 29

each_function = pytest.mark.parametrize("function", FUNCTIONS)
each_table = pytest.mark.parametrize("table", TABLES)
each_queue = pytest.mark.parametrize("queue", QUEUES)


def statements(role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in ROLES[role]["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def on_tables(function: str) -> list[dict[str, Any]]:
    """Statements of its role that are about the tables."""
    return [each for each in statements(role_of(function)) if "dynamodb:" in json.dumps(each["Action"])]


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role_of(function: str) -> str:
    role: str = FUNCTIONS[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    return role


def variables_of(function: str) -> set[str]:
    common = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    own = FUNCTIONS[function]["Properties"].get("Environment", {"Variables": {}})["Variables"]
    return set(common) | set(own)


# ------------------------------------------------------------------------------------------------------------- routes


OPEN_ROUTES = {API_DESCRIPTION.path, DOCS_PAGE.path, DOCS_ASSET.path, APP_PAGE.path, APP_ASSET.path}
"""The API's description and the page for stock controllers: the only routes without a token."""


def test_every_route_has_the_authorizer_but_the_apis_description_and_belongs_to_the_one_api() -> None:
    routes = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    assert routes
    assert API["Auth"]["DefaultAuthorizer"] in API["Auth"]["Authorizers"]
    for route in routes:
        assert route["RestApiId"] == {"Ref": "Api"}
        if route["Path"] in OPEN_ROUTES or route["Method"] == "options":
            assert (route["Auth"], route["Method"] in {"get", "head", "options"}) == ({"Authorizer": "NONE"}, True)
        else:
            assert "Auth" not in route, f"{route['Path']} overrides the API's authorizer"
    assert {route["Path"] for route in routes} >= OPEN_ROUTES


def test_the_function_behind_the_open_routes_has_no_other_and_may_only_log() -> None:
    (function,) = {function for function, properties in sources("Api") if properties["Path"] == API_DESCRIPTION.path}
    served = [properties for name, properties in sources("Api") if name == function]
    assert {each["Path"] for each in served if each["Method"] != "options"} == OPEN_ROUTES
    assert {action for each in statements(role_of(function)) for action in each["Action"]} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_the_authorizers_answer_is_cached_by_token_and_business_together_for_60_s() -> None:
    (authorizer,) = API["Auth"]["Authorizers"].values()
    assert authorizer["FunctionPayloadType"] == "REQUEST"
    assert authorizer["Identity"]["Headers"] == ["Authorization", "x-business-id"]
    assert authorizer["Identity"]["ReauthorizeEvery"] == {"Ref": "AuthorizerCacheSeconds"}
    assert load_template()["Parameters"]["AuthorizerCacheSeconds"]["Default"] == 60


def test_the_authorizer_is_called_by_its_alias_but_under_sam_local() -> None:
    (authorizer,) = API["Auth"]["Authorizers"].values()
    assert authorizer["FunctionArn"] == {
        "Fn::If": ["SamLocal", {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]}, {"Ref": "AuthorizerFunction.Alias"}]
    }
    assert load_template()["Parameters"]["SamLocal"]["Default"] == "false"


def test_bodies_reach_the_function_as_bytes() -> None:
    assert API["BinaryMediaTypes"] == ["*~1*"]


def test_the_api_is_throttled_and_writes_no_execution_log() -> None:
    every, *_ = API["MethodSettings"]
    assert (every["ResourcePath"], every["HttpMethod"]) == ("/*", "*")
    assert every["ThrottlingRateLimit"] == {"Ref": "ReadRequestsPerSecond"}
    assert every["ThrottlingBurstLimit"] == {"Ref": "ReadBurst"}
    assert every["LoggingLevel"] == "OFF"
    assert every["DataTraceEnabled"] is False


SCANNING = {PROVE_LEVEL.path, REPORT_REASONS.path}
"""What looks at thousands of rows for one answer."""


def kind_of(event: dict[str, Any]) -> str:
    """What a method of a path is for, as the parameters of its limits say it."""
    if event["Path"] in OPEN_ROUTES:
        return "Open"
    if event["Method"] == "options":
        return "Preflight"
    if event["Method"] == "post":
        return "Write"
    return "Scan" if event["Path"] in SCANNING else "Read"


def test_each_route_has_a_limit_by_what_it_is_for() -> None:
    """A limit of the stage is of each method by itself, so it has to suit every method that has none of its own.

    A slash in a path is written as ``~1``.
    """
    every, *settings = API["MethodSettings"]
    own = {(each["HttpMethod"].lower(), each["ResourcePath"].removeprefix("/").replace("~1", "/")) for each in settings}
    assert len(own) == len(settings)
    for each in settings:
        assert each.get("LoggingLevel", "OFF") == "OFF"
    limits = {
        (each["HttpMethod"].lower(), each["ResourcePath"].removeprefix("/").replace("~1", "/")): each
        for each in settings
    }
    methods = {(event["Method"], event["Path"]): kind_of(event) for _, event in sources("Api")}
    assert own == {method for method, kind in methods.items() if kind != "Read"}
    for method, kind in methods.items():
        limit = limits.get(method, every)
        rate = "PreflightsPerSecond" if kind == "Preflight" else f"{kind}RequestsPerSecond"
        assert (limit["ThrottlingRateLimit"], limit["ThrottlingBurstLimit"]) == ({"Ref": rate}, {"Ref": f"{kind}Burst"})


def test_what_costs_more_has_the_lower_limit() -> None:
    defaults = {name: each.get("Default") for name, each in load_template()["Parameters"].items()}
    rates = [defaults[f"{kind}RequestsPerSecond"] for kind in ("Open", "Scan", "Read", "Write")]
    assert rates == sorted(rates)


FOR_WRITES = {"Fn::If": ["ReserveForWrites", {"Ref": "WriteConcurrency"}, {"Ref": "AWS::NoValue"}]}


def test_the_way_of_a_change_is_reserved_and_reading_is_limited() -> None:
    """By what a function serves: a change needs the authorizer too, and the open routes are kept by their limits."""
    kinds: dict[str, set[str]] = {}
    for function, event in sources("Api"):
        kinds.setdefault(function, set()).add(kind_of(event))
    wanted: dict[str, object] = {"AuthorizerFunction": FOR_WRITES}
    for function, served in kinds.items():
        if "Write" in served:
            wanted[function] = FOR_WRITES
        elif served & {"Read", "Scan"}:
            wanted[function] = {"Fn::If": ["CapReads", {"Ref": "ReadConcurrency"}, {"Ref": "AWS::NoValue"}]}
    ((queue, _),) = sources("SQS")
    wanted[queue] = {"Fn::If": ["ReserveForWrites", {"Ref": "QueueConcurrency"}, {"Ref": "AWS::NoValue"}]}
    found = {name: each["Properties"].get("ReservedConcurrentExecutions") for name, each in FUNCTIONS.items()}
    assert {name: each for name, each in found.items() if each is not None} == wanted


def test_a_queues_function_may_run_as_often_as_its_trigger_starts_it() -> None:
    """Lambda's page on scaling: a trigger that starts more than is reserved loses messages to the dead-letter queue."""
    ((queue, source),) = sources("SQS")
    reserved = FUNCTIONS[queue]["Properties"]["ReservedConcurrentExecutions"]["Fn::If"][1]
    assert reserved == source["ScalingConfig"]["MaximumConcurrency"] == {"Ref": "QueueConcurrency"}


def test_every_path_answers_a_browsers_preflight_without_a_token() -> None:
    paths = {event["Path"] for _, event in sources("Api")}
    asked = sorted((event["Path"], function) for function, event in sources("Api") if event["Method"] == "options")
    assert asked == [(path, "DescribeApiFunction") for path in sorted(paths)]


def test_the_access_log_is_json_and_holds_no_header_body_or_token() -> None:
    line = API["AccessLogSetting"]["Format"]
    json.loads(line)
    variables = set(re.findall(r"\$context\.([A-Za-z_.]+)", line))
    assert variables <= {
        "requestId",
        "requestTime",
        "httpMethod",
        "resourcePath",
        "status",
        "identity.sourceIp",
        "authorizer.principalId",
        "authorizer.business_id",
        "responseLatency",
        "authorizer.status",
        "integration.requestId",
        "integration.latency",
        "error.responseType",
    }


# --------------------------------------------------------------------------------------------------- gateway's answers

GATEWAY_ANSWERS = {
    "UNAUTHORIZED": (401, "unauthorized"),
    "ACCESS_DENIED": (403, "forbidden"),
    "INVALID_API_KEY": (403, "forbidden"),
    "WAF_FILTERED": (403, "forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found"),
    "RESOURCE_NOT_FOUND": (404, "not_found"),
    "INVALID_SIGNATURE": (404, "not_found"),
    "EXPIRED_TOKEN": (404, "not_found"),
    "THROTTLED": (429, "too_many_requests"),
    "QUOTA_EXCEEDED": (429, "too_many_requests"),
    "INTEGRATION_FAILURE": (503, "try_again"),
    "INTEGRATION_TIMEOUT": (503, "try_again"),
    "AUTHORIZER_FAILURE": (503, "try_again"),
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "try_again"),
    "API_CONFIGURATION_ERROR": (503, "try_again"),
    "REQUEST_TOO_LARGE": (413, "content_too_large"),
    "DEFAULT_4XX": (None, "bad_request"),
    "DEFAULT_5XX": (503, "try_again"),
}


def test_the_gateways_own_answers_have_the_contracts_statuses_and_form() -> None:
    shaped = {}
    for kind, answer in API["GatewayResponses"].items():
        (body,) = answer["ResponseTemplates"].values()
        detail = json.loads(body)["detail"]
        assert set(detail) == {"code", "message"}
        shaped[kind] = (answer.get("StatusCode"), detail["code"])
    assert shaped == GATEWAY_ANSWERS


def test_no_route_asks_for_a_signature_of_aws_so_that_a_bad_one_means_no_route() -> None:
    assert {each["FunctionPayloadType"] for each in API["Auth"]["Authorizers"].values()} == {"REQUEST"}
    assert "AWS_IAM" not in json.dumps(load_template())


@pytest.mark.parametrize("kind", GATEWAY_ANSWERS)
def test_the_gateways_own_answers_have_the_headers_that_their_status_wants(kind: str) -> None:
    headers = API["GatewayResponses"][kind]["ResponseParameters"]["Headers"]
    assert headers["x-request-id"] == "context.requestId"
    status, _ = GATEWAY_ANSWERS[kind]
    assert (headers.get("WWW-Authenticate") == "'Bearer'") == (status == 401)
    assert (headers.get("Retry-After") == "'1'") == (status in {429, 503})


@pytest.mark.parametrize("kind", GATEWAY_ANSWERS)
def test_the_gateways_own_answers_let_pages_of_the_allowed_origin_read_them_and_of_no_other(kind: str) -> None:
    written = gateway_responses(load_template(), {"AllowedOrigin": "https://shop.example"})[kind]["responseParameters"]
    found = {
        name.removeprefix("gatewayresponse.header."): value.strip("'")
        for name, value in written.items()
        if "Access-Control" in name
    }
    assert found == cors_headers("https://shop.example")
    without = gateway_responses(load_template(), {"AllowedOrigin": ""})[kind]["responseParameters"]
    assert without.keys() == {name for name in written if "Access-Control" not in name}


# ---------------------------------------------------------------------------------------------------------- functions


@each_function
def test_a_function_is_one_folder_with_one_handler(function: str) -> None:
    folder = PROJECT_ROOT / FUNCTIONS[function]["Properties"]["CodeUri"]
    assert [path.name for path in folder.iterdir() if path.suffix == ".py"] == ["handler.py"]
    assert load_template()["Globals"]["Function"]["Handler"] == "handler.handler"
    assert "Handler" not in FUNCTIONS[function]["Properties"]


def test_every_folder_of_functions_is_deployed() -> None:
    deployed = {each["Properties"]["CodeUri"] for each in FUNCTIONS.values()}
    assert deployed == {f"functions/{path.name}" for path in (PROJECT_ROOT / "functions").iterdir() if path.is_dir()}


@each_function
def test_a_change_in_a_layer_alone_reaches_the_alias(function: str) -> None:
    assert load_template()["Globals"]["Function"]["AutoPublishAlias"] == "live"
    assert FUNCTIONS[function]["Properties"]["AutoPublishCodeSha256"] == {"Ref": "CodeVersion"}
    assert "Default" not in load_template()["Parameters"]["CodeVersion"]


def test_a_function_is_another_one_with_each_code_version_so_that_lambda_publishes_it() -> None:
    assert load_template()["Globals"]["Function"]["Environment"]["Variables"]["CODE_VERSION"] == {"Ref": "CodeVersion"}


def test_every_stage_names_every_parameter_as_one_that_is_left_out_would_keep_its_last_value() -> None:
    stages = tomllib.loads((PROJECT_ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    stages.pop("version")
    assert stages
    for stage in stages.values():
        named = set(stage["deploy"]["parameters"]["parameter_overrides"]) - {"$include"}
        assert named == set(load_template()["Parameters"]) - {"CodeVersion"}


@each_function
def test_a_function_gets_the_dependencies_of_its_own_architecture(function: str) -> None:
    of_the_architecture = {"Fn::If": ["Arm64", {"Ref": "DependenciesArm64Layer"}, {"Ref": "DependenciesX86Layer"}]}
    layers = FUNCTIONS[function]["Properties"]["Layers"]
    assert [each for each in layers if "Dependencies" in str(each)] in ([], [of_the_architecture])
    assert load_template()["Globals"]["Function"]["Architectures"] == [{"Ref": "Architecture"}]
    assert "Architectures" not in FUNCTIONS[function]["Properties"]
    for condition, layer, architecture in (
        ("Arm64", "DependenciesArm64Layer", "arm64"),
        ("X86", "DependenciesX86Layer", "x86_64"),
    ):
        made = load_template()["Resources"][layer]
        assert made["Condition"] == condition
        assert (
            made["Properties"]["CompatibleArchitectures"] == [made["Metadata"]["BuildArchitecture"]] == [architecture]
        )
        assert load_template()["Conditions"][condition] == {"Fn::Equals": [{"Ref": "Architecture"}, architecture]}


def test_only_functions_that_a_caller_waits_for_may_start_from_a_snapshot() -> None:
    asked = {name for name, each in FUNCTIONS.items() if "SnapStart" in each["Properties"]}
    behind_the_api = {name for name, properties in sources("Api") if "Auth" not in properties}
    assert asked == behind_the_api | {"AuthorizerFunction"}
    for name in asked:
        assert FUNCTIONS[name]["Properties"]["SnapStart"] == {
            "ApplyOn": {"Fn::If": ["SnapStart", "PublishedVersions", "None"]}
        }


def test_every_function_has_the_memory_that_the_parameter_says_but_the_audit() -> None:
    assert load_template()["Globals"]["Function"]["MemorySize"] == {"Ref": "MemorySize"}
    assert {name for name, each in FUNCTIONS.items() if "MemorySize" in each["Properties"]} == {"AuditLedgerFunction"}


@each_function
def test_a_function_reads_only_settings_that_the_template_gives_it(function: str) -> None:
    source = (PROJECT_ROOT / FUNCTIONS[function]["Properties"]["CodeUri"] / "handler.py").read_text(encoding="utf-8")
    read = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                read.add(name)
            case ast.Call(
                func=ast.Attribute(attr="get", value=ast.Attribute(attr="environ")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                read.add(name)
            case _:
                pass
    assert read or "environ" not in source, "nothing found: the handler reads its settings in another way now"
    assert read - {"AWS_SAM_LOCAL"} <= variables_of(function)


@each_function
def test_a_function_logs_to_a_group_of_its_own(function: str) -> None:
    group = FUNCTIONS[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert group in LOG_GROUPS
    users = [f for f in FUNCTIONS if FUNCTIONS[f]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] == group]
    assert users == [function]


@pytest.mark.parametrize("group", LOG_GROUPS)
def test_every_log_group_has_a_retention(group: str) -> None:
    assert LOG_GROUPS[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_time_outs_add_up_from_the_store_to_the_gateway() -> None:
    function_timeout_s = load_template()["Globals"]["Function"]["Timeout"]
    calls = 3  # load and commit, and for a reversal what it reverses before them
    assert calls * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) < function_timeout_s < GATEWAY_TIMEOUT_S
    behind_no_gateway = {name for name in FUNCTIONS if "Timeout" in FUNCTIONS[name]["Properties"]}
    assert behind_no_gateway == {"IngestAdjustmentsFunction", "PublishAdjustmentsFunction", "AuditLedgerFunction"}


# -------------------------------------------------------------------------------------------------------------- roles


def test_each_function_has_a_role_of_its_own_written_out() -> None:
    roles = [role_of(function) for function in FUNCTIONS]
    assert len(set(roles)) == len(roles)
    for function in FUNCTIONS.values():
        assert "Policies" not in function["Properties"]
    for role in roles:
        assert "ManagedPolicyArns" not in ROLES[role]["Properties"]


WITHOUT_RESOURCE = {"dynamodb:ListStreams"}
"""IAM knows no resource of these actions: with any other than `*` they would be denied."""


@each_function
def test_no_permission_is_wider_than_named_actions_on_named_resources(function: str) -> None:
    for statement in statements(role_of(function)):
        if statement["Effect"] == "Allow" and not set(listed(statement["Action"])) <= WITHOUT_RESOURCE:
            assert not any("*" in action for action in listed(statement["Action"]))
            assert all(isinstance(resource, dict) for resource in listed(statement["Resource"])), "a literal resource"


INVENTORY = {"Fn::GetAtt": ["InventoryTable", "Arn"]}
LEDGER = {"Fn::GetAtt": ["LedgerTable", "Arn"]}
WRITES = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
READ = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"}
APPEND_AND_READ = {"dynamodb:PutItem"} | READ
ALTER = {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQL*"}


@each_function
def test_no_role_can_alter_the_ledger(function: str) -> None:
    allowed: set[str] = set()
    denied: set[str] = set()
    for statement in statements(role_of(function)):
        if LEDGER in listed(statement["Resource"]):
            (allowed if statement["Effect"] == "Allow" else denied).update(listed(statement["Action"]))
    assert allowed <= APPEND_AND_READ | {"dynamodb:ConditionCheckItem"}
    if "dynamodb:PutItem" in allowed:
        assert denied >= ALTER


def test_only_the_audit_may_scan_the_ledger_and_it_may_only_read() -> None:
    scanning = {
        function
        for function in FUNCTIONS
        for statement in statements(role_of(function))
        if statement["Effect"] == "Allow"
        and "dynamodb:Scan" in listed(statement["Action"])
        and LEDGER in listed(statement["Resource"])
    }
    assert scanning == {"AuditLedgerFunction"}
    of_the_audit = statements(role_of("AuditLedgerFunction"))
    allowed = {action for each in of_the_audit if each["Effect"] == "Allow" for action in listed(each["Action"])}
    assert {action for action in allowed if not action.startswith("logs:")} <= READ
    (denied,) = [each for each in of_the_audit if each["Effect"] == "Deny"]
    assert set(denied["Action"]) == {"dynamodb:PutItem"} | ALTER
    assert denied["Resource"] == [{"Fn::GetAtt": ["InventoryTable", "Arn"]}, LEDGER]


def test_the_audit_is_scheduled_unless_the_stack_holds_test_data() -> None:
    ((function, schedule),) = sources("Schedule")
    assert function == "AuditLedgerFunction"
    # The hour's number says which segment it is: so far from the next hour no delay makes it another.
    assert schedule["Schedule"] == "cron(30 * * * ? *)"
    assert schedule["State"] == {"Fn::If": ["KeepData", "ENABLED", "DISABLED"]}


@each_function
def test_a_ledger_row_is_put_only_within_a_transaction(function: str) -> None:
    for statement in statements(role_of(function)):
        if statement["Effect"] == "Allow" and LEDGER in listed(statement["Resource"]):
            within = (
                statement.get("Condition", {}).get("ForAnyValue:StringEquals", {}).get("dynamodb:EnclosingOperation")
            )
            assert ("dynamodb:PutItem" in listed(statement["Action"])) == (within == ["TransactWriteItems"])


@each_function
def test_stock_and_catalog_are_written_only_within_a_transaction(function: str) -> None:
    for statement in statements(role_of(function)):
        writes = WRITES & set(listed(statement["Action"]))
        if statement["Effect"] == "Allow" and writes and INVENTORY in listed(statement["Resource"]):
            within = statement["Condition"]["ForAnyValue:StringEquals"]
            assert within == {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}


def test_no_function_may_both_move_stock_and_change_the_catalog() -> None:
    writers: dict[str, dict[str, list[str]]] = {}
    for function in FUNCTIONS:
        for statement in statements(role_of(function)):
            writes = WRITES & set(listed(statement["Action"]))
            indexes = "ForAllValues:StringEquals" in statement.get("Condition", {})
            if statement["Effect"] == "Allow" and writes and INVENTORY in listed(statement["Resource"]) and not indexes:
                leading_keys = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                writers.setdefault(function, {}).update(dict.fromkeys(writes, leading_keys))
    assert writers == {
        "CreateAdjustmentFunction": {"dynamodb:UpdateItem": ["STOCK#*"]},
        "IngestAdjustmentsFunction": {"dynamodb:UpdateItem": ["STOCK#*"], "dynamodb:PutItem": ["MESSAGE#*"]},
        "ReverseAdjustmentFunction": {"dynamodb:UpdateItem": ["STOCK#*"], "dynamodb:PutItem": ["REVERSAL#*"]},
        "ProvisionFunction": {"dynamodb:PutItem": ["BUSINESS#*"], "dynamodb:DeleteItem": ["BUSINESS#*"]},
    }


def test_reversing_may_do_what_creating_may_but_read_the_past_and_put_links_within_a_transaction() -> None:
    levels = {
        "Effect": "Allow",
        "Action": "dynamodb:Query",
        "Resource": {"Fn::Sub": "${LedgerTable.Arn}/index/by_stock_item"},
    }
    links = {
        "Effect": "Allow",
        "Action": "dynamodb:PutItem",
        "Resource": {"Fn::GetAtt": ["InventoryTable", "Arn"]},
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["REVERSAL#*"]},
            "ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]},
        },
    }
    of_creating = on_tables("CreateAdjustmentFunction")
    of_creating.remove(levels)
    assert on_tables("ReverseAdjustmentFunction") == [*of_creating, links]


def test_of_stock_items_operators_may_set_only_what_the_index_knows_them_by() -> None:
    on_stock = [each for each in on_tables("ProvisionFunction") if "STOCK#*" in json.dumps(each)]
    (of_stock,) = [each for each in on_stock if WRITES & set(listed(each["Action"]))]
    keys = TABLES["InventoryTable"]["Properties"]["GlobalSecondaryIndexes"][0]["KeySchema"]
    assert of_stock == {
        "Effect": "Allow",
        "Action": "dynamodb:UpdateItem",
        "Resource": INVENTORY,
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["STOCK#*"]},
            "ForAllValues:StringEquals": {
                "dynamodb:Attributes": ["pk", "sk", *(each["AttributeName"] for each in keys)]
            },
            "ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]},
        },
    }


def test_ingesting_may_do_what_creating_may_but_mark_rejected_messages_and_check_for_them() -> None:
    of_messages = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["MESSAGE#*"]}}
    within = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
    check = {"Effect": "Allow", "Action": "dynamodb:ConditionCheckItem"}  # which is never by itself
    rejections = [
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": INVENTORY, "Condition": of_messages | within},
        check | {"Resource": INVENTORY, "Condition": of_messages},
        check | {"Resource": LEDGER},
    ]
    assert on_tables("IngestAdjustmentsFunction") == [*rejections, *on_tables("CreateAdjustmentFunction")]


def test_only_markers_of_rejected_messages_expire() -> None:
    expiring = {name: each["Properties"].get("TimeToLiveSpecification") for name, each in TABLES.items()}
    assert {name: each for name, each in expiring.items() if each} == {
        "InventoryTable": {"AttributeName": "expires_at", "Enabled": True}
    }
    marker = rejection_item("0" * 64, Rejection("VariantNotFound", {}), rejected_at=NOW, expires_at=NOW)
    assert "expires_at" in marker
    assert "expires_at" not in stock_item_attributes(a_stock_item(1)) | ledger_item(an_adjustment())


def test_a_marker_of_a_rejection_outlives_its_message_and_three_redrives() -> None:
    queues = [each["Properties"] for each in resources("AWS::SQS::Queue").values()]
    longest = timedelta(seconds=max(each["MessageRetentionPeriod"] for each in queues))
    assert 4 * longest < MARKER_LIFETIME


def test_reading_may_do_nothing_else_and_on_the_indexes_only_query() -> None:
    role = statements(role_of("ReadInventoryFunction"))
    allowed = {action for each in role for action in listed(each["Action"])}
    assert allowed == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
    }
    of_indexes, of_table = [each for each in role if each["Action"] == "dynamodb:Query"]
    assert of_indexes["Resource"] == [
        {"Fn::Sub": "${LedgerTable.Arn}/index/*"},
        {"Fn::Sub": "${InventoryTable.Arn}/index/by_business"},
    ]
    assert of_table["Resource"] == {"Fn::GetAtt": ["InventoryTable", "Arn"]}
    assert of_table["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["STOCK#*", "BUSINESS#*"]}}


def test_a_business_s_stock_items_have_one_sparse_index_with_keys_only() -> None:
    """CloudFormation adds one index in an update; and what an adjustment changes may not be in it."""
    (index,) = TABLES["InventoryTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    keys = [each["AttributeName"] for each in index["KeySchema"]]
    assert keys == ["business_shard", "location_variant"]
    assert set(keys).isdisjoint(stock_item_attributes(StockItem(1, 1, NOW, "", counted_at=NOW, counted_through=NOW)))


def test_the_ledger_is_settled_long_after_the_longest_invocation_that_commits() -> None:
    """Half of the time is for a commit that is cut off at the end of its invocation, the other half for the rest."""
    committing = [
        function
        for name, function in resources("AWS::Serverless::Function").items()
        if "dynamodb:PutItem"
        in {
            action
            for each in statements(role_of(name))
            if each["Effect"] == "Allow"
            for action in listed(each["Action"])
        }
        and "LEDGER_TABLE" in json.dumps(function)
    ]
    common_s = load_template()["Globals"]["Function"]["Timeout"]
    timeouts_s = [each["Properties"].get("Timeout", common_s) for each in committing]
    assert len(timeouts_s) == 3
    assert max(timeouts_s) * 2 <= SETTLED_AFTER.total_seconds()


# ------------------------------------------------------------------------------------------------------------- tables


def test_tables_keep_their_logical_ids() -> None:
    """CloudFormation would replace a table with another id by an empty one."""
    assert set(TABLES) == {"InventoryTable", "LedgerTable", "AccessTable"}


@each_table
def test_a_table_outlives_its_stack_unless_it_holds_test_data(table: str) -> None:
    kept = {"Fn::If": ["KeepData", "Retain", "Delete"]}
    assert TABLES[table]["DeletionPolicy"] == TABLES[table]["UpdateReplacePolicy"] == kept
    properties = TABLES[table]["Properties"]
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["KeepData", True, {"Ref": "AWS::NoValue"}]}
    assert properties["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": {"Fn::If": ["KeepData", True, False]}
    }
    assert load_template()["Parameters"]["KeepData"]["Default"] == "true"


@each_table
def test_a_table_is_encrypted_and_on_demand(table: str) -> None:
    properties = TABLES[table]["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_the_ledger_streams_its_new_rows() -> None:
    assert TABLES["LedgerTable"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


# ------------------------------------------------------------------------------------------------------ queue and bus


def sources(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Function and properties of each of its events of one type."""
    return [
        (function, event["Properties"])
        for function in FUNCTIONS
        for event in FUNCTIONS[function]["Properties"].get("Events", {}).values()
        if event["Type"] == kind
    ]


def dead_letter_queue_of(queue: str) -> str | None:
    policy = QUEUES[queue]["Properties"].get("RedrivePolicy")
    return None if policy is None else policy["deadLetterTargetArn"]["Fn::GetAtt"][0]


@each_queue
def test_a_queue_is_encrypted_and_keeps_its_messages_for_14_days(queue: str) -> None:
    assert QUEUES[queue]["Properties"]["SqsManagedSseEnabled"] is True
    assert QUEUES[queue]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_the_requests_queue_fills_large_batches_and_limits_its_function() -> None:
    ((function, source),) = sources("SQS")
    assert function == "IngestAdjustmentsFunction"
    assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (1000, 1)
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "QueueConcurrency"}}
    assert load_template()["Parameters"]["QueueConcurrency"]["Default"] == 10
    assert FUNCTIONS[function]["Properties"]["Timeout"] == 30


def test_a_queues_function_returns_messages_one_by_one_and_five_times_at_most() -> None:
    assert sources("SQS")
    for function, source in sources("SQS"):
        queue = source["Queue"]["Fn::GetAtt"][0]
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert QUEUES[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] == 5
        # As Lambda's documentation asks: no second delivery while a message is handled, or waits for its batch to fill.
        hidden_s = 6 * FUNCTIONS[function]["Properties"]["Timeout"] + source["MaximumBatchingWindowInSeconds"]
        assert QUEUES[queue]["Properties"]["VisibilityTimeout"] >= hidden_s
        receives = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
        assert [
            set(each["Action"]) for each in statements(role_of(function)) if each["Resource"] == source["Queue"]
        ] == [receives]


def named(destination: dict[str, Any]) -> str:
    """The queue that a destination or a dead-letter configuration names."""
    (value,) = [each for name, each in destination.items() if name in {"Arn", "Destination"}]
    queue, attribute = value["Fn::GetAtt"]
    assert attribute == "Arn"
    assert queue in QUEUES
    return str(queue)


def on_failure(config: dict[str, Any]) -> str:
    return named(config["DestinationConfig"]["OnFailure"])


def dead_letter_queues() -> set[str]:
    """The queue of failed work of every asynchronous source."""
    return {
        *(found for queue in QUEUES if (found := dead_letter_queue_of(queue))),
        *(on_failure(source) for _, source in sources("DynamoDB")),
        *(on_failure(each["Properties"]) for each in resources("AWS::Lambda::EventInvokeConfig").values()),
        *(
            on_failure(function["Properties"]["EventInvokeConfig"])
            for function in FUNCTIONS.values()
            if "EventInvokeConfig" in function["Properties"]
        ),
        *(
            named(target["DeadLetterConfig"])
            for rule in resources("AWS::Events::Rule").values()
            for target in rule["Properties"]["Targets"]
        ),
    }


def test_every_asynchronous_source_has_a_dead_letter_queue() -> None:
    kinds = {event["Type"] for each in FUNCTIONS.values() for event in each["Properties"].get("Events", {}).values()}
    assert kinds == {"Api", "DynamoDB", "SQS", "Schedule"}, "another kind: which dead-letter queue does it have?"
    assert all(dead_letter_queue_of(source["Queue"]["Fn::GetAtt"][0]) for _, source in sources("SQS"))
    assert all(on_failure(source) for _, source in sources("DynamoDB"))
    for rule in resources("AWS::Events::Rule").values():
        assert all(named(target["DeadLetterConfig"]) for target in rule["Properties"]["Targets"])


def service_of(function: str) -> str:
    name: str = FUNCTIONS[function]["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    return name


def test_a_missing_scheduled_audit_raises_an_alarm() -> None:
    """A failed audit needs no dead-letter queue: its result is all it is for, and the next day repeats it."""
    ((function, _),) = sources("Schedule")
    alarm = ALARMS["AuditMissingAlarm"]
    properties = alarm["Properties"]
    assert alarm["Condition"] == "KeepData", "as the schedule itself: without a schedule no audit is missing"
    assert properties["Dimensions"] == [{"Name": "service", "Value": service_of(function)}]
    assert (properties["Statistic"], properties["ComparisonOperator"], properties["Threshold"]) == (
        "SampleCount",
        "LessThanThreshold",
        1,
    )
    # Lambda's own two repetitions take three minutes: more than one turn is missing when it goes off.
    assert (properties["Period"], properties["EvaluationPeriods"]) == (60 * 60, 3)


def test_every_dead_letter_queue_is_watched() -> None:
    read = {source["Queue"]["Fn::GetAtt"][0] for _, source in sources("SQS")}
    assert dead_letter_queues() == set(QUEUES) - read
    watched = set()
    for alarm in ALARMS.values():
        properties = alarm["Properties"]
        if properties.get("MetricName") == "ApproximateNumberOfMessagesVisible":
            (dimension,) = properties["Dimensions"]
            assert dimension["Name"] == "QueueName"
            name, attribute = dimension["Value"]["Fn::GetAtt"]
            assert attribute == "QueueName"
            assert (properties["ComparisonOperator"], properties["Threshold"]) == ("GreaterThanThreshold", 0)
            assert properties["Statistic"] == "Maximum"
            watched.add(name)
    assert watched == dead_letter_queues()


def test_failed_deliveries_to_a_dead_letter_queue_are_watched_for_every_sender() -> None:
    watched: dict[str, list[Any]] = {"DestinationDeliveryFailures": [], "InvocationsFailedToBeSentToDlq": []}
    for alarm in ALARMS.values():
        metric = alarm["Properties"].get("MetricName")
        if metric in watched:
            watched[metric].append(alarm["Properties"]["Dimensions"][-1]["Value"])
    asynchronous = [{"Ref": name} for name, each in FUNCTIONS.items() if "EventInvokeConfig" in each["Properties"]]
    assert watched == {
        "DestinationDeliveryFailures": asynchronous + [{"Ref": function} for function, _ in sources("DynamoDB")],
        "InvocationsFailedToBeSentToDlq": [
            each["Properties"]["Name"] for each in resources("AWS::Events::Rule").values()
        ],
    }


def test_alarms_of_every_stack_work_on_the_emulator_which_has_no_metric_math() -> None:
    assert not [name for name, each in ALARMS.items() if "Condition" not in each and "Metrics" in each["Properties"]]


def test_the_bus_sends_requests_to_the_queue_and_undeliverable_ones_to_its_dead_letter_queue() -> None:
    (rule,) = resources("AWS::Events::Rule").values()
    assert rule["Properties"]["EventBusName"] == {"Ref": "EventBus"}
    assert rule["Properties"]["EventPattern"] == {"detail-type": ["InventoryAdjustmentRequested"]}
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["AdjustmentRequestsQueue", "Arn"]}
    assert target["DeadLetterConfig"] == {
        "Arn": {"Fn::GetAtt": [dead_letter_queue_of("AdjustmentRequestsQueue"), "Arn"]}
    }


FROM_THE_RULE = {"AdjustmentRequestsQueue", "AdjustmentRequestsDeadLetterQueue"}


def test_of_all_services_only_the_rule_may_send_to_a_queue() -> None:
    policies = [each["Properties"] for each in resources("AWS::SQS::QueuePolicy").values()]
    guarded = [queue["Fn::GetAtt"] for policy in policies for queue in policy["Queues"]]
    assert sorted(guarded) == [[queue, "QueueUrl"] for queue in sorted(FROM_THE_RULE)]
    for policy in policies:
        ((queue, _),) = (each["Fn::GetAtt"] for each in policy["Queues"])
        assert policy["PolicyDocument"]["Statement"] == [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": {"Fn::GetAtt": [queue, "Arn"]},
                "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["AdjustmentRequestsRule", "Arn"]}}},
            }
        ]


def test_a_function_may_send_to_its_own_dead_letter_queue_only() -> None:
    senders = {
        function: [each["Resource"] for each in statements(role_of(function)) if "sqs:SendMessage" in each["Action"]]
        for function in FUNCTIONS
    }
    assert {function: queues for function, queues in senders.items() if queues} == {
        "CreateAdjustmentFunction": [{"Fn::GetAtt": ["FailedInvocationsQueue", "Arn"]}],
        "PublishAdjustmentsFunction": [{"Fn::GetAtt": ["UnpublishedAdjustmentsQueue", "Arn"]}],
    }


# ------------------------------------------------------------------------------------------------------------- stream


STREAM = {"Fn::GetAtt": ["LedgerTable", "StreamArn"]}
STREAM_KEEPS_S = 24 * 60 * 60


def test_the_ledgers_stream_is_read_from_its_beginning_in_order_by_one_function() -> None:
    ((function, source),) = sources("DynamoDB")
    assert function == "PublishAdjustmentsFunction"
    assert source["Stream"] == STREAM
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["ParallelizationFactor"] == 1, "more would part the rows of one shard"
    assert source["BatchSize"] == 100
    assert source["MaximumBatchingWindowInSeconds"] <= 1


def test_an_unavailable_bus_is_waited_for_but_never_until_the_stream_expires() -> None:
    ((function, source),) = sources("DynamoDB")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRetryAttempts"] == -1
    assert 60 * 60 <= source["MaximumRecordAgeInSeconds"] <= STREAM_KEEPS_S / 2
    queue = FUNCTIONS[function]["Properties"]["Environment"]["Variables"]["DEAD_LETTER_QUEUE"]
    assert queue == {"Ref": on_failure(source)}, "the function and Lambda use the same dead-letter queue"


def test_late_publishing_raises_an_alarm_long_before_lambda_gives_up() -> None:
    ((function, source),) = sources("DynamoDB")
    alarm = ALARMS["LatePublishingAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "IteratorAge")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
    assert alarm["Statistic"] == "Maximum"
    assert alarm["Threshold"] / 1000 + alarm["Period"] * alarm["EvaluationPeriods"] < (
        source["MaximumRecordAgeInSeconds"] / 10
    )


def test_publishing_reads_the_stream_and_touches_no_table() -> None:
    reading = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
    assert [(set(listed(each["Action"])), each["Resource"]) for each in on_tables("PublishAdjustmentsFunction")] == [
        (reading, STREAM),
        ({"dynamodb:ListStreams"}, "*"),
    ]


def test_only_publishing_functions_may_put_events_and_only_on_the_services_bus() -> None:
    publishers = {
        function: statement["Resource"]
        for function in FUNCTIONS
        for statement in statements(role_of(function))
        if "events:PutEvents" in listed(statement["Action"])
    }
    bus = {"Fn::GetAtt": ["EventBus", "Arn"]}
    assert publishers == {"IngestAdjustmentsFunction": bus, "PublishAdjustmentsFunction": bus}


# --------------------------------------------------------------------------------------------- asynchronous invocation


def test_an_asynchronous_invocation_ends_alike_whether_it_names_the_alias_or_not() -> None:
    alias = FUNCTIONS["CreateAdjustmentFunction"]["Properties"]["EventInvokeConfig"]
    (unqualified,) = (each["Properties"] for each in resources("AWS::Lambda::EventInvokeConfig").values())
    assert unqualified["FunctionName"] == {"Ref": "CreateAdjustmentFunction"}
    assert unqualified["Qualifier"] == "$LATEST"
    assert alias["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    assert on_failure(alias) == on_failure(unqualified) == "FailedInvocationsQueue"
    for config in (alias, unqualified):
        assert config["MaximumRetryAttempts"] == 2, "the most that Lambda does"
        assert config["MaximumEventAgeInSeconds"] == 6 * 60 * 60, "the longest that Lambda keeps an event"


# --------------------------------------------------------------------------------------------------- layers and outputs


def test_no_layer_brings_what_the_runtime_has() -> None:
    locked = (PROJECT_ROOT / "layers/dependencies/requirements.txt").read_text(encoding="utf-8")
    packages = set(re.findall(r"^([a-z0-9-]+)==", locked, re.MULTILINE))
    assert {"aws-lambda-powertools", "pydantic"} <= packages
    assert not packages & {"boto3", "botocore", "aws-xray-sdk", "urllib3"}


def test_the_outputs_have_the_contracts_names() -> None:
    assert set(load_template()["Outputs"]) == {
        "ApiUrl",
        "CreateAdjustmentFunctionName",
        "ReadInventoryFunctionName",
        "ProvisionFunctionName",
        "AuditLedgerFunctionName",
        "AdjustmentRequestsQueueUrl",
        "EventBusName",
        "InventoryTableName",
        "LedgerTableName",
        "AccessTableName",
    }
