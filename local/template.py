"""Reading and preparing the template that `sam build` writes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

type Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.1 as CloudFormation means it: `2012-10-17` is a version, not a day."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Read `!Sub x` as `{"Fn::Sub": x}`, and likewise the others."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


yaml.add_multi_constructor("!", _intrinsic, _Loader)


def read_template(path: Path) -> Template:
    """Return a template with its short intrinsic functions and its loops of resources (`Fn::ForEach`) written out."""
    text = path.read_text(encoding="utf-8")
    template: Template = yaml.load(text, Loader=_Loader)  # noqa: S506 — a SafeLoader  # nosec B506
    return template | {"Resources": _without_loops(template["Resources"])}


def _without_loops(resources: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, resource in resources.items():
        if name.startswith("Fn::ForEach::"):
            identifier, values, fragment = resource
            for value in values:
                written |= _with_value(fragment, identifier, value)
        else:
            written[name] = resource
    return written


def _with_value(fragment: Any, identifier: str, value: str) -> Any:
    """Return the fragment of a loop with one value in the place of its identifier."""
    match fragment:
        case {"Ref": name} if name == identifier:
            return value
        case {"Fn::Sub": str(text)}:
            filled = _with_value(text, identifier, value)
            return {"Fn::Sub": filled} if "${" in filled else filled
        case dict():
            return {
                _with_value(name, identifier, value): _with_value(each, identifier, value)
                for name, each in fragment.items()
            }
        case list():
            return [_with_value(each, identifier, value) for each in fragment]
        case str():
            return fragment.replace(f"${{{identifier}}}", value)
        case _:
            return fragment


def write_template(template: Template, path: Path) -> None:
    """Write a template that `read_template` reads back equal."""
    path.write_text(yaml.safe_dump(template, sort_keys=False, width=120), encoding="utf-8")


def with_defaults(template: Template, values: Mapping[str, str]) -> Template:
    """Return the template with those of `values` as defaults that it has parameters for.

    The emulator expands the serverless resources before it knows the values that a stack is given: it sees defaults
    only. A code version that is passed in the ordinary way would therefore never publish a version.
    """
    parameters = {
        name: parameter | ({"Default": values[name]} if name in values else {})
        for name, parameter in template.get("Parameters", {}).items()
    }
    return template | {"Parameters": parameters}


def with_names_filled_in(template: Template, values: Mapping[str, str]) -> Template:
    """Return the template with the name of a resource where a parameter is part of it: `!Ref` of a `!Sub`.

    CloudFormation does that when it carries out LanguageExtensions; the emulator refuses it.
    """
    filled: Template = _filled_in(template, values)
    return filled


def _filled_in(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case {"Ref": {"Fn::Sub": str(name)}}:
            return {"Ref": re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], name)}
        case dict():
            return {name: _filled_in(each, values) for name, each in value.items()}
        case list():
            return [_filled_in(each, values) for each in value]
        case _:
            return value


def with_fewer_batches_at_once(template: Template, most: int) -> Template:
    """Return the template with at most so many batches of a queue under way at a time.

    The emulator hands out 10 messages a batch, whatever is set, and starts an interpreter for each batch under way: ten
    cold starts on two cores, only to meet at the same stock items, took a burst four times as long as four.
    """
    resources = dict(template["Resources"])
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            events = {
                key: event | {"Properties": event["Properties"] | {"ScalingConfig": {"MaximumConcurrency": most}}}
                if event["Type"] == "SQS"
                and event["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", most + 1) > most
                else event
                for key, event in resource["Properties"].get("Events", {}).items()
            }
            resources[name] = resource | {"Properties": resource["Properties"] | ({"Events": events} if events else {})}
    return template | {"Resources": resources}


def with_plain_media_types(template: Template) -> Template:
    """Return the template with `*/*` where API Gateway wants `*~1*`.

    The emulator takes it as it is written: it would hand every body over as text, and answers in base64.
    """
    resources = {
        name: resource
        | {
            "Properties": resource["Properties"]
            | {"BinaryMediaTypes": [each.replace("~1", "/") for each in resource["Properties"]["BinaryMediaTypes"]]}
        }
        if resource["Type"] == "AWS::Serverless::Api"
        else resource
        for name, resource in template["Resources"].items()
    }
    return template | {"Resources": resources}


def gateway_responses(template: Template) -> dict[str, dict[str, Any]]:
    """Return the `GatewayResponses` of the template's REST API, by response type, as API Gateway's own call takes them.

    The emulator deploys the API without them.
    """
    apis = [resource for resource in template["Resources"].values() if resource["Type"] == "AWS::Serverless::Api"]
    responses: dict[str, dict[str, Any]] = {}
    for api in apis:
        for response_type, response in api["Properties"].get("GatewayResponses", {}).items():
            headers = response.get("ResponseParameters", {}).get("Headers", {})
            responses[response_type] = {
                "responseParameters": {f"gatewayresponse.header.{name}": text for name, text in headers.items()},
                "responseTemplates": response.get("ResponseTemplates", {}),
            }
            if "StatusCode" in response:
                responses[response_type]["statusCode"] = str(response["StatusCode"])
    return responses
