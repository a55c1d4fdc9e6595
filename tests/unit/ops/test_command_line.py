"""`python -m ops`: every subcommand explains itself, and ends with the exit status that it always had."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from botocore.exceptions import NoCredentialsError

from ops.command_line import COMMANDS, main
from ops.errors import CommandError
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAVES: list[tuple[str, click.Command]] = [
    leaf
    for command in COMMANDS
    for leaf in (
        [(f"{command.name} {name}", each) for name, each in command.commands.items()]
        if isinstance(command, click.Group)
        else [(str(command.name), command)]
    )
]
"""Every subcommand by what is typed for it, those of `import` too."""
OPTIONS = [(name, option) for name, command in LEAVES for option in command.params]
ANY_STACK = {
    "audit": [],
    "export": ["--business=12ae0de4-1f48-58de-a7d2-eb037465d000"],
    "provision": ["--payload={}"],
    "redrive": ["--queue=requests"],
}
"""Commands that look for a stack first, with the arguments that they need."""


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- help


def test_the_subcommands_are_those_that_make_calls() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert [command.name for command in COMMANDS] == [
        "audit",
        "export",
        "import",
        "provision",
        "redrive",
        "api-keys",
        "reindex",
        "report",
        "verify",
    ]
    assert all(f"$(ops) {command.name} " in makefile for command in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_all_subcommands_are_listed_with_what_they_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0

    listed = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n  {command.name} " in listed
        summary = (command.help or "").partition("\n")[0]
        assert summary.endswith(".")
        assert summary.removesuffix(".") in listed, "too long to be listed"


@pytest.mark.parametrize(("name", "command"), LEAVES, ids=[name for name, _ in LEAVES])
def test_a_subcommand_prints_its_help(name: str, command: click.Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0

    printed = capsys.readouterr().out
    takes_a_file = " FILE" if name.startswith("import ") else ""
    assert printed.startswith(f"Usage: python -m ops {name} [OPTIONS]{takes_a_file}\n")
    assert all(f"  {each.opts[0]}" in printed for each in command.params if isinstance(each, click.Option))


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{name} {option.name}" for name, option in OPTIONS])
def test_every_option_has_help(name: str, option: click.Parameter) -> None:
    if (name.partition(" ")[0], option.name) == ("import", "file"):
        return  # what its columns are is said for the command
    assert isinstance(option, click.Option), f"{name} takes {option.name} by its position"
    assert option.help
    assert option.help[0].isupper()


# --- exit statuses


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["audit", "--segments=x"], 2),
        (["audit", "--nothing"], 2),
        (["export", "--format=x"], 1),
        (["export", "more"], 1),
        (["provision", "--nothing"], 1),
        (["redrive"], 2),
        (["redrive", "--queue=x"], 2),
        (["api-keys", "--nothing"], 1),
        (["verify", "--url=x"], 2),
        (["import"], 2),
        (["import", "nothing"], 2),
        (["import", "catalog"], 1),
        (["import", "catalog", "no-such-file", "--business=12ae0de4-1f48-58de-a7d2-eb037465d000"], 1),
        (["import", "counts", "pyproject.toml"], 1),
        (["nothing"], 2),
        (["--nothing"], 2),
    ],
)
def test_a_usage_error_is_one_line_and_its_status(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("error", [CommandError("no stack"), NoCredentialsError(), OSError("disk full")], ids=repr)
@pytest.mark.parametrize(("name", "status"), [("audit", 2), ("export", 1), ("provision", 1), ("redrive", 1)])
def test_an_error_is_one_line_and_its_status(
    name: str, status: int, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(f"ops.{name}.find_{'stack' if name == 'redrive' else 'target'}", fail)

    assert main([name, *ANY_STACK[name]]) == status
    first, *more = capsys.readouterr().err.splitlines()
    assert first == f"error: {error}"
    assert more == (["There is no verdict: not everything was audited."] if name == "audit" else [])


@pytest.mark.parametrize("name", ANY_STACK)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_status_130(
    name: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        f"ops.{name}.find_{'stack' if name == 'redrive' else 'target'}", lambda _: signal.raise_signal(number)
    )

    assert main([name, *ANY_STACK[name]]) == 130
    assert capsys.readouterr().err.startswith("\nInterrupted; ")


def test_without_a_local_stack_the_error_says_how_to_start_one(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))

    assert main(["audit"]) == 2
    assert f"`make run LOCAL_DIR={tmp_path}` starts one" in capsys.readouterr().err


def test_it_needs_nothing_but_the_project_folder() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "redrive"], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Missing option '--queue'. Choose from: requests, invocations\n"
