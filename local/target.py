"""The service that an operator's command is for: the local stack, or one that is deployed to AWS."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.aws import EmulatedAws
from local.demo import read_demo
from local.emulator import find_running
from local.errors import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_lambda import LambdaClient

    from local.places import Places

ATTEMPTS_MAX = 6
"""Times that a function is invoked which says that it will do better later."""

_FIRST_PAUSE_S = 0.5
# An invocation from here ends within 60 seconds: an audit is asked for in short parts.
# What is invoked through here only reads, so the SDK may try again.
_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3})


class FunctionError(Exception):
    """A function raised; ``kind`` is its ``errorType``, ``message`` its ``errorMessage``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Target:
    """A service: what its stack puts out, and a way to invoke its functions."""

    functions: LambdaClient
    outputs: Mapping[str, str]

    def invoke(self, output: str, payload: Mapping[str, object]) -> Any:
        """Invoke the function that ``output`` names and return its answer.

        Raises:
            LocalStackError: the stack is too old to have that function.
            FunctionError: the function raised.
        """
        if output not in self.outputs:
            raise LocalStackError(f"the stack has no output {output}: deploy the present template first")
        reply = self.functions.invoke(FunctionName=self.outputs[output], Payload=json.dumps(payload).encode())
        answer = json.loads(reply["Payload"].read())
        if reply.get("FunctionError"):
            raise FunctionError(answer.get("errorType", ""), answer.get("errorMessage", ""))
        return answer


def invoke_patiently(
    target: Target, output: str, payload: Mapping[str, object], *, pause: Callable[[float], object] | None = None
) -> Any:
    """Invoke a function that only reads, and again after a pause where it says that it will do better later.

    Raises:
        LocalStackError: it refused or failed, or could not finish each time.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            return target.invoke(output, payload)
        except FunctionError as error:
            if error.kind != "TryAgain":
                raise LocalStackError(explained(error)) from None
        if attempt < ATTEMPTS_MAX - 1:
            (pause or time.sleep)(_FIRST_PAUSE_S * 2**attempt)
    raise LocalStackError(f"the service could not finish in time, {ATTEMPTS_MAX} times in a row: try later")


def explained(error: FunctionError) -> str:
    """Say on one line what the service said: its own errors are JSON, those of Lambda are text."""
    try:
        detail = json.loads(error.message)
    except ValueError:
        return f"the service failed: {error.kind} {' '.join(error.message.split())}"
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in detail)
    facts = [f"{name}: {fact}" for name, fact in detail.items() if name not in {"code", "message"}]
    return f"{detail['message']}{' (' + ', '.join(facts) + ')' if facts else ''}"


def find_target(places: Places, stack_name: str | None) -> Target:
    """Find the stack of that name in AWS, with the operator's own credentials; without a name, the local one.

    Raises:
        LocalStackError: there is no such stack, or no local one is running.
    """
    return _local(places) if stack_name is None else _deployed(stack_name)


def _local(places: Places) -> Target:
    if find_running(places) is None or not places.demo_json.exists():
        raise LocalStackError("no local stack is running: `make run` starts one, STACK=… names one in AWS")
    demo = read_demo(places)
    return Target(EmulatedAws(demo["endpoint_url"]).functions(), demo["outputs"])


def _deployed(stack_name: str) -> Target:
    session = boto3.Session()
    (stack,) = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Target(session.client("lambda", config=_CONFIG), outputs)
