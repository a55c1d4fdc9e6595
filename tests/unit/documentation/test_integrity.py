"""The page about integrity: kinds of problems, alarms, forms and examples are those of the code."""

from __future__ import annotations

import json
import re

from inventory.domain.hash_chain import canonical_members
from inventory.entrypoints.responses import proof_members
from inventory.entrypoints.telemetry import AUDIT_DIFFERENCES, AUDIT_UNFINISHED, AUDITED_ROWS, AUDITED_STOCK_ITEMS
from inventory.integrity.chain_check import ProblemKind
from inventory.integrity.item_checks import AuditKind
from inventory.queries.export import TEXT_SIZE_MAX_BYTES
from inventory.queries.export_formats import COLUMNS
from inventory.queries.settled import SETTLED_AFTER
from inventory.schemas.reading import ExportRequest
from tests.support.builders.domain import an_adjustment
from tests.support.builders.proofs import a_proof
from tests.support.pages import code, rows, section
from tests.support.sam_template import load_template, resources

NAME = "docs/integrity.md"


def test_the_example_of_a_proof_has_the_form_of_one() -> None:
    (text,) = code(section(NAME, "Proof"), "json")
    example, members = json.loads(text), proof_members(a_proof())
    assert list(example) == list(members)
    assert {name: type(value) for name, value in example.items()} == {
        name: type(value) for name, value in members.items()
    }


def test_every_kind_of_problem_stands_in_the_table_and_every_alarm_of_the_audit_in_its_own() -> None:
    assert [row[0] for row in rows(section(NAME, "Kinds of problems"))[1:]] == [*ProblemKind, *AuditKind]
    function = load_template()["Resources"]["AuditLedgerFunction"]["Properties"]
    service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    of_the_audit = (
        [{"Name": "service", "Value": service}],
        [{"Name": "FunctionName", "Value": {"Ref": "AuditLedgerFunction"}}],
    )
    alarms = {
        name
        for name, each in resources("AWS::CloudWatch::Alarm").items()
        if each["Properties"].get("Dimensions") in of_the_audit
    }
    assert alarms
    assert {row[0] for row in rows(section(NAME, "The scheduled audit"))[1:]} == alarms
    for metric in (AUDIT_DIFFERENCES, AUDIT_UNFINISHED, AUDITED_ROWS, AUDITED_STOCK_ITEMS):
        assert f"`{metric}`" in section(NAME, "The scheduled audit")


def test_the_example_of_an_export_names_every_field_that_it_takes_and_its_text_every_column() -> None:
    text = section(NAME, "Export")
    (example,) = code(text, "json")
    assert set(json.loads(example)) == set(ExportRequest.model_fields)
    assert [name for name in re.findall(r"`(\w+)`", text) if name in COLUMNS][: len(COLUMNS)] == [*COLUMNS]
    assert f"at most {TEXT_SIZE_MAX_BYTES // 10**6} MB as JSON" in text
    assert f"{SETTLED_AFTER.seconds} seconds ago" in text


def test_the_members_of_the_canonical_form_are_listed() -> None:
    listed, _, _ = section(NAME, "Verify an export without us").partition("a member that a row")
    of_form_1, of_form_2 = listed.rpartition("of exactly")[2].split("rows of form 2 also have")
    first = sorted(canonical_members(an_adjustment(form=1)))
    assert re.findall(r"`([a-z_]+)`", of_form_1) == first
    assert re.findall(r"`([a-z_]+)`", of_form_2) == sorted(set(canonical_members(an_adjustment())) - set(first))
