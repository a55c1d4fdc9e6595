"""Shared by all tests: no real credentials, no network for the fast ones, and repeatable random examples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.harness.examples import load_profile

TESTS = Path(__file__).parent
WITHOUT_NETWORK = ("unit", "property", "simulation", "iam")

os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
    os.environ.pop(variable, None)

load_profile()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in WITHOUT_NETWORK:
            item.add_marker(pytest.mark.disable_socket)
