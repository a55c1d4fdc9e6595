"""The template as CloudFormation gets it: what its two transforms make of it in their order, with these parameters.

`python -m tests.support.expanded FOLDER` writes it there for linters, which do not see what a transform creates.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.places import SAM_PYTHON
from tests.support.sam_template import MONITORING, load_root

PARAMETER_SETS: Final = {
    "everything": {
        "AlarmAddress": "night@example.com",
        "BusinessRequestsPerDay": "1000",
        "BusinessRequestsPerSecond": "5",
        "DeploymentPreference": "Canary10Percent5Minutes",
        "RequireBusinessKeys": "true",
        "SnapStart": "true",
        "WebAcl": "true",
    },
    "least": {
        "ApiGatewayLogRole": "existing",
        "Architecture": "x86_64",
        "BusinessRequestsPerDay": "1000",  # a linter looks at the usage plan even where its condition is false
        "BusinessRequestsPerSecond": "5",
        "KeepData": "false",
        "Monitoring": "false",
    },
}
"""What linters look at."""

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


def write_for_linters(folder: Path) -> None:
    """Write the template once for each set of parameters, beside the template that it nests."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MONITORING, folder)
    for name, parameters in PARAMETER_SETS.items():
        (folder / f"{name}.json").write_text(json.dumps(expanded(**parameters), indent=2), encoding="utf-8")


if __name__ == "__main__":
    write_for_linters(Path(sys.argv[1]))
