"""Shared by all tests: no real credentials, no network for the fast ones, and repeatable random examples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
WITHOUT_NETWORK = ("unit", "property", "simulation")
WITH_AN_EMULATOR = ("e2e", "integration")

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

# `pytest --hypothesis-profile=explore` looks for new counterexamples; otherwise every run sees the same examples.
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # `make mutation` has an environment of its own, without xdist: there the mark of a group is an unknown one.
    grouped = config.pluginmanager.hasplugin("xdist")
    for item in items:
        folder, *_ = item.path.relative_to(TESTS).parts
        if folder in WITHOUT_NETWORK:
            item.add_marker(pytest.mark.disable_socket)
        # `make test` has two processes: an emulator and a stack take long to start, so each is started in one of them.
        if grouped:
            item.add_marker(pytest.mark.xdist_group(folder if folder in WITH_AN_EMULATOR else str(item.path)))
