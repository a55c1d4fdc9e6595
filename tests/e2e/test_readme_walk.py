"""The README's walk from an adjustment to a reversal and a proof, as a new user pastes it into a shell."""

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


def pasted() -> str:
    """All commands of the section, in order: each from its ``$`` to the first line without a ``\\`` at its end."""
    walk = section("README.md", "From an adjustment to a proof")
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", walk, re.MULTILINE)
    assert len(commands) == 9
    return "\n".join(commands)


def test_the_readmes_curl_commands_lead_from_an_adjustment_to_a_reversal_and_a_proof(local_stack: LocalStack) -> None:
    done = subprocess.run(  # noqa: S603  our own README
        ["bash", "-eu", "-o", "pipefail", "-c", pasted()],  # noqa: S607
        cwd=PROJECT_ROOT,
        env=os.environ | {"LOCAL_DIR": str(local_stack.places.local_dir), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    created, listed, levels, reversal, reversed_one, proof = (answer(line) for line in done.stdout.splitlines())
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


def answer(line: str) -> Any:
    return json.loads(line)
