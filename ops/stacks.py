"""The stack that a command is for: the local one, or one that is deployed to AWS."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.aws import Aws, EmulatedAws
from ops.errors import CommandError, FunctionError
from ops.local_stack import STACK_NAME, LocalFiles, find_running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_lambda import LambdaClient

ATTEMPTS_MAX = 6
"""How often a function is invoked that answers that it should be invoked again later."""

_FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """The functions of a stack; its outputs hold their names."""

    functions: LambdaClient
    outputs: Mapping[str, str]

    def invoke(self, output: str, payload: object) -> Any:
        """Invoke the function that ``output`` names and return its answer.

        Raises:
            CommandError: the stack is too old to have that function.
            FunctionError: the function raised.
        """
        if output not in self.outputs:
            raise CommandError(f"the stack has no output {output}: deploy the present template first")
        reply = self.functions.invoke(FunctionName=self.outputs[output], Payload=json.dumps(payload).encode())
        answer = json.loads(reply["Payload"].read())
        if reply.get("FunctionError"):
            raise FunctionError(answer.get("errorType", ""), answer.get("errorMessage", ""))
        return answer


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack by its name, and clients for the account that it is in."""

    name: str
    aws: Aws

    def target(self) -> Target:
        """Return the functions of the stack."""
        (stack,) = self.aws.cloudformation().describe_stacks(StackName=self.name)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return Target(self.aws.functions(), outputs)

    def queue_url(self, logical_id: str) -> str:
        """Return the address of a queue of the template."""
        # By its name: the address that the local stack knows has the port of the run that created the queue.
        name = self.physical_id(logical_id).rpartition("/")[2]
        return self.aws.queues().get_queue_url(QueueName=name)["QueueUrl"]

    def physical_id(self, logical_id: str) -> str:
        """Return the name that a resource of the template has in AWS."""
        found = self.aws.cloudformation().describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]


def find_stack(name: str | None) -> Stack:
    """Return the stack of that name in AWS, or the local one where there is no name.

    Raises:
        CommandError: no local stack is running, or it is not ready yet.
    """
    if name is not None:
        return Stack(name, Aws())
    files = LocalFiles.from_environment()
    running = find_running(files)
    if running is None or not files.demo_json.exists():
        raise CommandError(f"no local stack is running: `{files.make('run')}` starts one, STACK=… names one in AWS")
    return Stack(STACK_NAME, EmulatedAws(running.endpoint_url))


def find_api(name: str | None) -> str:
    """Return the address of the API of the stack of that name, or of the local one.

    Raises:
        CommandError: no local stack is running.
    """
    stack = find_stack(name)
    if name is not None:
        return stack.target().outputs["ApiUrl"]
    # Its output has the form of AWS's addresses, which do not answer here.
    base_url: str = json.loads(LocalFiles.from_environment().demo_json.read_text(encoding="utf-8"))["base_url"]
    return base_url


def find_target(name: str | None) -> Target:
    """Return the functions of the stack of that name, or of the local one.

    Raises:
        CommandError: no local stack is running.
        ClientError: there is no such stack in AWS.
    """
    return find_stack(name).target()


def invoke_until_done(
    target: Target, output: str, payload: Mapping[str, object], *, pause: Callable[[float], object] | None = None
) -> Any:
    """Invoke a function with what may be repeated; after a pause again where it raises ``TryAgain``.

    Raises:
        CommandError: it refused or failed, or raised ``TryAgain`` each time.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            return target.invoke(output, payload)
        except FunctionError as error:
            if error.kind != "TryAgain":
                raise CommandError(explained(error)) from None
        if attempt < ATTEMPTS_MAX - 1:
            (pause or time.sleep)(_FIRST_PAUSE_S * 2**attempt)
    raise CommandError(f"the service could not finish in time, {ATTEMPTS_MAX} times in a row: try later")


def explained(error: FunctionError) -> str:
    """Return what a function raised, on one line: errors of the service are JSON, those of Lambda are text."""
    try:
        detail = error.detail
    except ValueError:
        return f"the service failed: {error.kind} {' '.join(error.message.split())}"
    return in_words(detail)


def in_words(detail: Any) -> str:
    """Return what the service says about one of its own errors, on one line."""
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(str(part) for part in each['loc'][1:])}: {each['msg']}" for each in detail)
    facts = [f"{name}: {fact}" for name, fact in detail.items() if name not in {"code", "message"}]
    return f"{detail['message']}{' (' + ', '.join(facts) + ')' if facts else ''}"
