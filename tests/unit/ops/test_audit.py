"""`make audit` on a service that answers as the test says: lines, verdict, exit status."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ops import audit as command
from ops.command_line import main
from ops.errors import CommandError, FunctionError
from ops.stacks import ATTEMPTS_MAX
from tests.support.harness.terminal import ERASED, become_terminal, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROBLEM = {
    "kind": "row_changed",
    "business_id": "b",
    "variant_id": "v",
    "location_id": "l",
    "sequence": 17,
    "adjustment_id": None,
    "key": "STOCK#b#v l",
}


def an_answer(*problems: Mapping[str, object], **members: object) -> dict[str, object]:
    return {
        "rows": 10,
        "stock_items": 2,
        "problem_count": len(problems),
        "problems": list(problems),
        "next": None,
    } | members


class AnsweringTarget:
    """A service: ``answer`` is given each payload, by whichever thread asks."""

    def __init__(self, answer: Callable[[dict[str, Any]], object]) -> None:
        self.payloads: list[dict[str, Any]] = []
        self._answer = answer
        self._lock = threading.Lock()

    def invoke(self, output: str, payload: dict[str, Any]) -> object:
        assert output == "AuditLedgerFunctionName"
        with self._lock:
            self.payloads.append(payload)
            return self._answer(payload)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.stacks._FIRST_PAUSE_S", 0.0)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, AnsweringTarget]]:
    def run(answer: Callable[[dict[str, Any]], object], *arguments: str) -> tuple[int, AnsweringTarget]:
        target = AnsweringTarget(answer)
        monkeypatch.setattr(command, "find_target", lambda *_: target)
        return main(["audit", *arguments]), target

    return run


type Run = Callable[..., tuple[int, AnsweringTarget]]


def test_a_clean_audit_is_status_0_and_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    status, target = run(lambda _: an_answer())
    printed = capsys.readouterr()
    assert (status, printed.err) == (0, "")
    assert printed.out.startswith("Everything adds up: 240 rows, 48 stock items, 0 problems, ")
    assert printed.out.count("\n") == 1
    assert sorted(each["segment"] for each in target.payloads) == list(range(24))
    assert {each["segments"] for each in target.payloads} == {24}


def test_a_difference_is_status_1_and_printed_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    of_the_row = PROBLEM | {"adjustment_id": "a", "key": "b#a"}
    status, _ = run(lambda payload: an_answer([PROBLEM, of_the_row][payload["segment"]]), "--segments=2")
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert len(lines) == 2
    assert lines[0].startswith("row_changed: business b, variant v, location l, sequence 17")
    assert lines[1].startswith("NOT everything adds up: 20 rows, 4 stock items, 1 problem, ")


def test_problems_that_are_counted_but_not_listed_are_counted_here_too(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda _: an_answer(PROBLEM, problem_count=105), "--segments=1")[0] == 1
    assert "105 problems" in capsys.readouterr().out


def test_control_characters_in_items_do_not_reach_the_terminal(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    nameless = dict.fromkeys(PROBLEM) | {"kind": "item_unknown", "key": "\x1b[2J"}
    run(lambda _: an_answer(nameless), "--segments=1")
    assert capsys.readouterr().out.splitlines()[0] == r"item_unknown: item '\x1b[2J'"


def test_a_segment_is_continued_until_it_is_done(run: Run) -> None:
    def answer(payload: dict[str, Any]) -> object:
        return an_answer(next={None: "a", "a": "b", "b": None}[payload.get("position")])

    status, target = run(answer, "--segments=1")
    assert status == 0
    assert [each.get("position") for each in target.payloads] == [None, "a", "b"]


def test_a_busy_service_is_called_again(run: Run) -> None:
    left = [FunctionError("TryAgain", json.dumps({"message": "busy"}))] * (ATTEMPTS_MAX - 1)

    def answer(_: object) -> object:
        if left:
            raise left.pop()
        return an_answer()

    assert run(answer, "--segments=1")[0] == 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FunctionError("TryAgain", json.dumps({"message": "busy for ever"})), "6 times in a row"),
        (FunctionError("InternalError", json.dumps({"message": "our fault"})), "our fault"),
        (FunctionError("Sandbox.Timedout", "timed out\nafter 900 s"), "Sandbox.Timedout timed out after 900 s"),
        (FunctionError("InvalidRequest", json.dumps([{"loc": ["body", "position"], "msg": "none"}])), "position: none"),
        (CommandError("the stack has no output"), "the stack has no output"),
        (ConnectionError("gone"), "gone"),
    ],
)
def test_a_failed_audit_is_status_2_and_no_verdict(
    error: Exception, message: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(payload: dict[str, Any]) -> object:
        if payload["segment"] == 1:
            raise error
        return an_answer()

    assert run(answer, "--segments=3")[0] == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "no verdict" in printed.err
    assert "adds up" not in printed.out


def test_ctrl_c_ends_it_without_a_verdict(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(_: object) -> object:
        raise KeyboardInterrupt

    assert run(answer, "--segments=1")[0] == 130
    assert "no verdict" in capsys.readouterr().err


@pytest.mark.parametrize("segments", ["0", "1001", "x", "-1"])
def test_an_invalid_number_of_segments_is_reported(run: Run, segments: str) -> None:
    assert run(lambda _: an_answer(), f"--segments={segments}")[0] == 2


def test_on_a_terminal_a_bar_moves_below_the_lines_and_is_gone_at_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    become_terminal(monkeypatch, "stdout")

    assert run(lambda payload: an_answer(*[PROBLEM][: payload["segment"]]), "--segments=2")[0] == 1

    written = capsys.readouterr().out
    moving, erased, verdict = written.rpartition(ERASED)
    assert erased
    (*_, last_bar) = [line for line in drawn(moving) if line.startswith("━" * 24)]
    assert last_bar.startswith(f"{'━' * 24} 2/2 segments 20 rows, 4 stock items, 1 problem ")
    assert [line.partition(":")[0] for line in drawn(moving) if "━" not in line] == ["row_changed"]
    assert drawn(verdict)[0].startswith("NOT everything adds up: 20 rows")
