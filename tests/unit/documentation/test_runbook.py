"""The runbook has a section for each alarm, and its commands name only what exists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from inventory.entrypoints.responses import ERROR_ANSWERS
from tests.support.expanded import expanded
from tests.support.fakes.aws_command import OF_EVERY_CALL, SERVICES, Misread, as_text, parameters
from tests.support.harness.signals import counted_in_logs
from tests.support.pages import anchors, prose
from tests.support.runbook import TO_FILL_IN, Block, beginning, blocks, calls_of_aws, commands, pasted, sections, text
from tests.support.sam_template import PROJECT_ROOT, load_template, resources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.model import OperationModel

ALARMS = resources("AWS::CloudWatch::Alarm")
SESSION = botocore.session.Session()
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
FIRST_HOUR = pasted("docs/first-hour.md")
"""The page's commands take their names from the runbook, so they are looked at as its own are."""
COMMANDS = [*(command.text for command in commands()), *FIRST_HOUR]
CALLS = [call for command in COMMANDS for call in calls_of_aws(command)]
OF_THE_DEMO = {"BASE_URL", "TOKEN", "BUSINESS", "VARIANT", "LOCATION"}
"""What `make -s env` sets."""


# --- sections


def test_every_alarm_has_its_section_and_every_section_of_an_alarm_its_alarm() -> None:
    assert {title for title in sections() if title.endswith("Alarm")} == set(ALARMS)


@pytest.mark.parametrize("alarm", ALARMS)
def test_a_section_says_how_urgent_it_is_what_it_means_where_to_look_and_what_to_do(alarm: str) -> None:
    section = sections()[alarm]
    assert re.findall(r"^\*\*(\w+)\*\*", section, re.MULTILINE) == ["Urgency", "Means", "Look", "Do"]
    assert re.search(r"^\*\*Urgency\*\*: (now|today|this week); \S", section, re.MULTILINE)
    assert "```console" in section, "nothing to paste"


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_address_that_an_alarm_gives_is_its_sections(alarm: str) -> None:
    address = ALARMS[alarm]["Properties"]["AlarmDescription"].rpartition(" ")[2]
    assert address.removeprefix("docs/runbook.md#") in anchors("docs/runbook.md")


def test_what_has_to_be_done_besides_the_alarms_is_there() -> None:
    assert sections().keys() >= {
        "A token leaked",
        "Rotating a token",
        "Replaying the dead-letter queue",
        "Restoring what was altered",
        "Restoring whole tables",
        "Adding a Region",
        "Going back to the version before",
        "The first deployment failed",
    }


# --- commands


def test_every_command_says_by_itself_whether_it_is_for_the_local_stack() -> None:
    """What was exported for production does not count, and nothing for production waits for something exported."""
    for command in commands():
        for called in re.findall(r"\bmake (?:-s )?(?!-)([a-z].*)", command.text):
            names_one = re.search(r'\bSTACK="\$STACK"|\bSTAGE=prod\b|\bURL="\$\(output ApiUrl\)"', called)
            assert (names_one is None) == command.is_local, command


def set_by(block: Block) -> Iterator[tuple[str, set[str], set[str]]]:
    """Each line, the variables that it sets, and those that it takes without a default."""
    for line in block.lines:
        assigned = re.match(r"(?:export )?((?:\w+=[\w:.-]* )*\w+=)", line)
        names = set(re.findall(r"(\w+)=", assigned[1])) if assigned else set()
        names |= set(re.findall(r"\bfor (\w+) in ", line))
        if "make -s env" in line:
            names |= OF_THE_DEMO
        yield line, names, set(re.findall(r"(?<!\\)\$\{?([A-Za-z_]\w*)\b(?!:-)", line))


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.section)
def test_every_variable_is_set_by_a_line_before_or_to_begin_with(block: Block) -> None:
    known = set() if block.is_local else {name for _, names, _ in set_by(beginning()) for name in names}
    for line, names, taken in set_by(block):
        loops = set(re.findall(r"\bfor (\w+) in ", line))
        assert taken <= known | loops, line
        known |= names


def test_what_is_to_fill_in_names_nothing_that_there_is() -> None:
    filled = [found[0] for command in commands() for found in TO_FILL_IN.finditer(command.text)]
    assert len(filled) > 5
    for command in commands():
        assert not re.search(r"…|<\w+>|\.\.\.", command.text), "that would be pasted unchanged"


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
        waiters = SESSION.get_waiter_model(SERVICES.get(service, service))
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
    template = expanded(DeploymentPreference="Canary10Percent5Minutes")
    everything = "\n".join(COMMANDS)
    named = set(re.findall(r"resource ([A-Z]\w+)", everything)) | set(re.findall(r"\b([A-Z]\w+Function)\b", everything))
    tables = set(" ".join(re.findall(r"for table in ([A-Za-z ]+);", everything)).split())
    assert named
    assert tables
    assert named | {f"{table}Table" for table in tables} <= set(template["Resources"])
    assert set(re.findall(r"\(output (\w+)", everything)) <= set(template["Outputs"])
    assert set(re.findall(r"\(parameter (\w+)", everything)) <= set(template["Parameters"])
    groups = {
        each["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "$STACK")
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Logs::LogGroup"
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


def test_all_functions_go_back_and_as_many_as_it_says() -> None:
    assert len(resources("AWS::Serverless::Function")) == 9
    assert "A deployment moves nine functions" in prose(sections()["Going back to the version before"])


def test_metrics_and_errors_that_are_named_exist() -> None:
    codes = {answer.code for answer in ERROR_ANSWERS.values()}
    assert {"internal_error", "try_again"} <= codes & set(re.findall(r"`([a-z_]+)`", text()))
    assert counted_in_logs()


# --- what reads the commands


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (
            ["--function-name", "f", "--name", "live", "--routing-config", "AdditionalVersionWeights={}"],
            {"FunctionName": "f", "Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {}}},
        ),
        (
            ["--function-name", "f", "--name", "live", "--description", "file://words"],
            {"FunctionName": "f", "Name": "live", "Description": "from a file"},
        ),
    ],
)
def test_words_are_read_as_the_command_line_reads_them(words: list[str], read: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "words").write_text("from a file", encoding="utf-8")
    operation = SESSION.get_service_model("lambda").operation_model("UpdateAlias")

    assert parameters(operation, [*words, "--query", "[AliasArn]"], tmp_path) == (read, {"query": "[AliasArn]"})


@pytest.mark.parametrize(
    "words",
    [
        ["--uuid", "x", "--unknown", "x"],
        ["--enabled"],
        ["--uuid", "x", "--enabled", "yes"],
        ["--uuid", "x", "--batch-size", "many"],
        ["--uuid", "x", "y"],
        ["x", "--uuid", "x"],
    ],
    ids=" ".join,
)
def test_words_that_the_command_line_would_not_read_are_found(words: list[str], tmp_path: Path) -> None:
    operation = SESSION.get_service_model("lambda").operation_model("UpdateEventSourceMapping")

    with pytest.raises((Misread, ValueError)):
        parameters(operation, words, tmp_path)


@pytest.mark.parametrize(
    ("found", "printed"),
    [
        (["a", "b"], "a\tb\n"),
        ([["a", 1], ["b", None]], "a\t1\nb\tNone\n"),
        ([], ""),
        ("a", "a\n"),
        (None, "None\n"),
    ],
)
def test_what_is_found_is_printed_as_the_command_line_prints_it(found: object, printed: str) -> None:
    assert as_text(found) == printed


def test_a_command_within_a_command_is_found_whole() -> None:
    inner = 'aws sqs get-queue-attributes --queue-url "$(resource Queue)" --attribute-names All'
    command = f"f() {{ aws lambda list-event-source-mappings --event-source-arn \"$({inner})\" --query 'a[].b'; }}"

    assert calls_of_aws(command) == [
        ["lambda", "list-event-source-mappings", "--event-source-arn", f'"$({inner})"', "--query", "'a[].b'"],
        ["sqs", "get-queue-attributes", "--queue-url", '"$(resource Queue)"', "--attribute-names", "All"],
    ]
