"""`make verify-deployed` on the local stack: twice in a row, with quantities as they were, and where it can't begin."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inventory.domain.api_tokens import mint
from local.emulator import free_port
from ops.checks import AT_THE_END, CHECKS
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service


def test_verify_deployed_can_run_twice_and_leaves_the_quantity_unchanged(
    local_stack: LocalStack, service: Service, business: Business
) -> None:
    business.opened_with(5)
    reader = service.issue_token([business.id], scopes=("adjustments:read",))["token"]

    for read_token, location_id, not_run in ((reader, "", 0), ("", business.location_id, 1)):
        done = local_stack.make(
            "verify-deployed",
            URL=service.base_url,
            TOKEN=business.token,
            BUSINESS=business.id,
            VARIANT=business.variant_id,
            READ_TOKEN=read_token,
            LOCATION=location_id,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(CHECKS + AT_THE_END) - not_run} ok, 0 failed, {not_run} not run" in done.stdout

    quantity, sequence = business.stock()
    assert quantity == 5
    assert sequence == len(business.ledger()) > 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TOKEN": mint()}, "TOKEN= is not a good token"),
        ({"TOKEN": "read-only"}, "does not have the scope adjustments:write"),
        ({"--business": "00000000-0000-4000-8000-000000000000"}, "TOKEN= is not for that BUSINESS="),
        ({"--variant": "00000000-0000-4000-8000-000000000000"}, "VARIANT= is no active variant"),
        ({"--url": f"http://127.0.0.1:{free_port()}"}, "can't be reached"),
    ],
    ids=["an unknown token", "a read-only token", "another business", "another variant", "an address without anybody"],
)
def test_verify_deployed_reports_in_one_line_why_it_cannot_start(
    changes: dict[str, str], words: str, service: Service, business: Business
) -> None:
    token = changes.get("TOKEN", business.token)
    if token == "read-only":
        token = service.issue_token([business.id], scopes=("adjustments:read",))["token"]
    given = {"--url": service.base_url, "--business": business.id, "--variant": business.variant_id} | changes
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "ops", "verify", *(f"{n}={v}" for n, v in given.items() if n.startswith("--"))],
        cwd=PROJECT_ROOT,
        env={"TOKEN": token, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert business.ledger() == []
