"""The stack as CloudFormation would make it: the expanded template with names, ARNs and conditions filled in.

The account, the Region and the names are made up. What matters is that a policy and a request write them alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from tests.support.expanded import expanded
from tests.support.sam_template import load_root

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
STACK_NAME: Final = "inventory"
PARAMETERS: Final = {"AlarmAddress": "none"}
"""Those of a stack that keeps its data; for all others the defaults."""

PSEUDO_PARAMETERS: Final = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK_NAME,
    "AWS::URLSuffix": "amazonaws.com",
}
TABLE: Final = "AWS::DynamoDB::Table"
QUEUE: Final = "AWS::SQS::Queue"
BUS: Final = "AWS::Events::EventBus"
LOG_GROUP: Final = "AWS::Logs::LogGroup"
FUNCTION: Final = "AWS::Lambda::Function"
ROLE: Final = "AWS::IAM::Role"
RULE: Final = "AWS::Events::Rule"

_NO_VALUE: Final = object()
_NAMES: Final = {BUS: "Name", LOG_GROUP: "LogGroupName", RULE: "Name"}
"""Which property names a resource, where the template names it."""

_ARNS: Final = {
    TABLE: "dynamodb:{place}:table/{name}",
    QUEUE: "sqs:{place}:{name}",
    BUS: "events:{place}:event-bus/{name}",
    RULE: "events:{place}:rule/{name}",
    LOG_GROUP: "logs:{place}:log-group:{name}:*",
    FUNCTION: "lambda:{place}:function:{name}",
    ROLE: "iam::" + ACCOUNT + ":role/{name}",
}


@dataclass(frozen=True)
class Function:
    """One function of the stack: its folder, what its environment holds, and its role."""

    name: str
    folder: str
    environment: dict[str, str]
    role: str


class Deployed:
    """The stack's resources by logical id, their properties resolved."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        self._template = template
        self._parameters = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
        self._parameters |= {"CodeVersion": "x"} | parameters
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(each) for name, each in template["Resources"].items() if self._exists(each)
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id of all resources of one type."""
        return {name: each.get("Properties", {}) for name, each in self.resources.items() if each["Type"] == kind}

    @property
    def functions(self) -> dict[str, Function]:
        """Every function by its logical id."""
        source = load_root()["Resources"]
        return {
            name: Function(
                name,
                source[name]["Properties"]["CodeUri"].removeprefix("functions/"),
                {variable: str(value) for variable, value in properties["Environment"]["Variables"].items()},
                properties["Role"].rpartition("/")[2].removeprefix(f"{STACK_NAME}-"),
            )
            for name, properties in self.of_type(FUNCTION).items()
        }

    def policies_of(self, role: str) -> list[dict[str, Any]]:
        """The policies that are written into a role."""
        return [
            {"name": each["PolicyName"], "policy": each["PolicyDocument"]}
            for each in self.of_type(ROLE)[role]["Policies"]
        ]

    @property
    def resource_policies(self) -> dict[str, dict[str, Any]]:
        """By ARN, the policies of tables, queues and the aliases of functions."""
        tables = {
            self.arn(name): each["ResourcePolicy"]["PolicyDocument"]
            for name, each in self.of_type(TABLE).items()
            if "ResourcePolicy" in each
        }
        queues = {
            self.arn(queue.rpartition("/")[2].removeprefix(f"{STACK_NAME}-")): each["PolicyDocument"]
            for each in self.of_type("AWS::SQS::QueuePolicy").values()
            for queue in each["Queues"]
        }
        return tables | queues | self._function_policies()

    def _function_policies(self) -> dict[str, dict[str, Any]]:
        """By the ARN of an alias, the permissions to invoke it, written as Lambda does."""
        statements: dict[str, list[dict[str, Any]]] = {}
        for each in self.of_type("AWS::Lambda::Permission").values():
            statement: dict[str, Any] = {
                "Effect": "Allow",
                "Principal": {"Service": each["Principal"]},
                "Action": each["Action"],
                "Resource": each["FunctionName"],
            }
            if "SourceArn" in each:
                statement["Condition"] = {"ArnLike": {"AWS:SourceArn": each["SourceArn"]}}
            statements.setdefault(each["FunctionName"], []).append(statement)
        return {arn: {"Version": "2012-10-17", "Statement": each} for arn, each in statements.items()}

    def physical_name(self, logical_id: str) -> str:
        """What a resource is called: its own name, or one that is made of its logical id."""
        resource = self._template["Resources"][logical_id]
        own = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
        return f"{STACK_NAME}-{logical_id}" if own is None else str(self._resolve(own))

    def arn(self, logical_id: str) -> str:
        """The ARN of a resource."""
        kind = self._template["Resources"][logical_id]["Type"]
        pattern = _ARNS.get(kind, "made-up:{place}:{name}")
        return "arn:aws:" + pattern.format(place=f"{REGION}:{ACCOUNT}", name=self.physical_name(logical_id))

    def _exists(self, resource: dict[str, Any]) -> bool:
        return "Condition" not in resource or self._holds(resource["Condition"])

    def _holds(self, condition: object) -> bool:
        match condition:
            case str(name) | {"Condition": str(name)}:
                return self._holds(self._template["Conditions"][name])
            case {"Fn::Equals": [first, second]}:
                return bool(self._resolve(first) == self._resolve(second))
            case {"Fn::Not": [one]}:
                return not self._holds(one)
            case {"Fn::And": list(several)}:
                return all(map(self._holds, several))
            case {"Fn::Or": list(several)}:
                return any(map(self._holds, several))
        raise AssertionError(f"what does this condition mean? {condition}")

    def _resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::If": _} | {"Fn::Sub": _}:
                return self._intrinsic(value)
            case dict():
                made = {name: self._resolve(each) for name, each in value.items()}
                return {name: each for name, each in made.items() if each is not _NO_VALUE}
            case list():
                return [each for each in map(self._resolve, value) if each is not _NO_VALUE]
        return value

    def _intrinsic(self, value: dict[str, Any]) -> Any:
        match value:
            case {"Ref": str(name)}:
                return self._reference(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::If": [str(condition), when, otherwise]}:
                return self._resolve(when if self._holds(condition) else otherwise)
            case {"Fn::Sub": str(text)}:
                return self._substituted(text, {})
            case {"Fn::Sub": [str(text), dict(more)]}:
                return self._substituted(text, self._resolve(more))
        raise AssertionError(f"what does this stand for? {value}")

    def _reference(self, name: str) -> Any:
        known = {"AWS::NoValue": _NO_VALUE} | PSEUDO_PARAMETERS | self._parameters
        if name in known:
            return known[name]
        match self._template["Resources"][name]:
            case {"Type": "AWS::SQS::Queue"}:
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.physical_name(name)}"
            case {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": str(function)}, "Name": alias}}:
                return f"{self.arn(function)}:{alias}"
        return self.physical_name(name)

    def _attribute(self, name: str, attribute: str) -> str:
        match attribute:
            case "Arn":
                return self.arn(name)
            case "StreamArn":
                return f"{self.arn(name)}/stream/2026-11-23T14:05:09.123"
            case "QueueUrl":
                return str(self._reference(name))
        return f"{self.physical_name(name)}.{attribute}"

    def _substituted(self, text: str, more: dict[str, Any]) -> str:
        def filled(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in more:
                return str(more[name])
            return self._attribute(name, attribute) if attribute else str(self._reference(name))

        return re.sub(r"\$\{([\w:.]+)\}", filled, text)


@cache
def deployed_template() -> dict[str, Any]:
    """The expanded template of a stack that keeps its data."""
    return expanded(**PARAMETERS)


@cache
def deployed() -> Deployed:
    """The stack that keeps its data."""
    return Deployed(deployed_template(), PARAMETERS)
