"""The template's options, how it is deployed, and that a local stack uses none of the options."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from inventory.api.routes import ROUTES
from local.deployment import local_parameters
from tests.support.expanded import SAMCONFIG, expanded, holds, stage
from tests.support.sam_template import MONITORING, PROJECT_ROOT, load_monitoring, load_root, load_template, resources
from tools.template import read_template

PARAMETERS = load_template()["Parameters"]
OPTIONAL = {
    "AWS::ApiGateway::UsagePlan",
    "AWS::CloudWatch::Dashboard",
    "AWS::KMS::Key",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
}
SWITCHED_ON = {"DeploymentPreference": "Canary10Percent5Minutes", "RequireBusinessKeys": "true"}
"""What SAM itself goes by."""
THE_STAGE = {"Ref": {"Fn::Sub": "Api${Stage}Stage"}}


def made(values: dict[str, str]) -> set[str]:
    """Logical ids of the resources that there are with these values."""
    return {
        name
        for name, each in load_template()["Resources"].items()
        if "Condition" not in each or holds(each["Condition"], values)
    }


# -------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_every_stage_names_every_parameter_with_a_value_that_it_may_have(name: str) -> None:
    values = stage(name)
    assert values.keys() | {"CodeVersion"} == PARAMETERS.keys()
    for parameter, value in values.items():
        rule = PARAMETERS[parameter]
        assert value in [str(each) for each in rule.get("AllowedValues", [value])]
        assert re.fullmatch(rule.get("AllowedPattern", ".*"), value)


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("AlarmAddress", ["", "none", "night+stock@example.com"], ["nobody", "two words@example.com", "@example.com"]),
        ("BusinessRequestsPerSecond", ["", "1", "99999"], ["0", "1.5", "-1", "many", "100000"]),
        ("BusinessRequestsPerDay", ["", "1", "999999999"], ["0", "-1", "1e6"]),
    ],
)
def test_a_text_that_means_nothing_is_refused(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = PARAMETERS[parameter]["AllowedPattern"]
    assert all(re.fullmatch(pattern, each) for each in good)
    assert not any(re.fullmatch(pattern, each) for each in bad)


def test_the_local_stack_has_nothing_of_what_is_optional() -> None:
    there = made(local_parameters("x"))
    optional = {name for kind in OPTIONAL for name in resources(kind)}
    assert {each["Type"] for name, each in load_template()["Resources"].items() if name in optional} == OPTIONAL
    assert not there & optional
    assert not {each["Type"] for each in expanded()["Resources"].values() if "CodeDeploy" in each["Type"]}


def test_the_stage_is_not_called_api_stage() -> None:
    """AWS's page on its transform: never ``Api.Stage`` where LanguageExtensions comes first, and a ``Sub`` instead."""
    assert not re.findall(r"\bApi\.Stage\b", json.dumps(load_template()))


# --------------------------------------------------------------------------------------------------- nested template


def test_the_nested_template_is_given_every_parameter_and_uses_each() -> None:
    nested = read_template(MONITORING)
    given = load_root()["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    assert given.keys() == nested["Parameters"].keys()
    text = json.dumps([nested["Conditions"], nested["Resources"]])
    assert [name for name in given if f'{{"Ref": "{name}"}}' not in text and f"${{{name}}}" not in text] == []


def test_the_nested_template_answers_what_the_root_template_asks_for_and_no_more() -> None:
    asked = re.findall(r'\["MonitoringStack", "Outputs\.(\w+)"\]', json.dumps(load_root()))
    assert sorted(asked) == sorted(load_monitoring()["Outputs"])


def test_a_condition_of_both_templates_means_the_same_in_both() -> None:
    both = load_root()["Conditions"].keys() & load_monitoring()["Conditions"].keys()
    assert both == {"KeepData", "Monitoring"}
    assert all(load_root()["Conditions"][name] == load_monitoring()["Conditions"][name] for name in both)


def test_no_resource_is_in_both_templates() -> None:
    assert not load_root()["Resources"].keys() & load_monitoring()["Resources"].keys()


def test_alarms_and_what_they_notify_are_all_in_the_nested_template() -> None:
    kinds = {each["Type"] for each in load_root()["Resources"].values()}
    assert not kinds & {each["Type"] for each in load_monitoring()["Resources"].values()}


# ------------------------------------------------------------------------------------------------ gradual deployment


def test_every_alias_moves_gradually_and_back_where_an_alarm_goes_off() -> None:
    there = expanded(**SWITCHED_ON)["Resources"]
    aliases = [each for each in there.values() if each["Type"] == "AWS::Lambda::Alias"]
    groups = {name: each for name, each in there.items() if each["Type"] == "AWS::CodeDeploy::DeploymentGroup"}
    assert len(aliases) == len(groups) == len(resources("AWS::Serverless::Function"))
    for alias in aliases:
        group = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]
        properties = groups[group]["Properties"]
        assert properties["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": "Canary10Percent5Minutes"}
        assert "DEPLOYMENT_STOP_ON_ALARM" in properties["AutoRollbackConfiguration"]["Events"]
        _, alarms, _ = properties["AlarmConfiguration"]["Fn::If"]
        assert alarms["Enabled"] is True
        named = [alarm_behind(each["Name"]) for each in alarms["Alarms"]]
        assert len(named) <= 10, "CodeDeploy takes no more"
        assert set(named) >= {"ApiFaultsAlarm", "AuthorizerFaultsAlarm", "ServiceFaultsAlarm", "FunctionErrorsAlarm"}
        assert set(named) <= set(resources("AWS::CloudWatch::Alarm"))


def rolling_back() -> list[str]:
    """The alarms that CodeDeploy goes by."""
    condition, alarms, none = load_template()["Globals"]["Function"]["DeploymentPreference"]["Alarms"]["Fn::If"]
    assert (condition, none) == ("Monitoring", [{"Ref": "AWS::NoValue"}])
    return [alarm_behind(each) for each in alarms]


def alarm_behind(value: dict[str, Any]) -> str:
    """The alarm whose name the root template reads from an output of the nested one."""
    stack, output = value["Fn::GetAtt"]
    assert stack == "MonitoringStack"
    found = load_monitoring()["Outputs"][output.removeprefix("Outputs.")]
    alarm: str = found["Value"]["Ref"]
    assert found["Condition"] == load_template()["Resources"][alarm]["Condition"] == "Monitoring"
    return alarm


def test_an_alarm_that_rolls_back_notices_within_the_five_minutes_of_a_canary_and_is_soon_over() -> None:
    """CodeDeploy does not start while one is on, so one that looks back for long would block its own repair."""
    alarms = resources("AWS::CloudWatch::Alarm")
    for name in rolling_back():
        properties = alarms[name]["Properties"]
        stats = [each["MetricStat"] for each in properties.get("Metrics", []) if "MetricStat" in each] or [properties]
        (period,) = {each["Period"] for each in stats}
        assert period * properties.get("DatapointsToAlarm", properties["EvaluationPeriods"]) < 5 * 60
        assert period * properties["EvaluationPeriods"] <= 5 * 60


def test_alarms_on_late_publishing_do_not_block_the_version_that_fixes_it() -> None:
    assert not {"LatePublishingAlarm", "PublishingStoppedAlarm", "UnpublishedAdjustmentsAlarm"} & set(rolling_back())


def test_production_moves_gradually_and_a_test_stack_all_at_once() -> None:
    assert stage("prod")["DeploymentPreference"] != "AllAtOnce"
    assert stage("prod")["Monitoring"] == "true"
    assert stage("dev")["DeploymentPreference"] == PARAMETERS["DeploymentPreference"]["Default"] == "AllAtOnce"
    gradually = load_template()["Mappings"]["GradualDeployment"]
    assert list(gradually) == PARAMETERS["DeploymentPreference"]["AllowedValues"]
    assert [name for name, each in gradually.items() if each["Enabled"] == "false"] == ["AllAtOnce"]


# ----------------------------------------------------------------------------------------------- business throttling


def security(**parameters: str) -> dict[str, list[str]]:
    """What each route asks for."""
    (api,) = [each for each in expanded(**parameters)["Resources"].values() if each["Type"].endswith("::RestApi")]
    return {
        f"{method} {path}": [name for each in route.get("security", []) for name in each]
        for path, methods in api["Properties"]["Body"]["paths"].items()
        for method, route in methods.items()
    }


def test_no_route_asks_for_a_key_unless_keys_are_required() -> None:
    assert not any("api_key" in each for each in security().values())
    required = security(**SWITCHED_ON)
    assert required.keys() == security().keys()
    guarded = [each for each in required.values() if "TokenAuthorizer" in each]
    assert len(guarded) == sum(len(each.methods) for each in ROUTES if each.scope)
    assert all("api_key" in each for each in guarded)


def test_the_key_is_what_the_authorizer_answers_never_a_header() -> None:
    assert load_template()["Resources"]["Api"]["Properties"]["ApiKeySourceType"] == "AUTHORIZER"


def test_a_plan_limits_each_business_on_the_one_stage() -> None:
    (plan,) = (each["Properties"] for each in resources("AWS::ApiGateway::UsagePlan").values())
    assert plan["ApiStages"] == [{"ApiId": {"Ref": "Api"}, "Stage": THE_STAGE}]
    assert plan["Throttle"] == {
        "RateLimit": {"Ref": "BusinessRequestsPerSecond"},
        "BurstLimit": {"Ref": "BusinessBurst"},
    }
    _, quota, none = plan["Quota"]["Fn::If"]
    assert quota == {"Limit": {"Ref": "BusinessRequestsPerDay"}, "Period": "DAY"}
    assert none == {"Ref": "AWS::NoValue"}


def refused(values: dict[str, str]) -> set[str]:
    """The rules that these values break."""
    return {
        name
        for name, rule in load_template()["Rules"].items()
        if holds(rule["RuleCondition"], values)
        and not all(holds(each["Assert"], values) for each in rule["Assertions"])
    }


def test_required_keys_need_a_plan_and_rolling_back_needs_alarms() -> None:
    rules = load_template()["Rules"]
    for values, rule, kept in [
        ({"RequireBusinessKeys": "true"}, "KeysNeedAPlan", False),
        ({"RequireBusinessKeys": "true", "BusinessRequestsPerSecond": "5"}, "KeysNeedAPlan", True),
        ({"DeploymentPreference": "Canary10Percent5Minutes", "Monitoring": "false"}, "RollingBackNeedsAlarms", False),
        ({"DeploymentPreference": "Canary10Percent5Minutes"}, "RollingBackNeedsAlarms", True),
    ]:
        assert holds(rules[rule]["RuleCondition"], values)
        assert all(holds(each["Assert"], values) for each in rules[rule]["Assertions"]) == kept
    for values in (stage("dev"), local_parameters("x")):
        assert refused(values) == set()


def test_production_must_be_given_an_address_for_alarms_or_none() -> None:
    """The operators decide it, so the parameters in samconfig.toml alone are refused before anything is created."""
    assert refused(stage("prod")) == {"AlarmsNeedAnAddress"}
    assert refused({}) == {"AlarmsNeedAnAddress"}
    for address in ("none", "night@example.com"):
        assert refused(stage("prod") | {"AlarmAddress": address}) == set()
        there = made(stage("prod") | {"AlarmAddress": address})
        assert ("AlarmTopic" in there) == (address != "none")
    (asked,) = load_template()["Rules"]["AlarmsNeedAnAddress"]["Assertions"]
    assert '"none"' in asked["AssertDescription"]


# -------------------------------------------------------------------------------------------------------------- WAF


def waf_rules() -> dict[str, dict[str, Any]]:
    (acl,) = (each["Properties"] for each in resources("AWS::WAFv2::WebACL").values())
    assert acl["DefaultAction"] == {"Allow": {}}
    assert acl["Scope"] == "REGIONAL"
    return {each["Name"]: each for each in acl["Rules"]}


def test_waf_stands_before_the_stage_and_keeps_no_sample_of_headers() -> None:
    (association,) = (each["Properties"] for each in resources("AWS::WAFv2::WebACLAssociation").values())
    assert association["ResourceArn"] == {
        "Fn::Sub": [
            "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${TheStage}",
            {"TheStage": THE_STAGE},
        ]
    }
    views = [each["VisibilityConfig"] for each in waf_rules().values()]
    assert all(each["CloudWatchMetricsEnabled"] and not each["SampledRequestsEnabled"] for each in views)
    assert [each["Priority"] for each in waf_rules().values()] == list(range(len(views)))


def test_waf_refuses_nothing_for_what_a_body_or_a_filter_says() -> None:
    """The contract takes any reason, and any printable reference; and no client has to name itself."""
    group = waf_rules()["common"]["Statement"]["ManagedRuleGroupStatement"]
    counted = {each["Name"] for each in group["RuleActionOverrides"] if each["ActionToUse"] == {"Count": {}}}
    of_the_group = {"SizeRestrictions", "CrossSiteScripting", "GenericLFI", "GenericRFI", "EC2MetaDataSSRF"}
    assert {f"{name}_BODY" for name in of_the_group} <= counted
    assert {f"{name}_QUERYARGUMENTS" for name in of_the_group - {"SizeRestrictions"}} <= counted
    assert counted >= {"SizeRestrictions_QUERYSTRING", "RestrictedExtensions_QUERYARGUMENTS", "NoUserAgent_HEADER"}


def test_clients_over_the_rate_limit_get_the_contracts_answer() -> None:
    (acl,) = (each["Properties"] for each in resources("AWS::WAFv2::WebACL").values())
    response = waf_rules()["requests-per-address"]["Action"]["Block"]["CustomResponse"]
    throttled = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]["THROTTLED"]
    assert response["ResponseCode"] == throttled["StatusCode"] == 429
    assert [each["Name"] for each in response["ResponseHeaders"]] == ["Retry-After"]
    body = acl["CustomResponseBodies"][response["CustomResponseBodyKey"]]
    assert body["Content"] == throttled["ResponseTemplates"]["application/json"]


# ----------------------------------------------------------------------------------------------------- ledger's policy


def test_no_principal_at_all_may_alter_a_ledger_that_is_kept() -> None:
    condition, policy, none = resources("AWS::DynamoDB::Table")["LedgerTable"]["Properties"]["ResourcePolicy"]["Fn::If"]
    assert (condition, none) == ("KeepData", {"Ref": "AWS::NoValue"})
    append_only, within, by_a_deployment = policy["PolicyDocument"]["Statement"]
    for statement in (append_only, within, by_a_deployment):
        assert (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", "*")
    assert set(append_only["Action"]) == {
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:DeleteTable",
        "dynamodb:PartiQLDelete",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:UpdateItem",
        "dynamodb:UpdateTimeToLive",
    }
    assert "Condition" not in append_only
    # "For all values" holds where there are none, so a put outside of any transaction is denied too.
    assert (within["Action"], within["Condition"]) == (
        "dynamodb:PutItem",
        {"ForAllValues:StringNotEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}},
    )
    assert (by_a_deployment["Action"], by_a_deployment["Condition"]) == (
        "dynamodb:UpdateTable",
        {"ForAllValues:StringNotEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}},
    )


# --------------------------------------------------------------------------------------------------------- workflow


WORKFLOWS = ("deploy", "nightly")
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / f"docs/ci/{name}.yaml").read_text(encoding="utf-8"))
    return found


def commands_of(name: str) -> list[str]:
    """What the jobs run, once for each value of their matrix."""
    return [
        step["run"].replace("${{ matrix.target }}", target)
        for job in workflow(name)["jobs"].values()
        for target in job.get("strategy", {}).get("matrix", {}).get("target", [""])
        for step in job["steps"]
        if "run" in step
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_example_of_a_workflow_calls_make_targets_that_exist_for_stages_that_exist(name: str) -> None:
    commands = commands_of(name)
    assert commands
    for command in commands:
        make, target, *variables = command.split()
        assert (make, target in TARGETS) == ("make", True)
        for variable, value in (each.split("=", 1) for each in variables):
            assert variable != "STAGE" or value in SAMCONFIG
            assert variable != "STACK" or value in {
                each["deploy"]["parameters"]["stack_name"] for each in SAMCONFIG.values() if isinstance(each, dict)
            }


def test_the_example_of_a_workflow_holds_no_key_and_deploys_only_what_was_tested() -> None:
    assert "secrets." not in (PROJECT_ROOT / "docs/ci/deploy.yaml").read_text(encoding="utf-8")
    jobs = workflow("deploy")["jobs"]
    assert [jobs[name].get("needs") for name in ("check", "dev", "prod")] == [None, "check", "dev"]
    for name, job in jobs.items():
        assumes = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
        assert [set(each) <= {"role-to-assume", "aws-region", "role-duration-seconds"} for each in assumes] == (
            [] if name == "check" else [True]
        )
        assert job.get("permissions", {}).get("id-token") == (None if name == "check" else "write")


def test_what_make_test_leaves_out_runs_every_night() -> None:
    """Every target of tests but those that need an account, and those of each change."""
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^##@ Tests and checks\n\n\.PHONY: (.*)$", makefile, re.MULTILINE)
    scripts = [(PROJECT_ROOT / name).read_text(encoding="utf-8") for name in (".ci/run", "tools/ci-extras.sh")]
    of_each_change = set(re.findall(r"^make ([a-z-]+)", "\n".join(scripts), re.MULTILINE))
    assert of_each_change >= {"lint", "test"}
    by_hand = {"format", "test-deployed", "test-fast"}
    installing = set(re.findall(r"^([a-z-]+):.*## install ", makefile, re.MULTILINE))
    left_out = set(listed.split()) - of_each_change - by_hand - installing
    assert left_out
    assert left_out <= {command.split()[1] for command in commands_of("nightly")}


# ------------------------------------------------------------------------------------------------------------- make


@pytest.mark.parametrize("name", [name for name in SAMCONFIG if name != "version"])
def test_what_make_computes_wins_over_what_a_stage_says(name: str) -> None:
    """SAM takes the parameters in their order, those that a file includes where it is named."""
    values = SAMCONFIG[name]["deploy"]["parameters"]["parameter_overrides"]
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")

    assert list(values)[-1] == "$include"
    assert f"> {values['$include'].removeprefix('file://')}\n" in makefile
