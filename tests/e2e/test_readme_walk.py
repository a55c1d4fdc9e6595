"""The pages' walks, as a new user pastes them into a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.pages import section
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack


def pasted(stack: LocalStack, page: str, title: str, *, count: int) -> list[Any]:
    """Paste all ``count`` commands of a section, in order; return the answers of the API.

    Each command is from its ``$`` to the first line without a ``\\`` at its end.
    """
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", section(page, title), re.MULTILINE)
    assert len(commands) == count
    done = subprocess.run(  # noqa: S603  our own pages
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(commands)],  # noqa: S607
        cwd=PROJECT_ROOT,
        env=os.environ | {"LOCAL_DIR": str(stack.places.local_dir), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_the_readmes_curl_commands_lead_from_an_adjustment_to_a_reversal_and_a_proof(local_stack: LocalStack) -> None:
    created, listed, levels, reversal, reversed_one, proof = pasted(
        local_stack, "README.md", "From an adjustment to a proof", count=9
    )

    assert created["delta"] == -3
    assert listed["data"] == [created]
    assert created["quantity_after"] in {each["quantity"] for each in levels["data"]}
    assert (reversal["delta"], reversal["reverses"]) == (3, created["id"])
    assert reversed_one == created | {"reversed_by": reversal["id"]}
    assert (proof["verified"], proof["quantity"], proof["rows"]) == (
        True,
        reversal["quantity_after"],
        reversal["sequence"],
    )


def test_a_count_sheet_of_thirty_lines_is_booked_and_taken_back_as_a_whole(local_stack: LocalStack) -> None:
    group, counted, reversal, level = pasted(local_stack, "docs/api.md", "From a count sheet to its reversal", count=13)

    assert [row["delta"] for row in group["data"]] == [-1] * 29 + [1]
    assert {(row["kind"], row["group_size"]) for row in group["data"]} == {("count", 30)}
    assert counted["data"][0]["quantity"] == 11
    assert [row["reverses"] for row in reversal["data"]] == [row["id"] for row in reversed(group["data"])]
    assert (level["data"][0]["quantity"], level["data"][0]["sequence"]) == (10, 3)
