"""The template as CloudFormation gets it: what its two transforms make of it in their order, with these parameters."""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from typing import Any

from local.places import SAM_PYTHON
from tests.support.sam_template import load_root

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
    """The template as LanguageExtensions passes it to SAM: all that is made of parameters is a value."""
    template = load_root()
    assert template["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()} | parameters
    return template | {name: _resolved(template[name], values) for name in ("Globals", "Resources", "Outputs")}


def _resolved(value: Any, values: dict[str, str]) -> Any:  # noqa: PLR0911  one line for each form
    match value:
        case {"Ref": str(name)}:
            return values.get(name, value)
        case {"Fn::FindInMap": [str(name), first, str(second)]}:
            return load_root()["Mappings"][name][_resolved(first, values)][second]
        case {"Fn::Sub": str(text)}:
            filled = _filled_in(text, values)
            return {"Fn::Sub": filled} if "${" in filled else filled
        case {"Fn::Sub": [str(text), dict(more)]}:
            known = _resolved(more, values)
            if all(isinstance(each, str) for each in known.values()):
                return {"Fn::Sub": _filled_in(text, values | known)}
            return {"Fn::Sub": [_filled_in(text, values), known]}
        case dict() | list():
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            made = {name: _resolved(each, values) for name, each in pairs}
            return made if isinstance(value, dict) else list(made.values())
    return value


def _filled_in(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
