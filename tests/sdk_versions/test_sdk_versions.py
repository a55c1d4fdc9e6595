"""The runtime's SDK moves on without us: the same is sent and read under older ones and under the newest.

Each runs in an environment that has nothing but that SDK and the layer's packages. So a package that only this
project's environment has would be missing there, as on Lambda. ``make test-sdks`` installs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tests.support.harness.loading import ROOT

pytestmark = pytest.mark.skipif("OTHER_SDKS" not in os.environ, reason="`make test-sdks` runs these")

OTHERS = sorted(path.stem for path in (ROOT / "tools/locks").glob("sdk-*.txt"))
LOCKED = "locked"
REFUSALS = ("404", "BusinessNotFound", "VariantNotFound")
"""What samples are answered that name ids of the demo data: the tables of this run have others."""

each_other = pytest.mark.parametrize("sdk", OTHERS)


@cache
def under(sdk: str) -> dict[str, Any]:
    """What is sent, read and answered under an SDK."""
    python = sys.executable if sdk == LOCKED else str(ROOT / f".venv-{sdk}/bin/python")
    done = subprocess.run(  # noqa: S603  our own program
        [python, "-m", "tests.sdk_versions"],
        cwd=ROOT,
        env={"PYTHONPATH": "layers/inventory", "HOME": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_sdks_are_others() -> None:
    versions = [under(sdk)["sdk"] for sdk in (*OTHERS, LOCKED)]
    assert len(OTHERS) >= 3
    assert versions[:2] == ["1.34.145", "1.38.36"]


@each_other
@pytest.mark.parametrize("what", ["sent", "read", "errors"])
def test_clients_that_start_quickly_do_what_the_sdks_own_do(sdk: str, what: str) -> None:
    of_quick, of_plain = under(sdk)["quick"][what], under(sdk)["plain"][what]
    assert {name: each for name, each in of_quick.items() if each != of_plain[name]} == {}


@each_other
@pytest.mark.parametrize("what", ["sent", "read", "errors"])
def test_they_do_what_they_do_under_the_locked_sdk(sdk: str, what: str) -> None:
    other, locked = under(sdk)["quick"][what], under(LOCKED)["quick"][what]
    assert len(locked) >= 10
    assert {name: each for name, each in other.items() if each != locked[name]} == {}


@each_other
def test_every_function_answers_as_under_the_locked_sdk(sdk: str) -> None:
    assert under(sdk)["answers"] == under(LOCKED)["answers"]


def test_the_answers_are_what_the_samples_should_get() -> None:
    answers = under(LOCKED)["answers"]
    assert answers.pop("authorizer") == "AuthorizerError: Unauthorized"
    assert answers["a creation"] == "201"
    assert {each for each in answers.values() if not each.startswith(REFUSALS)} <= {"200", "201", "answered"}
