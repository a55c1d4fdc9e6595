"""The schemas of the service's events, as a subscriber would use them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs

from tests.support.sam_template import PROJECT_ROOT

SCHEMAS = PROJECT_ROOT / "events" / "schemas"


@cache
def schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return read


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema(name), validate_formats=True)


def problems(event: object, name: str) -> list[str]:
    return [f"{list(error.instance_path)}: {error.message}" for error in _validator(name).iter_errors(event)]


def assert_event(event: object, name: str) -> None:
    assert problems(event, name) == []


def delivered(entry: dict[str, str]) -> dict[str, Any]:
    """What EventBridge makes of an entry of PutEvents."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": "123456789012",
        "time": "2026-11-23T14:05:09Z",
        "region": "us-east-1",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }
