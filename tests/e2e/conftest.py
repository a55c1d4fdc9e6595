"""The service under test: a local stack that `make run` brings up for the session, or a deployed one that is named.

``DEPLOYED_STACK`` names a CloudFormation stack in the Region and account of the caller's own credentials. The tests
make businesses of their own there, and in the end revoke the tokens that they issued.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from local.emulator import free_port
from local.places import Places
from ops.aws import Aws, EmulatedAws
from ops.stacks import Stack
from tests.e2e.service import Business, Service
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DEPLOYED_STACK = os.environ.get("DEPLOYED_STACK")
REQUEST_TIMEOUT_S = 60


@dataclass(frozen=True)
class LocalStack:
    """A stack that `make run` brought up with this ``output``, and the means to run make again on it."""

    places: Places
    port: int
    output: str = ""
    allowed_origin: str = ""

    def make(self, target: str, *, project: Path = PROJECT_ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        chosen = {
            "PORT": str(self.port),
            "LOCAL_DIR": str(self.places.local_dir),
            "ALLOWED_ORIGIN": self.allowed_origin,
        } | variables
        return subprocess.run(  # noqa: S603  our own command
            ["make", target, *(f"{name}={value}" for name, value in chosen.items())],  # noqa: S607
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def running_stack(folder: Path, allowed_origin: str = "") -> Iterator[LocalStack]:
    """Start a stack with its files in this folder, which pages of one origin may call; stop it at the end."""
    stack = LocalStack(Places(folder), free_port(), allowed_origin=allowed_origin)
    started = stack.make("run", DETACH="1")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield replace(stack, output=started.stdout)
    finally:
        stack.make("stop")


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """`make run DETACH=1` in a folder of its own, and `make stop` at the end."""
    if DEPLOYED_STACK:
        pytest.skip("about the local service; a deployed one is under test")
    directory: Path = tmp_path_factory.mktemp("local")
    with running_stack(directory, allowed_origin=f"http://localhost:{free_port()}") as stack:
        yield stack


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The service under test; what was issued is revoked at the end, for a deployed stack lives on."""
    unlimited = httpx.Limits(max_connections=None)
    with httpx.Client(timeout=REQUEST_TIMEOUT_S, limits=unlimited, trust_env=False) as http:
        if DEPLOYED_STACK:
            service = deployed_service(DEPLOYED_STACK, http)
        else:
            service = local_service(request.getfixturevalue("local_stack"), http)
        yield service
        if DEPLOYED_STACK:
            service.revoke_issued_tokens()


def local_service(stack: LocalStack, http: httpx.Client) -> Service:
    demo = json.loads(stack.places.demo_json.read_text(encoding="utf-8"))
    return service_of(EmulatedAws(demo["endpoint_url"]), demo["outputs"], http)


def deployed_service(stack_name: str, http: httpx.Client) -> Service:
    aws = Aws()
    return service_of(aws, Stack(stack_name, aws).target().outputs, http)


def service_of(aws: Aws, outputs: Mapping[str, str], http: httpx.Client) -> Service:
    return Service(outputs["ApiUrl"], outputs, aws.functions(), aws.dynamodb(), aws.queues(), aws.events(), http)


@pytest.fixture
def business(service: Service) -> Business:
    """Not shared with any other test."""
    return service.new_business()
