"""`make provision`: one of the operators' commands, as JSON in a variable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ops import provision
from ops.command_line import main
from ops.errors import FunctionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Deployed:
    """A stack that answers every command with it, or raises."""

    def __init__(self, raises: FunctionError | None = None) -> None:
        self.raises = raises

    def invoke(self, output: str, payload: Mapping[str, object]) -> Any:
        assert output == "ProvisionFunctionName"
        if self.raises:
            raise self.raises
        return {"asked": payload}


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> dict[str | None, Deployed]:
    """By name; the local one has none."""
    there: dict[str | None, Deployed] = {None: Deployed(), "prod": Deployed()}
    monkeypatch.setattr(provision, "find_target", there.__getitem__)
    return there


@pytest.mark.parametrize("stack", [[], ["--stack=prod"]], ids=["local", "in AWS"])
def test_the_command_is_sent_and_its_answer_printed_as_json(
    stack: list[str],
    stacks: dict[str | None, Deployed],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PAYLOAD", '{"command": "revoke_token", "token_id": "it\'s"}')

    assert stacks
    assert main(["provision", *stack]) == 0

    assert json.loads(capsys.readouterr().out) == {"asked": {"command": "revoke_token", "token_id": "it's"}}


@pytest.mark.parametrize("payload", ["", "revoke_token", "[]", "null"])
def test_a_payload_that_is_not_a_json_object_is_not_sent(
    payload: str,
    stacks: dict[str | None, Deployed],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PAYLOAD", payload)

    assert stacks
    assert main(["provision"]) == 1

    assert "which command?" in capsys.readouterr().err


def test_a_rejection_is_printed_on_one_line(
    stacks: dict[str | None, Deployed], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAYLOAD", '{"command": "revoke_token"}')
    stacks[None].raises = FunctionError("TokenNotFound", '{"code": "token_not_found", "message": "No such token."}')

    assert main(["provision"]) == 1

    assert capsys.readouterr().err == "error: No such token.\n"
