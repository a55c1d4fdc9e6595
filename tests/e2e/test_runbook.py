"""The runbook's commands for the local stack, as somebody pastes them who was just woken."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.runbook import commands
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack


def test_every_command_for_the_local_stack_works_as_it_stands(local_stack: LocalStack) -> None:
    pasted = list(dict.fromkeys(command.text for command in commands() if command.is_local))
    assert len(pasted) > 10
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    done = subprocess.run(  # noqa: S603  our own runbook
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(pasted)],  # noqa: S607
        cwd=PROJECT_ROOT,
        env=environment | {"LOCAL_DIR": str(local_stack.places.local_dir), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"verified":true' in done.stdout
    assert "\nEverything adds up" in done.stdout
    assert '"revoked_at"' in done.stdout
    assert "\n401\n" in done.stdout
