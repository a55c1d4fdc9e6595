"""The template as CloudFormation gets it: what its two transforms make of it in their order, with these parameters.

`python -m tests.support.expanded FOLDER` writes it there for linters, which do not see what a transform creates: each
set of parameters with its conditions as they stand and with its conditions decided, and every policy by itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.places import SAM_PYTHON
from tests.support.sam_template import MONITORING, PROJECT_ROOT, load_root, load_template
from tools.template import read_template

SAMCONFIG: Final = tomllib.loads((PROJECT_ROOT / "samconfig.toml").read_text(encoding="utf-8"))


def stage(name: str) -> dict[str, str]:
    """The values that `make deploy` gives the parameters, as texts."""
    values = SAMCONFIG[name]["deploy"]["parameters"]["parameter_overrides"]
    return {parameter: str(value) for parameter, value in values.items() if parameter in load_root()["Parameters"]}


_RESERVED: Final = {"WriteConcurrency": "150", "ReadConcurrency": "100"}
_WITH_A_PLAN: Final = {"BusinessRequestsPerDay": "1000", "BusinessRequestsPerSecond": "5"}
_PROD: Final = stage("prod") | {"AlarmAddress": "night@example.com"}
PARAMETER_SETS: Final[dict[str, dict[str, str]]] = {
    "dev": stage("dev"),
    "prod": _PROD,
    "prod-at-once": _PROD | {"DeploymentPreference": "AllAtOnce"},
    "everything": _PROD | _WITH_A_PLAN | {"RequireBusinessKeys": "true", "SnapStart": "true", "WebAcl": "true"},
    "existing": _PROD
    | {"ApiGatewayLogRole": "existing", "Architecture": "x86_64", "KeepData": "false", "Monitoring": "false"}
    | {"AlarmAddress": "", "DeploymentPreference": "AllAtOnce"},
}
"""The stages, and what they can be turned into: everything on, and as little as there can be."""

# The code is not built here; SAM only wants to see that it lies in a bucket.
_EXPAND = """
import json, sys
from types import SimpleNamespace
from samtranslator.translator.transform import transform
template, parameters = json.load(sys.stdin)
for name, resource in template["Resources"].items():
    for place in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
        resource["Properties"][place] = "s3://bucket/" + name
print(json.dumps(transform(template, parameters, SimpleNamespace(load=dict))))
"""


@cache
def expanded(**parameters: str) -> dict[str, Any]:
    """The template's sections, its serverless resources replaced by what they stand for."""
    given = {"CodeVersion": "x"} | parameters
    done = subprocess.run(  # noqa: S603  our own interpreter and arguments
        [str(SAM_PYTHON), "-c", _EXPAND],
        input=json.dumps([with_language_extensions(given), given]),
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    template: dict[str, Any] = json.loads(done.stdout)
    return template


def with_language_extensions(parameters: dict[str, str]) -> dict[str, Any]:
    """The template as LanguageExtensions passes it to SAM: parameters, and what is made of them, are values."""
    template = load_root()
    assert template["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()} | parameters
    return template | {name: _resolved(template[name], values) for name in ("Globals", "Resources", "Outputs")}


def _resolved(value: Any, values: dict[str, str]) -> Any:
    match value:
        case {"Ref": str(name)}:
            return values.get(name, value)
        case {"Fn::FindInMap": [str(name), first, str(second)]}:
            return load_root()["Mappings"][name][_resolved(first, values)][second]
        case {"Fn::Sub": str(text)}:
            return _substituted(text, {}, values)
        case {"Fn::Sub": [str(text), dict(more)]}:
            return _substituted(text, _resolved(more, values), values)
        case dict() | list():
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            made = {name: _resolved(each, values) for name, each in pairs}
            return made if isinstance(value, dict) else list(made.values())
    return value


def _substituted(text: str, more: dict[str, Any], values: dict[str, str]) -> Any:
    """`Fn::Sub` with the known values filled in: a plain text where no other is left."""
    known = {name: each for name, each in more.items() if isinstance(each, str)}
    left = {name: each for name, each in more.items() if name not in known}
    filled = _filled_in(text, values | known)
    if left:
        return {"Fn::Sub": [filled, left]}
    return {"Fn::Sub": filled} if "${" in filled else filled


def _filled_in(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def holds(condition: Any, values: dict[str, str]) -> bool:
    """Evaluate a condition of the templates."""
    match condition:
        case str(name):
            return holds(load_template()["Conditions"][name], values)
        case {"Condition": name}:
            return holds(name, values)
        case {"Fn::Equals": [{"Ref": parameter}, text]}:
            default = load_root()["Parameters"][parameter].get("Default", "")
            return bool(values.get(parameter, str(default)) == text)
        case {"Fn::Not": [other]}:
            return not holds(other, values)
        case {"Fn::And": others}:
            return all(holds(each, values) for each in others)
        case {"Fn::Or": others}:
            return any(holds(each, values) for each in others)
    raise AssertionError(f"another form of condition: {condition}")


def decided(template: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """A template as it is once its conditions are evaluated: without them, and without what they leave out."""
    made = {
        section: {
            name: {key: _decided(part, values) for key, part in each.items() if key != "Condition"}
            for name, each in template[section].items()
            if "Condition" not in each or holds(each["Condition"], values)
        }
        for section in ("Resources", "Outputs")
    }
    return {name: each for name, each in template.items() if name != "Conditions"} | made


def _decided(value: Any, values: dict[str, str]) -> Any:
    match value:
        case {"Fn::If": [condition, then, other]}:
            return _decided(then if holds(condition, values) else other, values)
        case dict():
            return {name: _decided(each, values) for name, each in value.items() if not _is_left_out(each, values)}
        case list():
            return [_decided(each, values) for each in value if not _is_left_out(each, values)]
    return value


def _is_left_out(value: Any, values: dict[str, str]) -> bool:
    return isinstance(value, dict) and value.keys() <= {"Ref", "Fn::If"} and _decided(value, values) == _NO_VALUE


_NO_VALUE: Final = {"Ref": "AWS::NoValue"}


def policies(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every policy of a decided template by its resource and name, with made-up addresses of what it names."""
    kinds = {name: each["Type"] for name, each in template["Resources"].items()}
    found: dict[str, dict[str, Any]] = {}
    for name, each in template["Resources"].items():
        properties = each.get("Properties", {})
        for policy in properties.get("Policies", []) if each["Type"] == "AWS::IAM::Role" else []:
            found[f"{name}-{policy['PolicyName']}"] = _addressed(policy["PolicyDocument"], kinds)
    return found


_ARNS: Final = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:123456789012:table/{}",
    "AWS::Events::EventBus": "arn:aws:events:us-east-1:123456789012:event-bus/{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:123456789012:log-group:{}:*",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:123456789012:{}",
}


def _addressed(value: Any, kinds: dict[str, str]) -> Any:
    match value:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return _ARNS[kinds[name]].format(name)
        case {"Fn::GetAtt": [str(name), "StreamArn"]}:
            return f"{_ARNS[kinds[name]].format(name)}/stream/latest"
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _ARNS[kinds[found[1]]].format(found[1]), text)
        case dict():
            return {name: _addressed(each, kinds) for name, each in value.items()}
        case list():
            return [_addressed(each, kinds) for each in value]
    return value


def write_for_linters(folder: Path) -> None:
    """Write the templates once for each set of parameters, and the policies of the one with everything."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("conditions", "decided", "policies"):
        (folder / part).mkdir(parents=True)
        if part != "policies":  # the template names the nested one as a neighbour
            shutil.copy(MONITORING, folder / part)
    for name, values in PARAMETER_SETS.items():
        # A linter looks at what needs a number even where its condition is false.
        _write(folder / "conditions" / f"{name}.json", expanded(**values | _WITH_A_PLAN | _RESERVED))
        _write(folder / "decided" / f"{name}.json", decided(expanded(**values), values))
        _write(folder / "decided" / f"{name}-monitoring.json", decided(read_template(MONITORING), values))
    everything = PARAMETER_SETS["everything"]
    for name, policy in policies(decided(expanded(**everything), everything)).items():
        _write(folder / "policies" / f"{name}.json", policy)


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=2), encoding="utf-8")


if __name__ == "__main__":
    write_for_linters(Path(sys.argv[1]))
