"""Building the real template with `sam build` and deploying it with `sam deploy`, to the emulator."""

import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.emulator import calls_in_flight
from local.places import SAM_PYTHON, Places
from local.progress import step
from local.sam import prepare_sam_settings, tool_environment
from local.template import (
    gateway_responses,
    with_defaults,
    with_names_filled_in,
    with_plain_media_types,
)
from ops.aws import REGION, EmulatedAws
from ops.errors import CommandError
from ops.local_stack import STACK_NAME
from ops.project import PROJECT_ROOT, TEMPLATE
from tools.code_version import code_version
from tools.template import read_template, write_template

_BUCKET = "local-artifacts"
_API_URL = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.[^/]+/(?P<stage>[^/]+)/?")
_QUEUE_URL = re.compile(r"https?://[^/]+/(?P<account>\d{12})/(?P<name>[^/]+)")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack: its API's address and its outputs, with addresses that answer on this machine."""

    endpoint_url: str
    base_url: str
    outputs: Mapping[str, str]


def host_architecture() -> str:
    """Return this machine's processor architecture by Lambda's name for it."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def local_parameters(version: str, allowed_origin: str = "") -> dict[str, str]:
    """Return what this machine gives to the template's parameters; those that the template lacks do not matter."""
    return {
        "AllowedOrigin": allowed_origin,
        "Architecture": host_architecture(),
        "CodeVersion": version,
        "KeepData": "false",
        "LogRetentionDays": "1",
        "Monitoring": "false",
        # Nobody pays for these here, and a test asks for many at once.
        "OpenBurst": "1000",
        "OpenRequestsPerSecond": "500",
        # The emulator delivers at most 10 messages a batch and starts an interpreter for each batch at a time. On two
        # cores a burst with ten at a time, which conflicted on the same items, took four times as long as with four.
        "QueueConcurrency": str(min(calls_in_flight(), 10)),
        "ReadBurst": "1000",
        "ReadRequestsPerSecond": "500",
        "ScanBurst": "1000",
        "ScanRequestsPerSecond": "500",
        "Stage": "local",
    }


def deploy(places: Places, endpoint_url: str, allowed_origin: str = "") -> Deployment:
    """Build and deploy what is in the working tree, unless exactly that is deployed already.

    `allowed_origin` is the one origin whose pages may call the API, "" for none.

    Raises:
        CommandError: a tool failed; the error holds what it printed.

    """
    aws = EmulatedAws(endpoint_url)
    # Another origin is another deployment of the same code.
    version = code_version() + (f"-{allowed_origin}" if allowed_origin else "")
    if deployed_code_version(aws) != version:
        with step("Building functions and layers"):
            build(places, endpoint_url)
        template = read_template(places.built_template)
        values = {
            name: value
            for name, value in local_parameters(version, allowed_origin).items()
            if name in template["Parameters"]
        }
        template = with_plain_media_types(with_names_filled_in(with_defaults(template, values), values))
        write_template(template, places.deployed_template)
        with step("Deploying the template"):
            _create_bucket(aws)
            _deploy_template(places, endpoint_url, values)
            deployment = describe(aws)
            _apply_gateway_responses(aws, deployment, gateway_responses(template, values))
        return deployment
    return describe(aws)


def build(places: Places, endpoint_url: str) -> None:
    """Run `sam build`, which reuses what did not change."""
    _sam(
        places,
        endpoint_url,
        [
            "build",
            *("--template-file", str(TEMPLATE), "--base-dir", str(PROJECT_ROOT)),
            *("--build-dir", str(places.build_dir), "--cached", "--cache-dir", str(places.sam_dir / "cache")),
            "--parallel",
            *("--parameter-overrides", f"Architecture={host_architecture()}"),
        ],
    )


def deployed_code_version(aws: EmulatedAws) -> str | None:
    """Return the code version of the stack as the emulator has it, or None where there is no complete stack.

    It is asked rather than remembered: after a crash the emulator has what it saved last, or nothing.
    """
    try:
        stack = aws.cloudformation().describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    except ClientError:
        return None
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return None
    values = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])}
    return values.get("CodeVersion")


def describe(aws: EmulatedAws) -> Deployment:
    """Return the deployed stack; addresses of the real service's kind are replaced by ones that answer here."""
    stack = aws.cloudformation().describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    api = _API_URL.fullmatch(outputs["ApiUrl"])
    if api is None:
        raise CommandError(f"the stack's output ApiUrl is no address of a REST API: {outputs['ApiUrl']}")
    base_url = f"{aws.endpoint_url}/_aws/execute-api/{api['api']}/{api['stage']}"
    outputs["ApiUrl"] = base_url
    for name, value in outputs.items():
        # The address was made with the port of the run that created the queue.
        if queue := _QUEUE_URL.fullmatch(value):
            outputs[name] = f"{aws.endpoint_url}/{queue['account']}/{queue['name']}"
    return Deployment(endpoint_url=aws.endpoint_url, base_url=base_url, outputs=outputs)


def _create_bucket(aws: EmulatedAws) -> None:
    s3 = aws.s3()
    if _BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=_BUCKET)


def _deploy_template(places: Places, endpoint_url: str, parameters: Mapping[str, str]) -> None:
    _sam(
        places,
        endpoint_url,
        [
            "deploy",
            *("--template-file", str(places.deployed_template), "--stack-name", STACK_NAME),
            *("--s3-bucket", _BUCKET, "--region", REGION),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
            "--parameter-overrides",
            *(f"{name}={value}" if value else f'{name}=""' for name, value in parameters.items()),
        ],
    )


def _apply_gateway_responses(
    aws: EmulatedAws, deployment: Deployment, responses: Mapping[str, Mapping[str, Any]]
) -> None:
    api_id, stage = deployment.base_url.rsplit("/", 2)[1:]
    client = aws.apigateway()
    for response_type, response in responses.items():
        client.put_gateway_response(restApiId=api_id, responseType=response_type, **response)  # type: ignore[arg-type]
    client.create_deployment(restApiId=api_id, stageName=stage)


def _sam(places: Places, endpoint_url: str, arguments: Sequence[str]) -> None:
    """Run the SAM command line; what it prints goes to a file, and to the screen if it fails."""
    prepare_sam_settings(places)
    places.temporary_dir.mkdir(parents=True, exist_ok=True)
    with places.sam_log.open("a+b") as log:
        start = log.tell()
        status = subprocess.run(  # noqa: S603 — our own interpreter and arguments
            [str(SAM_PYTHON), "-m", "samcli", *arguments],
            cwd=PROJECT_ROOT,
            env=tool_environment(places, endpoint_url) | {"HOST_PLATFORM": "" if sys.platform == "linux" else "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
        if status != 0:
            log.seek(start)
            printed = log.read().decode(errors="replace").strip()
            raise CommandError(f"`sam {arguments[0]}` failed with status {status}:\n{printed}")
