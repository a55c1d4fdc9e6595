"""The functions' log for people: one short line for each request, and nothing lost that a crash leaves behind."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from local.log_lines import GrowingLog, short_line

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST: dict[str, object] = {
    "level": "INFO",
    "message": "adjustment created",
    "code": "created",
    "function_request_id": "75efed15-8f1e-4668-9baf-42dc99c3dbb8",
    "duration_ms": 14.4,
}
ID = "0d9bf3c6-1111-4222-8333-444455556666"


def a_line(members: Mapping[str, object] | str, function: str = "create-adjustment") -> str:
    text = members if isinstance(members, str) else json.dumps(members)
    return f"18:38:57 inventory-adjustments-{function} {text}\n"


def test_a_request_is_its_time_function_code_id_and_milliseconds() -> None:
    shown = short_line(a_line(REQUEST | {"adjustment_id": ID}))
    assert shown is not None
    assert shown.split() == ["18:38:57", "create-adjustment", "created", ID, "14", "ms"]
    assert len(shown) < 120


@pytest.mark.parametrize(
    ("members", "id_shown"),
    [
        ({}, REQUEST["function_request_id"]),
        ({"message_id": "m-1"}, "m-1"),
        ({"message_id": "m-1", "adjustment_id": ID}, ID),
    ],
)
def test_the_id_is_the_adjustments_or_the_messages_or_the_requests(members: dict[str, object], id_shown: str) -> None:
    assert str(id_shown) in (short_line(a_line(REQUEST | members)) or "").split()


def test_a_fault_shows_its_level_and_what_was_wrong() -> None:
    fault = REQUEST | {
        "level": "ERROR",
        "code": "internal_error",
        "exception_name": "RowUnreadable",
        "ledger_key": "b#a",
    }
    words = (short_line(a_line(fault)) or "").split()
    assert [words[2], words[3], *words[-2:]] == ["ERROR", "internal_error", "b#a", "RowUnreadable"]


def test_an_operators_command_and_a_refused_token_have_a_line() -> None:
    command = {"level": "INFO", "message": "command done", "command": "issue_token", "function_request_id": "r"}
    assert (short_line(a_line(command, "provision")) or "").split()[1:] == ["provision", "issue_token", "r"]
    refused = {"level": "INFO", "message": "unauthorized", "why": "unknown token", "function_request_id": "r"}
    assert "unauthorized" in (short_line(a_line(refused, "authorizer")) or "")


@pytest.mark.parametrize(
    "text",
    [
        "REPORT RequestId: c5e74abf	Duration: 9 ms",
        "INIT_START Runtime Version: python:3.13",
        '{"_aws": {"CloudWatchMetrics": []}, "service": "x"}',
        '{"level": "INFO", "message": "adjustments published", "events": 1}',
    ],
)
def test_what_is_about_no_request_or_a_second_line_of_one_is_left_out(text: str) -> None:
    assert short_line(a_line(text)) is None


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):\n",
        "18:38:57 inventory-adjustments-create-adjustment MemoryError\n",
        "18:38:57 inventory-adjustments-create-adjustment [1, 2]\n",
        "\n",
    ],
)
def test_what_a_crash_leaves_behind_stays_as_it_is(line: str) -> None:
    assert short_line(line) == line


def test_a_line_that_is_not_ended_yet_waits_for_its_end() -> None:
    file = io.StringIO()
    log = GrowingLog(file)
    shown = []
    for written in ("one\nt", "w", "o\n", "three\nfour\n"):
        place = file.tell()
        file.seek(0, io.SEEK_END)
        file.write(written)
        file.seek(place)
        shown.append(list(log.new_lines()))
    assert shown == [["one\n"], [], ["two\n"], ["three\n", "four\n"]]
