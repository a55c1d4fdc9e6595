"""What the emulator needs to find changed in the template that `sam build` writes."""

import re
from collections.abc import Mapping
from typing import Any

from tools.template import Template


def with_defaults(template: Template, values: Mapping[str, str]) -> Template:
    """Return the template with `values` as defaults of its parameters; values without a parameter are left out.

    The emulator expands serverless resources with the parameters' defaults, not with the values of the stack. So a code
    version that is passed in the ordinary way would never publish a version.
    """
    parameters = {
        name: parameter | ({"Default": values[name]} if name in values else {})
        for name, parameter in template.get("Parameters", {}).items()
    }
    return template | {"Parameters": parameters}


def with_names_filled_in(template: Template, values: Mapping[str, str]) -> Template:
    """Return the template with `!Ref` of a `!Sub` replaced by the name of the resource.

    CloudFormation's LanguageExtensions do that; the emulator refuses it.
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


def with_plain_media_types(template: Template) -> Template:
    """Return the template with `*/*` where API Gateway wants `*~1*`.

    The emulator takes it literally: every body would reach the functions as text, and answers would stay in base64.
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


def gateway_responses(template: Template, values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the `GatewayResponses` of the template's REST API, by response type, as API Gateway's own call takes them.

    The emulator deploys the API without them. `values` are those of the template's parameters.
    """
    apis = [resource for resource in template["Resources"].values() if resource["Type"] == "AWS::Serverless::Api"]
    responses: dict[str, dict[str, Any]] = {}
    for api in apis:
        for response_type, response in api["Properties"].get("GatewayResponses", {}).items():
            written = response.get("ResponseParameters", {}).get("Headers", {})
            chosen = {name: _chosen(text, template, values) for name, text in written.items()}
            headers = {name: text for name, text in chosen.items() if text is not None}
            responses[response_type] = {
                "responseParameters": {f"gatewayresponse.header.{name}": text for name, text in headers.items()},
                "responseTemplates": response.get("ResponseTemplates", {}),
            }
            if "StatusCode" in response:
                responses[response_type]["statusCode"] = str(response["StatusCode"])
    return responses


def _chosen(value: Any, template: Template, values: Mapping[str, str]) -> str | None:
    """Return a text of the template with these values of its parameters, or None where it has no value."""
    match value:
        case {"Fn::If": [str(condition), then, otherwise]}:
            holds = _holds(template["Conditions"][condition], values)
            return _chosen(then if holds else otherwise, template, values)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)
        case {"Ref": "AWS::NoValue"}:
            return None
    return str(value)


def _holds(condition: Any, values: Mapping[str, str]) -> bool:
    match condition:
        case {"Fn::Not": [other]}:
            return not _holds(other, values)
        case {"Fn::Equals": [{"Ref": str(name)}, str(text)]}:
            return values[name] == text
    raise ValueError(f"another form of condition: {condition}")
