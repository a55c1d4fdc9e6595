"""`sam local` on the running stack's tables: the functions in Lambda's own image, in Docker."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shlex
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from local.deployment import build, host_architecture
from local.forwarder import forward
from local.places import SAM_PYTHON
from local.sam import prepare_sam_settings, tool_environment
from ops.aws import EmulatedAws
from ops.errors import CommandError
from ops.local_stack import HOST, STACK_NAME
from ops.project import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local.places import Places

_HOST_IN_CONTAINERS = "host.docker.internal"


def require_docker() -> str | None:
    """Return the address of Docker's bridge on this machine, or None where Docker has a machine of its own.

    Raises:
        CommandError: Docker is missing or not running.

    """
    docker = shutil.which("docker")
    if docker is None:
        raise CommandError("`sam local` needs Docker, which is not installed; `make run` does without it")
    inspection = subprocess.run(  # noqa: S603 — fixed arguments
        [docker, "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if inspection.returncode != 0:
        raise CommandError("`sam local` needs Docker, which is not running; `make run` does without it")
    for network in json.loads(inspection.stdout) or []:
        subnet = ipaddress.ip_network(network["Subnet"])
        if subnet.version == 4:
            # An engine without a configured address takes the first one.
            return str(network.get("Gateway") or next(subnet.hosts()))
    return None


@contextlib.contextmanager
def sam_local(places: Places, endpoint_url: str, bridge: str | None) -> Iterator[list[str]]:
    """Build what is in the working tree and yield the arguments that `sam local …` needs on the stack's tables."""
    build(places, endpoint_url)
    env_vars = places.sam_dir / "env.json"
    _write_env_vars(EmulatedAws(endpoint_url), env_vars)
    with _reachable_from_containers(endpoint_url, bridge) as (address, add_host):
        yield [
            *("--template-file", str(places.built_template), "--env-vars", str(env_vars)),
            *("--layer-cache-basedir", str(places.sam_dir / "layers")),
            *("--add-host", f"{_HOST_IN_CONTAINERS}:{add_host}"),
            "--parameter-overrides",
            *(
                f"Architecture={host_architecture()}",
                f"DynamoDBEndpoint={address}",
                "SamLocal=true",
                "CodeVersion=local",
            ),
        ]


def start_api(places: Places, endpoint_url: str, bridge: str | None, port: int, extra: str) -> int:
    """Serve the API on `port` until Ctrl-C; return the status of `sam`."""
    with sam_local(places, endpoint_url, bridge) as settings:
        arguments = ["start-api", "--host", HOST, "--port", str(port), "--warm-containers", "LAZY"]
        return _run_until_interrupted(places, endpoint_url, [*arguments, *settings, *shlex.split(extra)])


def invoke(places: Places, endpoint_url: str, bridge: str | None, function: str, event: Path, extra: str) -> int:
    """Invoke one function, by its name in the template, with the event in a file; return the status of `sam`."""
    with sam_local(places, endpoint_url, bridge) as settings:
        arguments = ["invoke", function, "--event", str(event)]
        return _run_until_interrupted(places, endpoint_url, [*arguments, *settings, *shlex.split(extra)])


def _write_env_vars(aws: EmulatedAws, path: Path) -> None:
    """Write every function's variables as the stack has them.

    `sam local` resolves a reference to a table to its name in the template; the deployed functions know the real one.
    """
    pages = aws.cloudformation().get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    functions = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    client = aws.functions()
    variables = {
        logical_id: client.get_function_configuration(FunctionName=name).get("Environment", {}).get("Variables", {})
        for logical_id, name in functions.items()
    }
    for values in variables.values():
        values.pop("DYNAMODB_ENDPOINT", None)  # it comes with the parameter of that name
    path.write_text(json.dumps(variables, indent=2), encoding="utf-8")


@contextlib.contextmanager
def _reachable_from_containers(endpoint_url: str, bridge: str | None) -> Iterator[tuple[str, str]]:
    """Yield the emulator's address for containers, and what its host name means there.

    The emulator listens on 127.0.0.1 only. Docker Desktop takes containers there; an engine on this machine does not,
    so it is forwarded from the bridge's address, which only containers and this machine reach.
    """
    port = int(endpoint_url.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        try:
            listening = stack.enter_context(forward(bridge, HOST, port)) if bridge is not None else None
        except OSError:
            listening = None
        if bridge is None or listening is None:
            yield f"http://{_HOST_IN_CONTAINERS}:{port}", "host-gateway"
        else:
            yield f"http://{_HOST_IN_CONTAINERS}:{listening}", bridge


def _run_until_interrupted(places: Places, endpoint_url: str, arguments: Sequence[str]) -> int:
    """Run `sam local`; Ctrl-C reaches it once and from here only, as a second one would keep it from cleaning up."""
    prepare_sam_settings(places)
    process = subprocess.Popen(  # noqa: S603 — our own interpreter
        [str(SAM_PYTHON), "-m", "samcli", "local", *arguments],
        cwd=PROJECT_ROOT,
        env=tool_environment(places, endpoint_url),
        start_new_session=True,
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        return 0
