"""The template as CloudFormation gets it: what SAM makes of it, with these parameters."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from typing import Any

from local.places import SAM_PYTHON
from tests.support.sam_template import TEMPLATE

# The code is not built here; SAM only wants to see that it lies in a bucket.
_EXPAND = """
import json, sys
from types import SimpleNamespace
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform
template = yaml_parse(open(sys.argv[1], encoding="utf-8").read())
for name, resource in template["Resources"].items():
    for place in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
        resource["Properties"][place] = "s3://bucket/" + name
print(json.dumps(transform(template, json.loads(sys.argv[2]), SimpleNamespace(load=dict))))
"""


@cache
def expanded(**parameters: str) -> dict[str, Any]:
    """The template's sections, its serverless resources replaced by what they stand for."""
    done = subprocess.run(  # noqa: S603  our own interpreter and arguments
        [str(SAM_PYTHON), "-c", _EXPAND, str(TEMPLATE), json.dumps({"CodeVersion": "x"} | parameters)],
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    template: dict[str, Any] = json.loads(done.stdout)
    return template
