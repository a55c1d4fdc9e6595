"""Print, as one JSON object, what this environment's SDK sends and reads, and what every function answers under it.

Run in an environment that has nothing but an SDK and the layer's packages: what else is imported is missing on Lambda.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

import boto3

from tests.sdk_versions.exchanges import exchanges
from tests.support.builders.requests import an_api_event
from tests.support.harness.entry_points import EntryPoint
from tests.support.harness.loading import CREDENTIALS, ROOT, load_event

FUNCTIONS: Final = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


class _Environment:
    """Sets variables, as the tests' `monkeypatch` does; nothing sets them back."""

    @staticmethod
    def setenv(name: str, value: str) -> None:
        os.environ[name] = value


def answers() -> dict[str, str]:
    """Load every function and hand it its samples: the status, or what left the handler."""
    made = {}
    for name in FUNCTIONS:
        function = EntryPoint(name, _Environment())  # type: ignore[arg-type]
        for sample in sorted((ROOT / "events").glob(f"{name.replace('_', '-')}*.json")):
            made[sample.stem] = _answer(function, load_event(sample.stem))
        if name == "create_adjustment":
            made["a creation"] = _answer(function, an_api_event())
    return made


def _answer(function: EntryPoint, event: Any) -> str:
    called = function.call(event)
    if called.raised is not None:
        return f"{type(called.raised).__name__}: {called.raised}"
    return str(called.answer.get("statusCode", "answered"))


if __name__ == "__main__":
    os.environ |= CREDENTIALS
    found = {
        "sdk": boto3.__version__,
        "plain": exchanges(quick=False),
        "quick": exchanges(quick=True),
        "answers": answers(),
    }
    json.dump(found, sys.stdout)
