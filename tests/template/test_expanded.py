"""The templates as CloudFormation gets them, for every set of parameters: nothing dangles, nothing is over a limit.

`make lint` gives the same templates to cfn-lint, and their policies to parliament.
"""

from __future__ import annotations

import json
import re
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from tests.support.expanded import PARAMETER_SETS, decided, expanded, policies
from tests.support.sam_template import MONITORING, PROJECT_ROOT
from tools.template import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stack(NamedTuple):
    """A stack and the one that is nested in it, once their conditions are decided."""

    root: dict[str, Any]
    nested: dict[str, Any]


@cache
def stack(name: str) -> Stack:
    values = PARAMETER_SETS[name]
    return Stack(decided(expanded(**values), values), decided(read_template(MONITORING), values))


each_set = pytest.mark.parametrize("name", PARAMETER_SETS)


# ------------------------------------------------------------------------------------------------------- references


def named_by(value: Any) -> Iterator[str]:
    """Every resource or parameter that a value refers to, or that a resource depends on."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from named_in_text(text)
        case {"Fn::Sub": [str(text), dict(more)]}:
            yield from named_in_text(text) - more.keys()
            yield from named_by(more)
        case dict():
            depends_on = value.get("DependsOn", [])
            yield from [depends_on] if isinstance(depends_on, str) else depends_on
            yield from named_by(list(value.values()))
        case list():
            yield from chain.from_iterable(map(named_by, value))
        case _:
            pass


def named_in_text(text: str) -> set[str]:
    return set(re.findall(r"\$\{([\w:]+)[.}]", text))


def dangling(template: dict[str, Any]) -> list[tuple[str, str]]:
    known = template["Resources"].keys() | template["Parameters"].keys()
    return [
        (place, name)
        for place, each in (template["Resources"] | template["Outputs"]).items()
        for name in named_by(each)
        if name not in known and not name.startswith("AWS::")
    ]


@each_set
def test_nothing_refers_to_what_is_not_there(name: str) -> None:
    for template in stack(name):
        assert dangling(template) == []


@each_set
def test_what_the_root_asks_of_the_nested_stack_is_answered(name: str) -> None:
    root, nested = stack(name)
    asked = set(re.findall(r'\["MonitoringStack", "Outputs\.(\w+)"\]', json.dumps(root)))
    assert asked <= nested["Outputs"].keys()
    given = root["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    assert given.keys() == nested["Parameters"].keys()


def test_what_dangles_would_be_found() -> None:
    there = {"Resources": {"A": {"DependsOn": ["B"], "Properties": {"x": {"Fn::Sub": "${C}/${D.Arn}/${E}"}}}}}
    found = dangling({"Parameters": {"E": {}}, "Outputs": {}} | there)
    assert set(found) == {("A", "B"), ("A", "C"), ("A", "D")}


@each_set
def test_no_condition_and_no_name_of_a_transform_is_left(name: str) -> None:
    """An alias or a stage that is named with a dot is one that SAM did not replace."""
    for template in stack(name):
        text = json.dumps(template["Resources"])
        assert re.findall(r'"Fn::If"|"Condition": "|AWS::NoValue|"AWS::Serverless::(?!Application)', text) == []
        assert re.findall(r'"Ref": "\w+\.\w+"|\$\{\w+\.(?:Alias|Stage|Version)\}', text) == []


@each_set
def test_nothing_waits_for_itself(name: str) -> None:
    """An alias waits for the alarms that roll it back: none of them may wait for the API, which waits for the alias."""
    for template in stack(name):
        there = template["Resources"]
        waits = {each: set(named_by(resource)) & there.keys() for each, resource in there.items()}
        assert list(TopologicalSorter(waits).static_order())


def test_the_api_waits_for_the_role_of_its_logs_where_the_stack_sets_it() -> None:
    """A ``DependsOn`` on what a condition leaves out is an error; and the API is refused where it doesn't wait."""
    for name in PARAMETER_SETS:
        there = stack(name).root["Resources"]
        assert there["Api"]["DependsOn"] == "AccessLogsAllowed"
        sets_it = PARAMETER_SETS[name]["ApiGatewayLogRole"] == "create"
        waits = {"ApiGatewayAccount"} if sets_it else set()
        assert set(named_by(there["AccessLogsAllowed"])) == there.keys() & {"ApiGatewayAccount"} == waits


# ----------------------------------------------------------------------------------------------------------- limits

MB = 1024 * 1024


@each_set
def test_the_templates_are_within_cloudformations_limits(name: str) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    for template in stack(name):
        assert len(json.dumps(template, indent=2)) < MB / 2, "half of what may be uploaded"
        assert len(template["Resources"]) < 500 / 2
        assert len(template["Parameters"]) <= 200
        assert len(template["Outputs"]) <= 200
        mappings = template.get("Mappings", {})
        assert len(mappings) <= 200
        assert all(len(each) <= 200 for each in mappings.values())
        assert len(template["Description"].encode()) <= 1024
        assert all(len(each) <= 255 and each.isalnum() for each in template["Resources"])
        assert all(len(str(value)) <= 4096 for value in PARAMETER_SETS[name].values())


def of_kind(name: str, kind: str) -> dict[str, dict[str, Any]]:
    return {
        each: resource["Properties"]
        for template in stack(name)
        for each, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def packed(value: object) -> int:
    """Characters without white space, which is how IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(value)))


@each_set
def test_what_the_templates_make_is_within_the_limits_of_each_service(name: str) -> None:
    for role in of_kind(name, "AWS::IAM::Role").values():
        assert sum(packed(each["PolicyDocument"]) for each in role.get("Policies", [])) < 10_240 / 2
    for table in of_kind(name, "AWS::DynamoDB::Table").values():
        assert len(json.dumps(table.get("ResourcePolicy", {}))) < 20 * 1024
        assert len(table.get("GlobalSecondaryIndexes", [])) <= 20
    for function in of_kind(name, "AWS::Lambda::Function").values():
        assert len(json.dumps(function["Environment"]["Variables"])) < 4 * 1024
        assert len(function["Layers"]) <= 5
        assert len(function["Description"]) <= 256
    for alarm in of_kind(name, "AWS::CloudWatch::Alarm").values():
        assert len(alarm["AlarmDescription"]) <= 1024
    for api in of_kind(name, "AWS::ApiGateway::RestApi").values():
        assert len(api["Body"]["paths"]) < 300 / 2
    for stage in of_kind(name, "AWS::ApiGateway::Stage").values():
        assert len(stage["AccessLogSetting"]["Format"]) < 3 * 1024
    for acl in of_kind(name, "AWS::WAFv2::WebACL").values():
        assert all(len(each["Content"]) < 4 * 1024 for each in acl["CustomResponseBodies"].values())


def test_every_role_has_policies_for_the_linter_with_nothing_left_to_fill_in() -> None:
    found = policies(stack("everything").root)
    roles = [each for each, role in of_kind("everything", "AWS::IAM::Role").items() if "Policies" in role]
    assert {name.partition("-")[0] for name in found} == set(roles)
    assert not re.findall(r'"(?:Ref|Fn::\w+)"|\$\{', json.dumps(found))


def test_checkov_looks_at_files_that_are_written() -> None:
    """It takes a file that is missing for one without findings."""
    looked_at = yaml.safe_load((PROJECT_ROOT / "tools/checkov.yaml").read_text(encoding="utf-8"))["file"]
    written = {f".aws-sam/expanded/{part}/{name}.json" for part in ("conditions", "decided") for name in PARAMETER_SETS}
    assert set(looked_at) <= written | {MONITORING.name}
    assert set(looked_at) & written
