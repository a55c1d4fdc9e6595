"""The runbook's commands, as somebody pastes them who was just woken: those of the local stack, and those of AWS.

The latter run on the local stack's emulator too, in a shell, with a program `aws` that makes the SDK's calls there.
What they change is put back: other tests use the same stack.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from ops.aws import REGION, EmulatedAws
from ops.local_stack import STACK_NAME
from tests.support.fakes.aws_command import AwsCommand, Desk, NotHere, Signature
from tests.support.runbook import TO_FILL_IN, beginning, blocks, calls_of_aws, commands
from tests.support.sam_template import PROJECT_ROOT, load_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service

NO_CODEDEPLOY: Final = "the emulator has no CodeDeploy"
NO_ADDRESS: Final = "the emulator takes no template by its address in S3, and it is the stack that all tests use"
ONE_STACK: Final = "it would change, or take away, the stack that all tests use"
NOT_HERE: Final = {
    ("service-quotas", "request-service-quota-increase"): NotHere("the emulator has no quotas that can be raised"),
    ("apigateway", "flush-stage-authorizers-cache"): NotHere("the emulator can't empty that cache"),
    ("deploy", "list-deployment-groups"): NotHere(NO_CODEDEPLOY, {"deploymentGroups": ["a-group"]}),
    ("deploy", "list-deployments"): NotHere(NO_CODEDEPLOY, {"deployments": ["d-EXAMPLE11"]}),
    ("deploy", "stop-deployment"): NotHere(NO_CODEDEPLOY, {"status": "Pending"}),
    ("cloudformation", "continue-update-rollback"): NotHere(ONE_STACK, is_refused=False),
    ("cloudformation", "delete-stack"): NotHere(ONE_STACK, is_refused=False),
    ("cloudformation", "wait stack-delete-complete"): NotHere("nothing was deleted", is_refused=False),
    ("cloudformation", "wait stack-rollback-complete"): NotHere("there is no roll-back to wait for", is_refused=False),
    ("cloudformation", "update-stack"): NotHere(NO_ADDRESS, {"StackId": "a-stack"}, is_refused=False),
    ("cloudformation", "wait stack-update-complete"): NotHere("there is no update to wait for", is_refused=False),
    ("cloudformation", "create-change-set"): NotHere(NO_ADDRESS, {"Id": "a-change-set"}, is_refused=False),
    ("cloudformation", "wait change-set-create-complete"): NotHere("there is no such change set", is_refused=False),
    ("cloudformation", "execute-change-set"): NotHere("there is no such change set", is_refused=False),
    ("cloudformation", "wait stack-import-complete"): NotHere("there is no import to wait for", is_refused=False),
}
"""Calls that are not made, with the reason; their words are read by the SDK's description of them all the same."""
RESOURCES_NOT_HERE: Final = {"ServerlessDeploymentApplication": "an-application"}
"""What only a stack has that deploys gradually."""
MAKE_NOT_HERE: Final = {
    "deploy": ONE_STACK,
    "api-keys": "the stack that all tests use has no usage plan",
}
"""Targets that only print what they would do."""
MAKE: Final = f"""#!/bin/bash
for word in "$@"; do
    case "$word" in {"|".join(MAKE_NOT_HERE)}) exec "{shutil.which("make")}" --dry-run -C "{PROJECT_ROOT}" "$@" ;; esac
done
exec "{shutil.which("make")}" -C "{PROJECT_ROOT}" "$@"
"""


def test_every_command_for_the_local_stack_works_unchanged(local_stack: LocalStack) -> None:
    pasted = list(dict.fromkeys(command.text for command in commands() if command.is_local))
    assert len(pasted) > 10

    done = subprocess.run(  # noqa: S603  our own runbook
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(pasted)],  # noqa: S607
        cwd=PROJECT_ROOT,
        # A shell in which somebody looked at production before still has its name in this variable.
        env=environment(local_stack) | {"STACK": "somebody-elses-production"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"verified":true' in done.stdout
    assert "\nEverything adds up" in done.stdout
    assert '"revoked_at"' in done.stdout
    assert "\n401\n" in done.stdout


# --- those for AWS


def environment(local_stack: LocalStack) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return kept | {"LOCAL_DIR": str(local_stack.places.local_dir), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def filled_in(line: str, values: dict[str, str]) -> str:
    """The line with what its reader knows in the place of zeros, and for this stack."""
    line = TO_FILL_IN.sub(lambda found: f"{found[1]}={values[found[1]]}", line)
    return re.sub(r"^export STACK=\S+ AWS_REGION=\S+$", f"export STACK={STACK_NAME} AWS_REGION={REGION}", line)


def client_of(aws: EmulatedAws, service: str) -> Any:
    made: Any = aws.session.client  # type: ignore[attr-defined, unused-ignore]
    return made(service, endpoint_url=aws.endpoint_url)


@pytest.fixture
def aws(local_stack: LocalStack, service: Service) -> Iterator[EmulatedAws]:
    """The emulator, with what the runbook takes for granted; afterwards it is as it was."""
    aws = EmulatedAws(f"http://127.0.0.1:{local_stack.port}")
    tables, functions, stacks, rules = aws.dynamodb(), aws.functions(), aws.cloudformation(), aws.events()
    ledger = tables.describe_table(TableName=service.outputs["LedgerTableName"])["Table"]["TableArn"]
    (kept,) = load_template()["Resources"]["LedgerTable"]["Properties"]["ResourcePolicy"]["Fn::If"][1:2]
    sam = {"Resources": {"SamCliSourceBucket": {"Type": "AWS::S3::Bucket"}}}

    with ExitStack() as undo:
        tables.put_resource_policy(ResourceArn=ledger, Policy=json.dumps(kept["PolicyDocument"]))
        undo.callback(tables.delete_resource_policy, ResourceArn=ledger)
        stacks.create_stack(StackName="aws-sam-cli-managed-default", TemplateBody=json.dumps(sam))
        stacks.get_waiter("stack_create_complete").wait(
            StackName="aws-sam-cli-managed-default", WaiterConfig={"Delay": 1}
        )
        undo.callback(remove_stack_of_sam, aws)
        undo.callback(remove_restored_tables, aws)
        for rule in rules.list_rules()["Rules"]:
            if rule["State"] == "DISABLED":
                undo.callback(rules.disable_rule, Name=rule["Name"])
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            undo.callback(functions.update_event_source_mapping, UUID=mapping["UUID"], Enabled=True)
        for function in functions.list_functions()["Functions"]:
            undo.callback(functions.delete_function_concurrency, FunctionName=function["FunctionName"])
        yield aws


def remove_stack_of_sam(aws: EmulatedAws) -> None:
    stacks, files = aws.cloudformation(), aws.s3()
    name = "aws-sam-cli-managed-default"
    found = stacks.describe_stack_resource(StackName=name, LogicalResourceId="SamCliSourceBucket")
    bucket = found["StackResourceDetail"]["PhysicalResourceId"]
    for each in files.list_objects_v2(Bucket=bucket).get("Contents", []):
        files.delete_object(Bucket=bucket, Key=each["Key"])
    stacks.delete_stack(StackName=name)


def remove_restored_tables(aws: EmulatedAws) -> None:
    tables = aws.dynamodb()
    for name in tables.list_tables()["TableNames"]:
        if name == "ledger-as-it-was" or name.endswith("-restored"):
            tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            tables.delete_table(TableName=name)


@pytest.fixture
def desk(aws: EmulatedAws, service: Service) -> Iterator[Desk]:
    program = Program(lambda name: client_of(aws, name), NOT_HERE)
    program.base_url = service.base_url
    with Desk(program) as desk:
        serving = threading.Thread(target=desk.serve_forever, daemon=True)
        serving.start()
        yield desk
        desk.shutdown()


class Program(AwsCommand):
    """Prints addresses that answer on this machine, as the local stack's own outputs do."""

    base_url = ""

    def run(self, words: list[str], folder: Path) -> tuple[int, str]:  # type: ignore[override]
        if words[:2] == ["cloudformation", "describe-stack-resource"]:
            name = words[words.index("--logical-resource-id") + 1]
            if name in RESOURCES_NOT_HERE:
                return 0, RESOURCES_NOT_HERE[name] + "\n"
        status, printed = super().run(words, folder)
        if status == 0 and printed.startswith("https://") and ".execute-api." in printed:
            printed = self.base_url + "\n"
        return status, printed


def test_every_command_for_aws_works_on_the_emulator_or_says_why_not(
    local_stack: LocalStack, service: Service, business: Business, aws: EmulatedAws, desk: Desk, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    desk.install(programs)
    for name, program in (("make", MAKE), ("sleep", "#!/bin/bash\n# Does not wait.\n")):
        (programs / name).write_text(program, encoding="utf-8")
        (programs / name).chmod(0o755)
    # What somebody writes by hand in the course of it.
    for name in ("without-tables.json", "with-tables.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    adjustment = business.adjust(7).json()
    leaked = service.issue_token([business.id])["token_id"]
    values = {
        "BUSINESS": business.id,
        "VARIANT": business.variant_id,
        "ADJUSTMENT": adjustment["id"],
        "TOKEN": business.token,
        "TOKEN_ID": leaked,
        "BEGAN": "2999-01-01T00:00:00",
        "BEFORE_IT_HAPPENED": adjustment["created_at"],
        "INSTANT": adjustment["created_at"],
        "TABLE": left_over_table(aws),
    }

    for lines in dict.fromkeys(block.lines for block in blocks() if not block.is_local):
        paste(lines, values, local_stack, tmp_path, aws)

    assert desk.command.failed == []
    expected = {Signature.of(call) for command in commands() for call in calls_of_aws(command.text)}
    assert expected <= desk.command.called
    named = {(each.service, each.name) for each in expected}
    assert named >= NOT_HERE.keys(), "a reason for what the runbook does not say"
    # What was put back, taken away and switched on again.
    assert service.dynamodb.get_resource_policy(
        ResourceArn=service.dynamodb.describe_table(TableName=service.outputs["LedgerTableName"])["Table"]["TableArn"]
    )["Policy"]
    assert "left-over" not in service.dynamodb.list_tables()["TableNames"]
    assert business.stock()[0] == 7
    assert business.adjust(1).status_code == 201
    mappings = service.functions.list_event_source_mappings()["EventSourceMappings"]
    assert {mapping["State"] for mapping in mappings} == {"Enabled"}


def left_over_table(aws: EmulatedAws) -> str:
    """An empty table that is protected, as a failed first deployment leaves it."""
    tables, name = aws.dynamodb(), "left-over"
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        DeletionProtectionEnabled=True,
    )
    return name


def paste(
    block: tuple[str, ...], values: dict[str, str], local_stack: LocalStack, folder: Path, aws: EmulatedAws
) -> None:
    """Paste a block, after what is to begin with, into a shell that takes nothing that is not set."""
    first = beginning().lines
    lines = [filled_in(line, values) for line in (block if block == first else first + block)]
    on_the_emulator = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
    }
    done = subprocess.run(  # noqa: S603  our own runbook
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(lines)],  # noqa: S607
        cwd=folder,
        env=environment(local_stack) | on_the_emulator,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, (block, done.stdout, done.stderr)
    assert "command not found" not in done.stderr, (block, done.stderr)
