"""Every alarm can go off, says what it means and notifies the address; the dashboard shows metrics that exist."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from inventory.entrypoints import telemetry
from inventory.entrypoints.responses import ERROR_ANSWERS
from tests.support.harness.metric_math import goes_off, seen
from tests.support.harness.signals import (
    NAMESPACE,
    counted_in_logs,
    dashboard,
    services,
    shown_in,
    watched_by,
    why_not,
    written_by,
)
from tests.support.sam_template import TEMPLATE, load_template, resources
from tools.capacity import Service
from tools.template import read_template

ALARMS = resources("AWS::CloudWatch::Alarm")
WIDGETS = dashboard()["widgets"]
FILTERS = resources("AWS::Logs::MetricFilter")
GATEWAY_ANSWERS = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]

CAPACITY = Service.of(read_template(TEMPLATE))
STOPPED = ALARMS["PublishingStoppedAlarm"]["Properties"]

each_alarm = pytest.mark.parametrize("alarm", ALARMS)


# ----------------------------------------------------------------------------------------------- what alarms watch


def test_functions_write_their_metrics_where_their_own_stacks_alarms_look() -> None:
    common = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    assert common["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE
    for function in resources("AWS::Serverless::Function").values():
        own = function["Properties"].get("Environment", {"Variables": {}})["Variables"]
        assert "POWERTOOLS_METRICS_NAMESPACE" not in own


def test_who_writes_which_metric_is_read_from_the_code() -> None:
    assert written_by("read_inventory") == {telemetry.READ, telemetry.EXPORTED} | {
        each.__name__ for each in ERROR_ANSWERS
    }
    assert written_by("create_adjustment") >= {
        telemetry.CREATED,
        telemetry.REVERSED,
        telemetry.REPLAYED,
        "InternalError",
    }
    assert written_by("provision") == set()
    assert set(services()) >= {"authorizer", "audit_ledger"}


@each_alarm
def test_an_alarm_watches_metrics_that_are_written(alarm: str) -> None:
    watched = watched_by(ALARMS[alarm]["Properties"])
    assert watched
    assert [(metric, why) for metric in watched if (why := why_not(*metric))] == []


@pytest.mark.parametrize(
    "metric",
    [
        (NAMESPACE, "AdjustmentCreated", {"service": "provision"}),
        (NAMESPACE, "AdjustmentCreated", {}),
        (NAMESPACE, "AdjustmentMade", {"service": "create_adjustment"}),
        ("AWS/ApiGateway", "5XXError", {"ApiName": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}),
        ("AWS/ApiGateway", "5XXError", {"ApiId": {"Ref": "Api"}}),
        ("AWS/Lambda", "Throttles", {"FunctionName": {"Ref": "LedgerTable"}}),
        ("AWS/DynamoDB", "TransactionConflict", {"TableName": {"Ref": "InventoryTable"}, "Operation": "PutItem"}),
        ("AWS/DynamoDB", "WriteThrottleEvents", {"TableName": {"Ref": "AccessTable"}, "GlobalSecondaryIndexName": "x"}),
        ("AWS/Events", "InvocationsFailedToBeSentToDlq", {"RuleName": "adjustment-requests"}),
        ("AWS/Events", "InvocationsFailedToBeSentToDlq", {"EventBusName": {"Ref": "EventBus"}, "RuleName": "other"}),
    ],
)
def test_a_metric_that_nobody_writes_would_be_found(metric: tuple[object, str, dict[str, object]]) -> None:
    assert why_not(*metric)


@each_alarm
def test_an_alarm_has_one_number_to_go_by_and_a_limit(alarm: str) -> None:
    properties = ALARMS[alarm]["Properties"]
    if "Metrics" in properties:
        metrics = properties["Metrics"]
        assert len(metrics) <= 10, "CloudWatch takes no more in one alarm"
        identifiers = [each["Id"] for each in metrics]
        assert len(set(identifiers)) == len(identifiers)
        assert all(re.fullmatch(r"[a-z]\w*", each) for each in identifiers)
        returned = [each["Id"] for each in metrics if each.get("ReturnData", True)]
        assert len(returned) == (2 if "ThresholdMetricId" in properties else 1)
        for name in re.findall(r"\b[a-z]\w*\b", " ".join(each.get("Expression", "") for each in metrics)):
            assert name in identifiers
    else:
        assert ("Statistic" in properties) != ("ExtendedStatistic" in properties)
    assert ("Threshold" in properties) != ("ThresholdMetricId" in properties)
    assert properties.get("DatapointsToAlarm", 1) <= properties["EvaluationPeriods"]


@each_alarm
def test_missing_data_raises_one_alarm_only(alarm: str) -> None:
    """No work writes no metric; only a stopped schedule is noticed by missing data."""
    missing = "breaching" if alarm == "AuditMissingAlarm" else "notBreaching"
    assert ALARMS[alarm]["Properties"]["TreatMissingData"] == missing


@each_alarm
def test_no_alarm_stays_as_it_is_for_want_of_data(alarm: str) -> None:
    """CloudWatch leaves one alone on a metric of DynamoDB's that is not written, and on a percentile of few samples."""
    properties = ALARMS[alarm]["Properties"]
    assert properties.get("Namespace") != "AWS/DynamoDB"
    assert properties.get("EvaluateLowSampleCountPercentile", "evaluate") == "evaluate"
    of_dynamodb = {
        each["Id"]
        for each in properties.get("Metrics", [])
        if each.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/DynamoDB"
    }
    filled = " ".join(re.findall(r"FILL\((\w+(?:\(\))?), 0\)", " ".join(expressions(alarm))))
    assert filled == "METRICS()" or of_dynamodb <= set(filled.split())


@each_alarm
def test_what_is_filled_in_is_looked_at_again(alarm: str) -> None:
    """The newest period is filled in where its metric is late: without another one it would only be seen empty."""
    properties = ALARMS[alarm]["Properties"]
    if any("FILL(" in each for each in expressions(alarm)):
        assert properties["DatapointsToAlarm"] < properties["EvaluationPeriods"]


@each_alarm
def test_an_alarm_looks_back_no_further_than_cloudwatch_does(alarm: str) -> None:
    properties = ALARMS[alarm]["Properties"]
    stats = [each["MetricStat"] for each in properties.get("Metrics", []) if "MetricStat" in each] or [properties]
    (period,) = {each["Period"] for each in stats}
    day = 24 * 60 * 60
    assert period % 60 == 0
    assert period * properties["EvaluationPeriods"] <= (day if period < 60 * 60 else 7 * day)


def expressions(alarm: str) -> list[str]:
    return [each["Expression"] for each in ALARMS[alarm]["Properties"].get("Metrics", []) if "Expression" in each]


def test_the_faults_that_an_operator_must_know_are_watched() -> None:
    watched = {(namespace, name) for each in ALARMS.values() for namespace, name, _ in _texts(each)}
    assert watched >= {
        ("AWS/ApiGateway", "5XXError"),
        ("AWS/ApiGateway", "Latency"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "IteratorAge"),
        ("AWS/DynamoDB", "WriteThrottleEvents"),
        ("AWS/DynamoDB", "TransactionConflict"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("own", telemetry.AUDIT_DIFFERENCES),
        ("own", telemetry.CREATED),
        ("own", "AuthorizerFailed"),
        ("own", "RequestsThrottled"),
    }


def _texts(alarm: dict[str, Any]) -> list[tuple[str, str, object]]:
    return [
        ("own" if namespace == NAMESPACE else str(namespace), name, dimensions)
        for namespace, name, dimensions in watched_by(alarm["Properties"])
    ]


def test_a_fault_of_our_own_is_watched_in_every_service_that_counts_it() -> None:
    watched = {
        dimensions["service"]
        for _, name, dimensions in watched_by(ALARMS["ServiceFaultsAlarm"]["Properties"])
        if name == "InternalError"
    }
    assert watched == {service for service in services() if "InternalError" in written_by(service)}


# --- how an alarm sees a minute, or a quarter of an hour


def period_s(alarm: str) -> int:
    properties = ALARMS[alarm]["Properties"]
    stats = [each["MetricStat"] for each in properties.get("Metrics", []) if "MetricStat" in each] or [properties]
    (period,) = {each["Period"] for each in stats}
    return int(period)


def metrics_of(
    period: float, *, reads: float = 0, garbage: float = 0, done: float = 0, failed: float = 0
) -> dict[str, float]:
    """What is written in a period of so many seconds, of requests a second that end in these ways.

    ``reads`` are answered with 200, ``garbage`` with 4xx, ``done`` and ``failed`` are changes.
    """
    counted = {
        "Count": reads + garbage + done + failed,
        "4XXError": garbage,
        "5XXError": failed,
        "ChangesDone": done,
        "ChangesFailed": failed,
        "create_adjustment/TryAgain": failed,
    }
    # API Gateway writes its metrics for every request; a log filter writes nothing where it counts nothing.
    written = {"Count", "4XXError", "5XXError"}
    return {name: each * period for name, each in counted.items() if each or name in written}


def noticed(**requests: float) -> set[str]:
    return {
        name
        for name in ("ApiFaultsAlarm", "ApiOutageAlarm", "ManyFaultsAlarm", "TryAgainAlarm")
        if goes_off(ALARMS[name]["Properties"], metrics_of(period_s(name), **requests))
    }


def requests_at_most(*kinds: str) -> float:
    """Requests a second that the limits of these kinds of routes let through, all methods together."""
    return sum(
        CAPACITY.methods[f"{kind}RequestsPerSecond"] * CAPACITY.rates[f"{kind}RequestsPerSecond"] for kind in kinds
    )


@pytest.mark.parametrize(
    ("requests_a_minute", "alarm"),
    [(1000, "ApiFaultsAlarm"), (5, "ApiFaultsAlarm"), (4, "ApiOutageAlarm"), (0.2, "ApiOutageAlarm")],
)
def test_an_outage_is_noticed_however_few_requests_there_are(requests_a_minute: float, alarm: str) -> None:
    assert alarm in noticed(failed=requests_a_minute / 60)


@pytest.mark.parametrize(
    ("mutes", "alarms"),
    [
        # Five changes a second that all fail, beside garbage: of all requests they are 0.99 %.
        ({"garbage": 500}, {"ApiFaultsAlarm", "ManyFaultsAlarm", "TryAgainAlarm"}),
        # All that a token which may read can ask for; every page and file that anybody can.
        ({"reads": requests_at_most("Read", "Scan", "Open")}, {"ApiFaultsAlarm", "ManyFaultsAlarm", "TryAgainAlarm"}),
        # A token that may write makes as many changes that succeed.
        ({"done": requests_at_most("Write")}, {"ManyFaultsAlarm", "TryAgainAlarm"}),
        ({"garbage": 9000, "reads": 1000, "done": requests_at_most("Write")}, {"ManyFaultsAlarm", "TryAgainAlarm"}),
    ],
    ids=["garbage", "reads", "changes", "everything"],
)
def test_nobody_can_hide_that_changes_fail(mutes: dict[str, float], alarms: set[str]) -> None:
    assert noticed(failed=5, **mutes) >= alarms


def test_nobody_without_a_token_to_write_can_hide_that_a_few_changes_fail() -> None:
    flood = {"garbage": 9000.0, "reads": requests_at_most("Read", "Scan", "Open")}
    assert "ApiFaultsAlarm" in noticed(failed=5 / 60, **flood)
    assert "ApiOutageAlarm" in noticed(failed=3 / 900, **flood)


@pytest.mark.parametrize(
    "calm",
    [{}, {"reads": 300, "done": 100, "failed": 0.5}, {"garbage": 500}, {"garbage": 500, "reads": 1000}, {"done": 0.01}],
)
def test_what_is_usual_sets_no_alarm_off(calm: dict[str, float]) -> None:
    assert noticed(**calm) == set()


def test_a_deployment_that_breaks_changes_is_rolled_back_whatever_else_is_sent() -> None:
    _, alarms, _ = load_template()["Globals"]["Function"]["DeploymentPreference"]["Alarms"]["Fn::If"]
    assert {"Fn::GetAtt": ["MonitoringStack", "Outputs.ApiFaultsAlarm"]} in alarms


def test_what_is_not_settled_in_time_is_watched_in_every_service_that_takes_requests() -> None:
    watched = {
        str(dimensions["service"]) for _, name, dimensions in watched_by(ALARMS["TryAgainAlarm"]["Properties"]) if name
    }
    takes_requests = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in resources("AWS::Serverless::Function").values()
        if any(event["Type"] in {"Api", "SQS"} for event in function["Properties"].get("Events", {}).values())
        and "POWERTOOLS_SERVICE_NAME" in function["Properties"].get("Environment", {"Variables": {}})["Variables"]
    }
    assert watched == {each for each in takes_requests if "TryAgain" in written_by(each)}


@pytest.mark.parametrize("kind", ["reads", "garbage"])
def test_no_flood_of_requests_is_silent(kind: str) -> None:
    """What is asked for is compared with what is usual, whatever it is: reads, pages, or requests without a token."""
    properties = ALARMS["UnusualRequestsAlarm"]["Properties"]
    period = period_s("UnusualRequestsAlarm")
    assert seen(properties, metrics_of(period, **{kind: 100.0})) == 100 * period
    assert seen(properties, metrics_of(period, **{kind: 0.1})) == 1000, "by night a few would be far more than usual"
    (band,) = [each for each in properties["Metrics"] if each["Id"] == properties["ThresholdMetricId"]]
    assert re.fullmatch(r"ANOMALY_DETECTION_BAND\(volume, \d\)", band["Expression"])
    assert properties["ComparisonOperator"] == "GreaterThanUpperThreshold"


def test_stopped_publishing_is_noticed_by_comparing_who_writes_and_who_publishes() -> None:
    watched = {(name, dimensions["service"]) for _, name, dimensions in watched_by(STOPPED) if dimensions}
    assert watched == {
        (telemetry.CREATED, "create_adjustment"),
        (telemetry.CREATED, "ingest_adjustments"),
        (telemetry.REVERSED, "reverse_adjustment"),
        (telemetry.PUBLISHED, "publish_adjustments"),
    }
    # More than one, because a row may be written at the end of a period and published in the next.
    assert STOPPED["DatapointsToAlarm"] == 2
    ((_, source),) = [
        (name, event["Properties"])
        for name, each in resources("AWS::Serverless::Function").items()
        for event in each["Properties"].get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    ]
    (period,) = {each["MetricStat"]["Period"] for each in STOPPED["Metrics"] if "MetricStat" in each}
    assert period * STOPPED["EvaluationPeriods"] < source["MaximumRecordAgeInSeconds"] / 2


def test_throttles_are_watched_in_every_function_table_and_index() -> None:
    functions = {
        str(metric[2]["FunctionName"]) for metric in watched_by(ALARMS["FunctionThrottlesAlarm"]["Properties"])
    }
    assert functions == {str({"Ref": each}) for each in resources("AWS::Serverless::Function")}
    places = {
        json.dumps(metric[2])
        for alarm in ("TableThrottlesAlarm", "IndexThrottlesAlarm")
        for metric in watched_by(ALARMS[alarm]["Properties"])
    }
    for table, each in resources("AWS::DynamoDB::Table").items():
        of_table: dict[str, object] = {"TableName": {"Ref": table}}
        indexes = [index["IndexName"] for index in each["Properties"].get("GlobalSecondaryIndexes", [])]
        wanted = [of_table, *(of_table | {"GlobalSecondaryIndexName": index} for index in indexes)]
        assert {json.dumps(where) for where in wanted} <= places


def test_unusual_volume_is_measured_against_what_is_usual() -> None:
    properties = ALARMS["UnusualVolumeAlarm"]["Properties"]
    (band,) = [each for each in properties["Metrics"] if each["Id"] == properties["ThresholdMetricId"]]
    assert re.fullmatch(r"ANOMALY_DETECTION_BAND\(volume, \d\)", band["Expression"])
    (volume,) = [each for each in properties["Metrics"] if each["Id"] == "volume"]
    floor = re.fullmatch(r"IF\(created > (\d+), created, (\d+)\)", volume["Expression"])
    assert floor, "by night a few would be far more than usual"
    assert floor[1] == floor[2]
    assert properties["ComparisonOperator"] == "GreaterThanUpperThreshold"


# ------------------------------------------------------------------------------------------------ counted in the log


def access_log_line(**values: str) -> dict[str, str]:
    """A line of the access log, "-" where the gateway has nothing to say."""
    form = load_template()["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Format"]
    line: dict[str, str] = json.loads(re.sub(r"\$context\.[\w.]+", "-", form))
    assert values.keys() <= line.keys()
    return line | values


def matches(pattern: str, line: dict[str, str]) -> bool:
    """Whether a filter counts a line of JSON: all of its terms hold, one or several in parentheses."""
    terms = re.findall(r'\$\.(\w+) (!?=) "([^"]+)"', pattern)
    written = [f'$.{member} {sign} "{text}"' for member, sign, text in terms]
    forms = [written[0], " && ".join(f"({each})" for each in written)]
    assert pattern in [f"{{ {each} }}" for each in forms], "another form of filter"
    return all(fnmatchcase(line[member], text) == (sign == "=") for member, sign, text in terms)


@pytest.mark.parametrize(
    ("metric", "member", "counted"),
    [
        ("RequestsThrottled", "status", {"429"}),
        ("AuthorizerFailed", "error_type", {"AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"}),
        ("BusinessKeyMissing", "error_type", {"INVALID_API_KEY"}),
    ],
)
def test_a_line_of_the_access_log_is_counted_for_what_it_says(metric: str, member: str, counted: set[str]) -> None:
    (each,) = counted_in_logs()[metric]
    assert each["LogGroupName"] == {"Ref": "ApiAccessLogGroup"}
    statuses = {str(answer.get("StatusCode", 400)) for answer in GATEWAY_ANSWERS.values()} | {"200", "201", "-"}
    values = statuses if member == "status" else {*GATEWAY_ANSWERS, "-"}
    lines = {value: access_log_line(**{member: value, "business_id": "b"}) for value in values}
    assert {value for value, line in lines.items() if matches(each["FilterPattern"], line)} == counted
    assert not matches(each["FilterPattern"], access_log_line())


def test_a_request_without_a_business_does_not_count_as_a_missing_key() -> None:
    (each,) = counted_in_logs()["BusinessKeyMissing"]
    assert not matches(each["FilterPattern"], access_log_line(error_type="INVALID_API_KEY"))


def test_crashes_are_counted_of_those_functions_whose_errors_are_refusals_too() -> None:
    watched = watched_by(ALARMS["FunctionErrorsAlarm"]["Properties"])
    by_lambda = {str(dimensions["FunctionName"]) for _, name, dimensions in watched if name == "Errors"}
    groups = {each["LogGroupName"]["Ref"] for each in counted_in_logs()["FunctionCrashed"]}
    by_their_logs = {
        str({"Ref": name})
        for name, each in resources("AWS::Serverless::Function").items()
        if each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in groups
    }
    # Callers of provisioning see its error; the audit has an alarm of its own.
    not_here = {str({"Ref": name}) for name in ("ProvisionFunction", "AuditLedgerFunction")}
    everyone = {str({"Ref": name}) for name in resources("AWS::Serverless::Function")}
    assert not by_lambda & by_their_logs
    assert by_lambda | by_their_logs | not_here == everyone
    assert ("own", "FunctionCrashed", {}) in _texts(ALARMS["FunctionErrorsAlarm"])


@pytest.mark.parametrize(
    ("line", "is_counted"),
    [
        ("[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'pydantic'", True),
        (
            "[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module 'handler': invalid syntax",
            True,
        ),
        ("RequestId: 8f Error: Runtime exited with error: signal: killed\nRuntime.ExitError", True),
        ("2026-01-01T00:00:00.000Z 8f Task timed out after 10.01 seconds", True),
        (
            '[ERROR] Exception: Unauthorized\nTraceback (most recent call last):\n  File "/var/runtime/bootstrap.py"',
            False,
        ),
        ('[ERROR] InsufficientStock: {"code": "insufficient_stock"}', False),
        ('{"level":"ERROR","message":"unexpected fault","exception_name":"RuntimeError"}', False),
        ("REPORT RequestId: 8f\tDuration: 23.10 ms\tBilled Duration: 24 ms\tMemory Size: 1024 MB", False),
    ],
)
def test_a_crash_differs_from_an_exception_in_what_lambda_writes(line: str, is_counted: bool) -> None:  # noqa: FBT001
    (pattern,) = {each["FilterPattern"] for each in counted_in_logs()["FunctionCrashed"]}
    terms = re.findall(r'\?"([^"]+)"', pattern)
    assert pattern == " ".join(f'?"{each}"' for each in terms), "another form of filter"
    assert any(each in line for each in terms) == is_counted


def test_every_metric_that_is_counted_in_a_log_has_its_alarm_under_the_same_condition() -> None:
    for metric in counted_in_logs():
        conditions = {
            each["Condition"]
            for each in FILTERS.values()
            if each["Properties"]["MetricTransformations"][0]["MetricName"] == metric
        }
        watched = {each["Condition"] for each in ALARMS.values() if ("own", metric, {}) in _texts(each)}
        assert len(conditions) == 1
        assert watched == conditions


# ---------------------------------------------------------------------------------------------- whom alarms notify

NOTIFIED = {"Fn::If": ["HasAlarmAddress", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
NEVER_OVER = {
    "AlteredLedgerAlarm",
    "AuditDifferencesAlarm",
    "AuditFailedAlarm",
    "AuditUnfinishedAlarm",
    "LostBatchesAlarm",
    "LostEventsAlarm",
    "LostInvocationsAlarm",
    "ServiceFaultsAlarm",
    "UnusualRequestsAlarm",
    "UnusualVolumeAlarm",
}
"""These report an event: that it did not happen again is no news."""


@each_alarm
def test_an_alarm_notifies_the_address_and_again_when_it_is_over(alarm: str) -> None:
    properties = ALARMS[alarm]["Properties"]
    assert properties["AlarmActions"] == NOTIFIED
    assert properties.get("OKActions") == (None if alarm in NEVER_OVER else NOTIFIED)


def test_notifications_are_encrypted_and_only_this_accounts_alarms_may_send_them() -> None:
    (topic,) = resources("AWS::SNS::Topic").values()
    (key,) = resources("AWS::KMS::Key").values()
    (policy,) = resources("AWS::SNS::TopicPolicy").values()
    assert topic["Properties"]["KmsMasterKeyId"] == {"Ref": "AlarmKey"}
    assert topic["Properties"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmAddress"}}]
    assert {each["Condition"] for each in (topic, key, policy)} == {"HasAlarmAddress"}
    (publishes,) = policy["Properties"]["PolicyDocument"]["Statement"]
    _, encrypts = key["Properties"]["KeyPolicy"]["Statement"]
    assert publishes["Principal"] == encrypts["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (publishes["Action"], encrypts["Action"]) == ("sns:Publish", ["kms:Decrypt", "kms:GenerateDataKey*"])
    assert publishes["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@each_alarm
def test_an_alarm_says_what_it_means_and_where_to_read_on(alarm: str) -> None:
    meaning, _, address = ALARMS[alarm]["Properties"]["AlarmDescription"].rpartition(" ")
    assert len(meaning) > 30
    assert address == f"docs/runbook.md#{alarm.lower()}"


# ------------------------------------------------------------------------------------------------------- dashboard


def test_the_dashboard_begins_with_the_alarms_and_then_the_business() -> None:
    first, second, third, *_ = WIDGETS
    assert first["type"] == "alarm"
    shown = {each.removeprefix("${").removesuffix(".Arn}") for each in first["properties"]["alarms"]}
    assert shown == set(ALARMS)
    assert {name for _, name, _ in shown_in(second)} == {
        telemetry.CREATED,
        telemetry.COUNTED,
        telemetry.TRANSFERRED,
        telemetry.REVERSED,
        telemetry.REPLAYED,
    }
    assert {name for _, name, _ in shown_in(third)} == {each.__name__ for each in ERROR_ANSWERS} - {
        "TokenNotFound",
        "SkuTaken",
        "TooManyReasons",
    }, "all but those that only operators' commands have, which write no metrics"


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget["properties"]["title"][:30])
def test_the_dashboard_shows_metrics_that_are_written(widget: dict[str, Any]) -> None:
    shown = shown_in(widget)
    assert shown or widget["type"] == "alarm"
    assert [(metric, why) for metric in shown if (why := why_not(*metric))] == []
    assert widget["properties"]["title"]


def test_the_parts_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        taken |= cells


def test_the_source_of_the_dashboard_is_short() -> None:
    text, _ = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert len(text.splitlines()) < 100
