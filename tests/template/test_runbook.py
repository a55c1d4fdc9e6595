"""The runbook has a section for each alarm, and no command in it names what there is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from inventory.answers import ANSWERS
from tests.support.runbook import calls_of_aws, commands, sections, text
from tests.support.sam_template import PROJECT_ROOT, load_template, resources
from tests.support.signals import counted_in_logs

if TYPE_CHECKING:
    from botocore.model import OperationModel

ALARMS = resources("AWS::CloudWatch::Alarm")
SESSION = botocore.session.Session()
SERVICES = {"deploy": "codedeploy"}
"""What the AWS command line calls otherwise than its own library."""
OF_EVERY_CALL = {"query", "output"}
README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
CALLS = [call for command in commands() for call in calls_of_aws(command.text)]


def anchors(document: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", document, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


# --- sections


def test_every_alarm_has_its_section_and_every_section_of_an_alarm_its_alarm() -> None:
    assert {title for title in sections() if title.endswith("Alarm")} == set(ALARMS)


@pytest.mark.parametrize("alarm", ALARMS)
def test_a_section_says_what_it_means_where_to_look_and_what_to_do(alarm: str) -> None:
    section = sections()[alarm]
    assert re.findall(r"^\*\*(\w+)\*\*", section, re.MULTILINE) == ["Means", "Look", "Do"]
    assert "```console" in section, "nothing to paste"


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_address_that_an_alarm_gives_is_its_sections(alarm: str) -> None:
    address = ALARMS[alarm]["Properties"]["AlarmDescription"].rpartition(" ")[2]
    assert address.removeprefix("docs/runbook.md#") in anchors(text())


def test_every_link_leads_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]*)\)", text()):
        file, _, anchor = link.partition("#")
        assert file in {"", "../README.md"}
        assert anchor in anchors(README if file else text()), link
    assert set(re.findall(r"docs/runbook\.md#([\w-]+)", README)) <= anchors(text())


def test_what_has_to_be_done_besides_the_alarms_is_there() -> None:
    assert sections().keys() >= {
        "A token leaked",
        "Rotating a token",
        "Replaying the dead-letter queue",
        "Restoring what was altered",
        "Restoring whole tables",
        "Adding a Region",
        "Going back to the version before",
    }


# --- commands


def test_every_command_is_for_the_local_stack_or_names_a_stack_in_aws() -> None:
    for command in commands():
        if not command.is_local:
            assert "make " not in command.text or re.search(r"STACK=|STAGE=", command.text), command


def test_every_make_target_exists_and_takes_the_variables_that_it_is_given() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-s )?([a-z][a-z-]+)\b", text())) - {"the"} <= targets
    for command in commands():
        for variable in re.findall(r"\bmake [^|;)]*?\b([A-Z]+)=", command.text):
            assert variable in MAKEFILE


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call[:2]))
def test_a_call_of_aws_is_one_that_aws_knows(call: list[str]) -> None:
    service, name, *rest = call
    given = {word.removeprefix("--") for word in rest if word.startswith("--")} - OF_EVERY_CALL
    model = SESSION.get_service_model(SERVICES.get(service, service))
    if name == "wait":
        waiters = SESSION.get_waiter_model(service)
        by_name = {xform_name(each, "-"): waiters.get_waiter(each).operation for each in waiters.waiter_names}
        operation = model.operation_model(by_name[rest[0]])
    else:
        names = {xform_name(each, "-"): each for each in model.operation_names}
        operation = model.operation_model(names[name])
    known, required = options(operation)
    assert given <= known
    assert required <= given


def options(operation: OperationModel) -> tuple[set[str], set[str]]:
    """The options that a call takes, and those that it needs."""
    shape: Any = operation.input_shape
    members = {} if shape is None else shape.members
    named = {member: xform_name(member, "-") for member in members}
    flags = {f"no-{option}" for member, option in named.items() if members[member].type_name == "boolean"}
    needed = [] if shape is None else shape.required_members
    return set(named.values()) | flags, {named[member] for member in needed}


def test_a_call_that_aws_does_not_know_would_be_found() -> None:
    model = SESSION.get_service_model("dynamodb").operation_model("DeleteResourcePolicy")
    known, required = options(model)
    assert "resource-arn" in required
    assert "table-name" not in known


def test_what_commands_look_for_is_in_the_template() -> None:
    template = load_template()["Resources"]
    everything = "\n".join(command.text for command in commands())
    named = set(re.findall(r"resource ([A-Z]\w+)", everything)) | set(re.findall(r"\b([A-Z]\w+Function)\b", everything))
    assert named
    assert named <= set(template)
    groups = {
        each["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "$STACK")
        for each in resources("AWS::Logs::LogGroup").values()
    }
    used = set(re.findall(r"(?<=log-group-name \")[^\"]+", everything)) - {"/aws/lambda/$STACK-$1"}
    assert used <= groups
    loops = re.findall(r"for function in ([a-z -]+);", everything)
    functions = set(re.findall(r"faults ([a-z-]+)", everything)) | set(" ".join(loops).split())
    assert functions
    assert {f"/aws/lambda/$STACK-{each}" for each in functions} <= groups


def test_what_commands_look_for_in_the_access_log_is_a_member_of_its_lines() -> None:
    line = load_template()["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Format"]
    patterns = [command.text for command in commands() if command.text.startswith("gateway ")]
    members = set(re.findall(r"\$\.(\w+)", " ".join(patterns)))
    assert members
    assert all(f'"{member}":' in line for member in members)


def test_metrics_and_errors_that_are_named_exist() -> None:
    codes = {answer.code for answer in ANSWERS.values()}
    assert {"internal_error", "try_again"} <= codes & set(re.findall(r"`([a-z_]+)`", text()))
    assert counted_in_logs()
