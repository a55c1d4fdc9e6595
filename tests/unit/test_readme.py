"""The README is complete: each error, parameter, output, field and make target of the code is in its tables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from inventory.adjusting.groups import GROUP_TIME_MAX_S
from inventory.api.requests import READ_SCOPE
from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, SOURCE
from inventory.domain.errors import InsufficientStock
from inventory.domain.model import StockItemId
from inventory.domain.store import GROUP_MAX
from inventory.entrypoints.ledger_stream import ADJUSTED
from inventory.entrypoints.queue import ORIGINAL_ID, QUEUE_ACTOR, REJECTED, TELLING_TIME_S, MessageRequest, rejection
from inventory.entrypoints.responses import ERROR_ANSWERS, proof_members
from inventory.entrypoints.telemetry import AUDIT_DIFFERENCES, AUDIT_UNFINISHED, AUDITED_ROWS, AUDITED_STOCK_ITEMS
from inventory.integrity.chain_check import ProblemKind
from inventory.integrity.item_checks import AuditKind
from inventory.integrity.proof import Prover
from inventory.queries.adjustments import ROWS_EXAMINED_MAX
from inventory.queries.export import SETTLED_AFTER_S, TEXT_SIZE_MAX_BYTES
from inventory.queries.export_formats import COLUMNS
from inventory.schemas.adjustments import AdjustmentRequest, DirectAdjustmentRequest
from inventory.schemas.provisioning import COMMAND_MODELS
from inventory.schemas.reading import PAGE_ROWS_MAX, AdjustmentsQuery, ExportRequest, LevelsQuery
from ops.redrive import DEAD_LETTER_QUEUES
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.builders.tampered_tables import ReadBooks, books
from tests.support.sam_template import PROJECT_ROOT, load_template
from tools.template import read_template

if TYPE_CHECKING:
    from pydantic import BaseModel

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Cells of every table row in a section, the back-quotes taken off."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def gateway_codes() -> set[str]:
    answers = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"].values()
    return {json.loads(body)["detail"]["code"] for each in answers for body in each["ResponseTemplates"].values()}


def test_every_error_of_the_code_stands_in_the_table_with_its_status_and_nothing_else_does() -> None:
    documented = {(int(status), code) for status, code, *_ in rows(section("Errors")) if status.isdigit()}
    of_the_code = {(answer.status, answer.code) for answer in ERROR_ANSWERS.values()}
    of_the_gateway = {(404, "not_found"), (429, "too_many_requests")}
    assert documented == of_the_code | of_the_gateway


def test_every_code_of_the_gateways_own_answers_is_documented() -> None:
    assert gateway_codes() - {code for _, code, *_ in rows(section("Errors"))} == {"bad_request"}
    assert "`bad_request`" in section("Errors")


def test_every_template_parameter_stands_in_the_table_with_its_default() -> None:
    documented = {row[0]: row[1] for row in rows(section("Deploying")) if row[0] in load_template()["Parameters"]}
    assert documented == {name: str(each.get("Default", "")) for name, each in load_template()["Parameters"].items()}


def test_every_output_stands_in_the_table() -> None:
    outputs = (
        {row[0] for row in rows(section("Deploying"))}
        - set(load_template()["Parameters"])
        - {
            "parameter",
            "output",
        }
    )
    assert outputs == set(load_template()["Outputs"])


@pytest.mark.parametrize("field", AdjustmentRequest.model_fields)
def test_every_field_of_the_body_is_documented(field: str) -> None:
    assert field in {row[0] for row in rows(section("Creating an adjustment"))}


def test_every_parameter_of_a_query_string_is_documented_with_whether_it_is_required_or_its_default() -> None:
    def told(model: type[BaseModel]) -> dict[str, str]:
        return {
            name: "required" if field.is_required() else "optional" if field.default is None else str(field.default)
            for name, field in model.model_fields.items()
        }

    parameters = [row for row in rows(section("Reading")) if len(row) == 4][1:]
    assert {name: of_list for name, of_list, _, _ in parameters if of_list} == told(AdjustmentsQuery)
    assert {name: of_levels for name, _, of_levels, _ in parameters if of_levels} == told(LevelsQuery)


def test_what_is_said_of_reading_is_what_code_and_template_say() -> None:
    text = section("Reading")
    paths = {
        event["Properties"]["Path"].removeprefix("/api/v1/inventory")
        for event in load_template()["Resources"]["ReadInventoryFunction"]["Properties"]["Events"].values()
    }
    assert paths == {row[0] for row in rows(text) if row[0].startswith("/")}
    assert f"looks at {ROWS_EXAMINED_MAX:,} rows at" in text
    assert f"1–{PAGE_ROWS_MAX}" in text
    assert f"`{READ_SCOPE}`" in text
    assert f"`{READ_SCOPE}`" in section("Tokens")


def test_the_example_of_a_direct_invocation_names_every_field_that_it_takes() -> None:
    found = re.search(r"```json\n(.*?)```", section("Direct invocation"), re.DOTALL)
    assert found
    assert set(json.loads(found[1])) == set(DirectAdjustmentRequest.model_fields)


def test_what_is_said_of_the_queue_is_what_template_and_code_say() -> None:
    resources = load_template()["Resources"]
    queue, rule = (resources[name]["Properties"] for name in ("AdjustmentRequestsQueue", "AdjustmentRequestsRule"))
    function = resources["IngestAdjustmentsFunction"]["Properties"]
    source = function["Events"]["Requests"]["Properties"]
    text = section("The queue").replace("\n", " ")
    assert f"after {queue['VisibilityTimeout'] // 60} minutes" in text
    assert queue["VisibilityTimeout"] % 60 == 0
    assert f"Up to {source['BatchSize']:,} messages" in text
    assert f"within {source['MaximumBatchingWindowInSeconds']} second," in text
    assert f"up to {source['ScalingConfig']['MaximumConcurrency']} batches" in text
    assert f"one transaction for each {GROUP_MAX} adjustments" in text
    assert f"A batch has {function['Timeout']} seconds" in text
    assert f"The last {TELLING_TIME_S:.0f} are for telling refusals" in text
    assert f"goes on for {GROUP_TIME_MAX_S:.0f} while others wait" in text
    assert (queue["RedrivePolicy"]["maxReceiveCount"], queue["MessageRetentionPeriod"]) == (5, 14 * 24 * 60 * 60)
    assert "after five times" in text
    assert "for 14 days" in text
    assert f"`created_by` is `{QUEUE_ACTOR}`" in text
    for name in (*rule["EventPattern"]["detail-type"], REJECTED, SOURCE, "DeadAdjustmentRequestsAlarm"):
        assert f"`{name}`" in text
    assert "DeadAdjustmentRequestsAlarm" in resources
    assert f"over {DETAIL_SIZE_MAX_BYTES // 1024} KB" in text


def test_the_example_of_a_told_refusal_has_the_form_of_one() -> None:
    found = re.search(r"```json\n(.*?)```", section("The queue"), re.DOTALL)
    assert found
    example = json.loads(found[1])
    refusal = InsufficientStock(quantity_on_hand=2, quantity_change=-3)
    told = json.loads(rejection(MessageRequest(example["request"], "key"), refusal))
    assert example["error"]["detail"].keys() == told["error"]["detail"].keys()
    assert example | {"error": told["error"]} == told
    assert example["error"]["type"] == told["error"]["type"]


def test_the_example_of_an_export_names_every_field_that_it_takes_and_its_text_every_column() -> None:
    found = re.search(r"```json\n(.*?)```", section("Exporting"), re.DOTALL)
    assert found
    assert set(json.loads(found[1])) == set(ExportRequest.model_fields)
    assert [name for name in re.findall(r"`(\w+)`", section("Exporting")) if name in COLUMNS][: len(COLUMNS)] == [
        *COLUMNS
    ]
    assert f"at most {TEXT_SIZE_MAX_BYTES // 10**6} MB as JSON" in section("Exporting")
    assert f"waits {SETTLED_AFTER_S:.0f} seconds" in section("Exporting")


def test_what_is_said_of_events_is_what_template_and_code_say() -> None:
    text = section("Events")
    resources = load_template()["Resources"]
    source = resources["PublishAdjustmentsFunction"]["Properties"]["Events"]["Ledger"]["Properties"]
    late = resources["LatePublishingAlarm"]["Properties"]
    assert f"up to {source['MaximumRecordAgeInSeconds'] // 3600} hours" in text
    assert (late["Threshold"], late["EvaluationPeriods"]) == (5 * 60 * 1000, 3)
    assert "after\n  five minutes" in text
    assert set(re.findall(r"`(\w+Alarm)`", text)) <= set(resources)
    for name in (ADJUSTED, SOURCE):
        assert f"`{name}`" in text
    pattern = re.search(r"--event-pattern '(.*)'", text)
    assert pattern
    assert json.loads(pattern[1]) == {"source": [SOURCE], "detail-type": [ADJUSTED]}
    sample = read_template(PROJECT_ROOT / "events" / "subscription" / "template.yaml")
    assert sample["Resources"]["AdjustmentsRule"]["Properties"]["EventPattern"] == json.loads(pattern[1])


def test_what_is_said_of_asynchronous_invocation_is_what_the_template_says() -> None:
    config = load_template()["Resources"]["CreateAdjustmentFunction"]["Properties"]["EventInvokeConfig"]
    assert config["MaximumRetryAttempts"] == 2
    assert "repeats what failed twice" in section("Direct invocation")
    assert f"up to {config['MaximumEventAgeInSeconds'] // 3600} hours" in section("Direct invocation")


def test_every_dead_end_stands_in_the_table_with_its_alarm_and_its_way_back() -> None:
    resources = load_template()["Resources"]
    alarms = {
        each["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]: name
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and each["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    documented = {queue: (alarm, back) for queue, _, alarm, back in rows(section("Dead ends"))[1:]}
    assert {queue: alarm for queue, (alarm, _) in documented.items()} == alarms
    ways_back = {queue: f"make redrive QUEUE={name}" for name, (queue, _) in DEAD_LETTER_QUEUES.items()}
    ways_back["AdjustmentRequestsDeadLetterQueue"] = "make redrive"
    assert {queue: back for queue, (_, back) in documented.items() if back.startswith("make")} == ways_back
    named = set(re.findall(r"`(\w+(?:Alarm|Queue|Function))`", section("Dead ends")))
    assert named <= set(resources)
    assert f"`{ORIGINAL_ID}`" in section("The queue")


def test_every_operators_command_stands_in_the_table_with_its_fields() -> None:
    documented = {}
    for command, fields, *_ in rows(section("Operators' commands"))[1:]:
        documented[command] = {
            (name, optional == "?") for name, optional in re.findall(r"`?([a-z_]+)`(\??)", f"`{fields}`")
        }
    of_the_code = {
        command: {(name, not field.is_required()) for name, field in model.model_fields.items() if name != "command"}
        for command, model in COMMAND_MODELS.items()
    }
    assert documented == of_the_code


def test_every_kind_of_problem_stands_in_the_table_and_every_alarm_of_the_audit_in_its_own() -> None:
    assert [row[0] for row in rows(section("Proving and auditing"))[1:]] == [*ProblemKind, *AuditKind]
    resources = load_template()["Resources"]
    service = resources["AuditLedgerFunction"]["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    of_the_audit = (
        [{"Name": "service", "Value": service}],
        [{"Name": "FunctionName", "Value": {"Ref": "AuditLedgerFunction"}}],
    )
    alarms = {
        name
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm" and each["Properties"].get("Dimensions") in of_the_audit
    }
    assert alarms
    assert {row[0] for row in rows(section("The audit"))[1:]} == alarms
    for metric in (AUDIT_DIFFERENCES, AUDIT_UNFINISHED, AUDITED_ROWS, AUDITED_STOCK_ITEMS):
        assert f"`{metric}`" in section("The audit")


def test_every_alarm_that_is_named_exists() -> None:
    """All of them are in the runbook, which tests of its own look at."""
    alarms = {name for name, each in load_template()["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(re.findall(r"`(\w+Alarm)`", README)) <= alarms


def test_the_picture_shows_every_function_and_fits_a_narrow_window() -> None:
    picture = README.split("```")[1]
    folders = [path.name for path in (PROJECT_ROOT / "functions").iterdir() if (path / "handler.py").exists()]
    # Operators' commands are no part of the flow.
    assert [name for name in sorted(folders) if name not in picture] == ["provision"]
    assert max(map(len, picture.splitlines())) <= 120


def test_the_example_of_a_proof_has_the_form_of_one() -> None:
    found = re.search(r"```json\n(.*?)```", section("Proving and auditing"), re.DOTALL)
    assert found
    read = ReadBooks(books([20, -3]))
    proof = Prover(read, read).prove(StockItemId(BUSINESS, VARIANT, LOCATION), None, remaining_s=lambda: 10.0)
    example = json.loads(found[1])
    assert list(example) == list(proof_members(proof))
    assert {name: type(value) for name, value in example.items()} == {
        name: type(value) for name, value in proof_members(proof).items()
    }


def test_the_two_addresses_of_the_apis_description_are_routes_that_ask_for_no_token() -> None:
    open_routes = {
        event["Properties"]["Path"]
        for function in load_template()["Resources"].values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Properties"].get("Auth") == {"Authorizer": "NONE"}
    }
    named = {row[0].removeprefix("GET {ApiUrl}") for row in rows(section("The API's own description"))} - {""}
    assert {path for path in open_routes if not path.endswith("{asset}")} == named


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", README)) | set(re.findall(r"^\$ make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_file_and_folder_that_the_readme_names_exists() -> None:
    named = {row[0] for row in rows(section("Where things are"))} - {"", "functions/<name>/handler.py"}
    assert named
    assert all((PROJECT_ROOT / name).exists() for name in named)


def test_every_link_within_the_readme_leads_to_a_section() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]*)\)", README))
    assert links
    assert links <= anchors


def test_no_document_names_an_address_of_a_package_index() -> None:
    assert not re.search(r"pypi|npmjs|simple/", README, re.IGNORECASE)
