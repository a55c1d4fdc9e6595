"""Which metrics there are: those that the code writes, those that are counted in logs, and those of AWS's services."""

from __future__ import annotations

import ast
import inspect
import json
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from inventory.entrypoints import telemetry
from inventory.entrypoints.responses import ERROR_ANSWERS
from tests.support.sam_template import PROJECT_ROOT, load_template, resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

type Reference = tuple[object, str, dict[str, object]]
"""Namespace, name, and dimensions by name, as the template writes them."""

NAMESPACE: Final = {"Fn::Sub": "InventoryAdjustments/${AWS::StackName}"}

OF_AWS: Final[dict[tuple[str, str], tuple[frozenset[str], ...]]] = {
    **{
        ("AWS/ApiGateway", name): (frozenset({"ApiName", "Stage"}),)
        for name in ("4XXError", "5XXError", "Count", "Latency")
    },
    **{
        ("AWS/Lambda", name): (frozenset({"FunctionName"}),)
        for name in (
            "ConcurrentExecutions",
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "IteratorAge",
            "Throttles",
        )
    },
    **{
        ("AWS/DynamoDB", name): (frozenset({"TableName"}), frozenset({"TableName", "GlobalSecondaryIndexName"}))
        for name in (
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        )
    },
    ("AWS/DynamoDB", "TransactionConflict"): (frozenset({"TableName"}),),
    # With the bus where it is one of one's own; the rule alone means the account's.
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): (frozenset({"EventBusName", "RuleName"}),),
    **{
        ("AWS/SQS", name): (frozenset({"QueueName"}),)
        for name in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible")
    },
}
"""By namespace and name, the sets of dimensions under which AWS's user guides say that a service writes each metric."""


def services() -> dict[str, str]:
    """Each service that the functions call themselves in logs and metrics, with its folder."""
    return {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: function["Properties"]["CodeUri"]
        for function in resources("AWS::Serverless::Function").values()
        if "POWERTOOLS_SERVICE_NAME" in function["Properties"].get("Environment", {"Variables": {}})["Variables"]
    }


@cache
def written_by(service: str) -> frozenset[str]:
    """The metrics that a service can write: those of every function that its handler names, and that these name."""
    handler = ast.parse((PROJECT_ROOT / services()[service] / "handler.py").read_text(encoding="utf-8"))
    imported: dict[str, object] = {}
    for node in ast.walk(handler):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("inventory."):
            for alias in node.names:
                imported[alias.name] = _imported(node.module, alias.name)
    return frozenset(_written_in(named_in(handler, imported), set()))


def _imported(module: str, name: str) -> object:
    found = import_module(module)
    return getattr(found, name, None) or import_module(f"{module}.{name}")


def named_in(tree: ast.AST, names: Mapping[str, object]) -> list[object]:
    """What a piece of code names, also as an attribute of a module."""
    named: list[object] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(name) if name in names:
                named.append(names[name])
            case ast.Attribute(ast.Name(name), attribute) if inspect.ismodule(names.get(name)):
                named.append(getattr(names[name], attribute, None))
    return named


def _written_in(named: Iterable[object], seen: set[object]) -> set[str]:
    """The metrics of functions: the constants of ``telemetry`` that they name, and the errors that they count."""
    written: set[str] = set()
    for each in named:
        function = inspect.unwrap(each) if callable(each) else each
        if not inspect.isfunction(function) or function in seen or not function.__module__.startswith("inventory."):
            continue
        seen.add(function)
        if function is telemetry.report_error:
            written |= {error.__name__ for error in ERROR_ANSWERS}
        within = named_in(ast.parse(inspect.getsource(function)), function.__globals__)
        if function.__module__ == telemetry.__name__:
            written |= set(_texts_in(within))
        written |= _written_in(within, seen)
    return written


def _texts_in(named: Iterable[object]) -> Iterator[str]:
    """The names of metrics: constants, and those that stand in a table."""
    for each in named:
        match each:
            case str():
                yield each
            case dict() if each is not ERROR_ANSWERS:
                yield from (name for names in each.values() for name in names)


def counted_in_logs() -> dict[str, list[dict[str, Any]]]:
    """Each metric that lines of logs are counted in, with its filters."""
    counted: dict[str, list[dict[str, Any]]] = {}
    for each in resources("AWS::Logs::MetricFilter").values():
        for transformation in each["Properties"]["MetricTransformations"]:
            if transformation["MetricNamespace"] == NAMESPACE:
                counted.setdefault(transformation["MetricName"], []).append(each["Properties"])
    return counted


def why_not(namespace: object, name: str, dimensions: dict[str, object]) -> str | None:
    """Why no such metric is ever written; None for one that is."""
    if namespace == NAMESPACE:
        if not dimensions:
            return None if name in counted_in_logs() else "no filter counts it"
        service = dimensions.get("service")
        if dimensions.keys() != {"service"} or service not in services():
            return "the functions write under their service alone"
        return None if name in written_by(str(service)) else f"{service} does not write it"
    if not isinstance(namespace, str) or (namespace, name) not in OF_AWS:
        return "not known"
    if frozenset(dimensions) not in OF_AWS[namespace, name]:
        return "not with these dimensions"
    wrong = [dimension for dimension, value in dimensions.items() if not _exists(dimension, value, dimensions)]
    return f"there is no such {wrong}" if wrong else None


def _exists(dimension: str, value: Any, dimensions: dict[str, Any]) -> bool:
    api = load_template()["Resources"]["Api"]["Properties"]
    tables = resources("AWS::DynamoDB::Table")
    match dimension, value:
        case "ApiName" | "Stage", _:
            found = value == api["Name" if dimension == "ApiName" else "StageName"]
        case "FunctionName", {"Ref": function}:
            found = function in resources("AWS::Serverless::Function")
        case "EventBusName", {"Ref": bus}:
            found = bus in resources("AWS::Events::EventBus")
        case "RuleName", str():
            rules = [each["Properties"] for each in resources("AWS::Events::Rule").values()]
            found = (dimensions["EventBusName"], value) in [(each["EventBusName"], each["Name"]) for each in rules]
        case "QueueName", {"Fn::GetAtt": [queue, "QueueName"]}:
            found = queue in resources("AWS::SQS::Queue")
        case "TableName", {"Ref": table}:
            found = table in tables
        case "GlobalSecondaryIndexName", _:
            indexes = tables[dimensions["TableName"]["Ref"]]["Properties"].get("GlobalSecondaryIndexes", [])
            found = value in [each["IndexName"] for each in indexes]
        case _:
            found = False
    return bool(found)


def watched_by(alarm: dict[str, Any]) -> list[Reference]:
    """Every metric that an alarm looks at, be it one or several in an expression."""
    if "Metrics" not in alarm:
        return [(alarm["Namespace"], alarm["MetricName"], _named(alarm.get("Dimensions", [])))]
    metrics = [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]
    return [(each["Namespace"], each["MetricName"], _named(each.get("Dimensions", []))) for each in metrics]


def _named(dimensions: list[dict[str, Any]]) -> dict[str, object]:
    return {each["Name"]: each["Value"] for each in dimensions}


def dashboard() -> dict[str, Any]:
    """The dashboard's body as CloudWatch gets it, except that what names a resource still stands in ``${…}``."""
    text, values = resources("AWS::CloudWatch::Dashboard")["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in values.items():
        _, shown, nothing = value.get("Fn::If", [None, value, ""])
        assert nothing == ""
        text = text.replace(f"${{{name}}}", shown["Fn::Sub"])
    body: dict[str, Any] = json.loads(text)
    return body


def shown_in(widget: dict[str, Any]) -> list[Reference]:
    """Every metric of a widget, its short forms and searches written out."""
    shown: list[Reference] = []
    before: list[str] = []
    for line in widget["properties"].get("metrics", []):
        if isinstance(line[0], dict):
            shown += _searched(line[0]["expression"])
            continue
        parts = [each for each in line if isinstance(each, str)]
        if parts[0] == "...":
            parts = before[: len(before) - len(parts) + 1] + parts[1:]
        parts = [before[place] if part == "." else part for place, part in enumerate(parts)]
        before = parts
        namespace, name, *rest = parts
        dimensions = dict(zip(rest[::2], map(_resource, rest[1::2]), strict=True))
        shown.append((_resource(namespace), name, dimensions))
    return shown


def _searched(expression: str) -> list[Reference]:
    # In quotation marks, as more than letters and digits are in the namespace: a search without finds nothing.
    begin, end = f'SEARCH(\'{{"{NAMESPACE["Fn::Sub"]}",service}} MetricName=', "', 'Sum', 300)"
    assert (expression.startswith(begin), expression.endswith(end)) == (True, True), f"another search: {expression}"
    names = re.findall(r'"(\w+)"', expression.removeprefix(begin))
    return [
        (NAMESPACE, name, {"service": next((each for each in services() if name in written_by(each)), "nobody")})
        for name in names
    ]


def _resource(text: str) -> object:
    """What ``${…}`` stands for, in the form of the rest of the template."""
    if text == NAMESPACE["Fn::Sub"]:
        return NAMESPACE
    match text.removeprefix("${").removesuffix("}").split("."):
        case [name, attribute] if text.startswith("${"):
            return {"Fn::GetAtt": [name, attribute]}
        case [name] if text.startswith("${"):
            return {"Ref": name}
        case _:
            return text
