"""`make export` without a service: what is written where, and the messages of its failures."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from ops import export
from ops.command_line import main
from ops.errors import CommandError, FunctionError
from ops.stacks import Target
from tests.support.harness.terminal import ERASED, become_terminal, drawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

BUSINESS = "12ae0de4-1f48-58de-a7d2-eb037465d000"
ITEM = '"variant_id":"v","location_id":"l"'
X, Y = (f'{{{ITEM},"sequence":{sequence}}}\n' for sequence in (1, 2))
"""Lines of two rows of one stock item."""
END = "2026-11-23T14:05:09.000000Z"
HEADER = "variant_id,location_id,sequence,reason\r\n"
TRY_AGAIN = FunctionError("TryAgain", json.dumps({"code": "try_again", "message": "Later."}))


def a_page(text: str, next_cursor: str | None = None) -> dict[str, object]:
    return {
        "rows": 1,
        "text": text,
        "first_created_at": "2026-11-23T13:05:09.000000Z",
        "last_created_at": "2026-11-23T13:35:09.000000Z",
        "created_to": "2026-11-23T14:05:09.000000Z",
        "next_cursor": next_cursor,
    }


@dataclass
class FakeService:
    """Answers one invocation after the other; a function is called and its answer given."""

    answers: Sequence[object]
    asked: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=lambda: {"ReadInventoryFunctionName": "read"})

    def invoke(self, **request: Any) -> dict[str, object]:
        assert request["FunctionName"] == "read"
        self.asked.append(json.loads(request["Payload"]))
        answer = self.answers[len(self.asked) - 1]
        if callable(answer):
            answer = answer()
        if isinstance(answer, FunctionError):
            payload = {"errorType": answer.kind, "errorMessage": answer.message}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(payload).encode())}
        if isinstance(answer, BaseException):
            raise answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    @property
    def target(self) -> Target:
        return Target(cast("LambdaClient", self), self.outputs)


@dataclass
class Shell:
    """Where the command is typed."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    pauses_s: list[float] = field(default_factory=list)

    def run(self, service: FakeService | Exception, *arguments: str) -> tuple[int, str]:
        """Run it and return its status and what it said on the standard error."""

        def find(*_: object) -> Target:
            if isinstance(service, Exception):
                raise service
            return service.target

        self.monkeypatch.setattr(export, "find_target", find)
        given = arguments if any(each.startswith("--business") for each in arguments) else (f"--business={BUSINESS}",)
        status = main(["export", *given, *(each for each in arguments if each not in given)])
        return status, self.capsys.readouterr().err

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    shell = Shell(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr("time.sleep", shell.pauses_s.append)
    yield shell
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_pages_become_one_file_named_after_business_and_format(shell: Shell) -> None:
    service = FakeService([a_page(HEADER + "v,l,1,eins\r\n", "c1"), a_page('v,l,2,"zwei\n📦"\r\n', "c2"), a_page("")])
    status, said = shell.run(service, "--format=csv", "--to=2026-12-01T00:00:00Z")
    assert status == 0
    assert shell.files() == [f"adjustments-{BUSINESS}.csv"]
    assert (shell.folder / f"adjustments-{BUSINESS}.csv").read_bytes() == (
        f'{HEADER}v,l,1,eins\r\nv,l,2,"zwei\n📦"\r\n'.encode()
    )
    asked = {"command": "export", "business_id": BUSINESS, "format": "csv", "created_to": "2026-12-01T00:00:00Z"}
    assert service.asked == [asked, asked | {"cursor": "c1"}, asked | {"cursor": "c2"}]
    assert "3 rows" in said
    assert "FROM=2026-11-23T14:05:09.000000Z" in said


def test_a_file_that_is_there_is_replaced_by_a_whole_export_only(shell: Shell) -> None:
    (shell.folder / "out").write_text("yesterday's")
    status, _ = shell.run(
        FakeService([a_page(X, "c"), FunctionError("InternalError", '{"message": "x"}')]), "--out=out"
    )
    assert (status, shell.files(), (shell.folder / "out").read_text()) == (1, ["out"], "yesterday's")
    status, _ = shell.run(FakeService([a_page(X)]), "--out=out")
    assert (status, shell.files(), (shell.folder / "out").read_text()) == (0, ["out"], X)


def test_a_link_to_a_file_stays_a_link(shell: Shell) -> None:
    (shell.folder / "link").symlink_to("target")
    assert shell.run(FakeService([a_page(X)]), "--out=link")[0] == 0
    assert (shell.folder / "link").is_symlink()
    assert (shell.folder / "target").read_text() == X


def test_what_is_no_file_is_written_to_and_never_replaced(shell: Shell) -> None:
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert shell.run(FakeService([a_page(X, "c"), a_page(Y)]), "--out=pipe")[0] == 0
        assert os.read(reading, 1_000) == f"{X}{Y}".encode()
    finally:
        os.close(reading)
    assert shell.files() == ["pipe"]
    assert pipe.is_fifo()


def test_out_of_a_hyphen_is_the_standard_output(shell: Shell) -> None:
    with (shell.folder / "redirected").open("w") as stdout:
        shell.monkeypatch.setattr(sys, "stdout", stdout)
        status, _ = shell.run(FakeService([a_page(f'{{"ü":"",{ITEM},"sequence":1}}\r\n')]), "--out=-")
    assert (status, shell.files()) == (0, ["redirected"])
    assert (shell.folder / "redirected").read_bytes() == f'{{"ü":"",{ITEM},"sequence":1}}\r\n'.encode()


def test_a_closed_output_is_one_line_of_error(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        shell.monkeypatch.setattr(sys, "stdout", stdout)
        status, said = shell.run(FakeService([a_page(X * 100_000)]), "--out=-")
    assert (status, said) == (1, "error: the output was closed before the export was complete\n")


def test_try_again_is_retried_with_growing_pauses(shell: Shell) -> None:
    status, _ = shell.run(FakeService([TRY_AGAIN, TRY_AGAIN, a_page(X)]), "--out=out")
    assert status == 0
    assert shell.pauses_s == [0.5, 1.0]


def test_after_six_times_in_a_row_it_gives_up(shell: Shell) -> None:
    service = FakeService([a_page(X, "c"), *[TRY_AGAIN] * 6])
    status, said = shell.run(service, "--out=out")
    assert (status, shell.files(), len(service.asked)) == (1, [], 7)
    assert said == "error: the service could not finish in time, 6 times in a row: try later\n"


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            FunctionError("BusinessNotFound", '{"code": "x", "message": "There is no such business."}'),
            "There is no such business.",
        ),
        (
            FunctionError("InvalidRequest", '[{"loc": ["body", "created_from"], "msg": "No instant", "type": "x"}]'),
            "created_from: No instant",
        ),
        (
            FunctionError("Sandbox.Timedout", "Task timed out\nafter 10 s"),
            "the service failed: Sandbox.Timedout Task timed out after 10 s",
        ),
        ({"rows": "1"}, "the service answered something that is no page of an export"),
        (None, "the service answered something that is no page of an export"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke"),
            "An error occurred (AccessDenied) when calling the Invoke operation: no",
        ),
        (NoCredentialsError(), "Unable to locate credentials"),
        (a_page("x"), "the service answered something that is no page of an export"),
        (a_page("{}"), "the service answered something that is no page of an export"),
        (a_page("[]"), "the service answered something that is no page of an export"),
    ],
)
def test_any_failure_is_one_line_and_leaves_no_file(fault: object, line: str, shell: Shell) -> None:
    status, said = shell.run(FakeService([a_page(X, "c"), fault]), "--out=out")
    assert (status, said, shell.files()) == (1, f"error: {line}\n", [])


def test_an_error_is_printed_with_its_facts(shell: Shell) -> None:
    stopped = json.dumps({"code": "export_stopped", "message": "It can't go on.", "ledger_key": "b#a"})
    status, said = shell.run(FakeService([a_page(X, "c"), FunctionError("ExportStopped", stopped)]), "--out=out")
    assert (status, said, shell.files()) == (1, "error: It can't go on. (ledger_key: b#a)\n", [])


def test_a_name_that_ends_in_an_equals_sign_is_a_name(shell: Shell) -> None:
    assert shell.run(FakeService([a_page(X)]), "--out=x=")[0] == 0
    assert shell.files() == ["x="]


def test_a_stack_without_the_function_has_its_own_message(shell: Shell) -> None:
    status, said = shell.run(FakeService([], outputs={}), "--out=out")
    assert status == 1
    assert "ReadInventoryFunctionName" in said


def test_no_service_is_one_line(shell: Shell) -> None:
    assert shell.run(CommandError("no local stack is running")) == (1, "error: no local stack is running\n")
    assert shell.files() == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--business="], "which business?"),
        (["--business=../../etc/passwd"], "which business?"),
        (["--format=../x"], "--format"),
        (["--out=folder"], "folder"),
        (["--out=nowhere/out"], "nowhere"),
    ],
)
def test_a_usage_error_is_printed_on_one_line(arguments: list[str], word: str, shell: Shell) -> None:
    (shell.folder / "folder").mkdir()
    status, said = shell.run(FakeService([a_page(X)]), *arguments)
    assert (status, shell.files()) == (1, ["folder"])
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert word in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_export_leaves_no_file(number: signal.Signals, shell: Shell) -> None:
    unfinished: list[str] = []

    def interrupt() -> None:
        unfinished.extend(shell.files())
        os.kill(os.getpid(), number)

    status, said = shell.run(FakeService([a_page(X, "c"), interrupt]), "--out=out")
    assert (status, shell.files()) == (130, [])
    assert "Interrupted; the export is not complete" in said
    (name,) = unfinished
    assert name.startswith(".out.")


def test_on_a_terminal_each_page_moves_a_bar_that_is_gone_at_the_end(shell: Shell) -> None:
    become_terminal(shell.monkeypatch, "stderr")

    _, said = shell.run(FakeService([a_page(X, "c"), a_page(Y)]), "--out=out")

    moving, erased, last = said.rpartition(ERASED)
    assert erased
    bars = [line.split(maxsplit=1) for line in drawn(moving) if "50% of the time" in line]
    assert {bar for bar, _ in bars} == {"━" * 12 + "╺" + "━" * 11}
    shown = [text.removeprefix("50% of the time ")[:7] for _, text in bars]
    assert list(dict.fromkeys(shown)) == ["1 rows,", "2 rows,"]
    assert drawn(last)[0].startswith("2 rows,")


def test_in_a_log_a_line_comes_from_time_to_time(shell: Shell) -> None:
    seconds = iter(range(0, 1_000, 2))
    shell.monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))
    _, said = shell.run(FakeService([*[a_page("", "c")] * 8, a_page(X)]), "--out=out")
    lines = said.splitlines()
    assert 3 < len(lines) < 9
    assert all(" rows, " in line for line in lines[:-2])
    assert "\r" not in said


# --- gaps


def lines(*sequences: int, item: str = ITEM) -> str:
    return "".join(f'{{{item},"sequence":{sequence}}}\n' for sequence in sequences)


def test_a_file_without_gaps_says_so_and_where_the_ledger_is_settled(shell: Shell) -> None:
    other = '"variant_id":"w","location_id":"l"'
    status, said = shell.run(FakeService([a_page(lines(1, 2) + lines(1, item=other), "c"), a_page(lines(3))]))
    assert status == 0
    assert said.splitlines()[1:] == [
        "No gap in the sequences of 2 stock items.",
        f"It has all rows before {END}, and none will still appear: FROM={END} goes on from there",
    ]


@pytest.mark.parametrize(
    ("pages", "gap"),
    [
        ([lines(1, 3)], "sequence 3 follows 1"),
        ([lines(1), lines(3)], "sequence 3 follows 1"),
        ([lines(2)], "sequence 2 follows 0"),
        ([lines(1, 1)], "sequence 1 follows 1"),
    ],
)
def test_a_gap_in_a_sequence_is_named_and_the_exit_status_1(pages: list[str], gap: str, shell: Shell) -> None:
    *first, last = pages
    status, said = shell.run(FakeService([*(a_page(each, "c") for each in first), a_page(last)]), "--out=out")
    assert (status, shell.files()) == (1, ["out"])
    assert said.splitlines()[1:3] == [
        "WRONG: sequences have gaps (1); `make audit` looks further",
        f"variant v, location l: {gap}",
    ]


def test_a_gap_is_found_in_csv_too(shell: Shell) -> None:
    pages: list[object] = [a_page(f'{HEADER}v,l,1,"a\nb"\r\n', "c"), a_page("v,l,3,\r\n")]
    status, said = shell.run(FakeService(pages), "--format=csv")
    assert status == 1
    assert "sequence 3 follows 1" in said


def test_an_export_from_an_instant_on_may_begin_with_any_sequence(shell: Shell) -> None:
    assert shell.run(FakeService([a_page(lines(7, 8))]), "--from=2026-01-01T00:00:00Z")[0] == 0
    assert shell.run(FakeService([a_page(lines(7, 9))]), "--from=2026-01-01T00:00:00Z")[0] == 1


# --- a byte order mark


def test_a_byte_order_mark_begins_a_csv_once(shell: Shell) -> None:
    pages: list[object] = [a_page(f"{HEADER}v,l,1,Größe\r\n", "c"), a_page("v,l,2,\r\n")]
    assert shell.run(FakeService(pages), "--format=csv", "--byte-order-mark", "--out=out")[0] == 0
    written = (shell.folder / "out").read_bytes()
    assert written == f"\ufeff{HEADER}v,l,1,Größe\r\nv,l,2,\r\n".encode()


def test_json_lines_have_no_byte_order_mark(shell: Shell) -> None:
    status, said = shell.run(FakeService([]), "--byte-order-mark")
    assert (status, said) == (1, "error: a byte order mark is for CSV only\n")
