"""mutmut's faults in one module. It runs the tests of each function only, and stops at the first that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.campaigns.mutation.fault import Fault, Tried, one_line
from tests.campaigns.mutation.workspace import READ_BY_TESTS, prepare, source_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

PROCESSES: Final = 2

_SETTINGS: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/{source}"]
also_copy = {copied}
pytest_add_cli_args_test_selection = ["tests"]
do_not_mutate_patterns = {skipped}
# Generous: what takes too long on a busy machine would pass for noticed.
timeout_multiplier = 10.0
timeout_constant = 5.0
"""

_ONLY_FOR_CHECKS: Final = ["strict=True", r"cast\("]
"""Lines of sampled modules that stay as they are: without a check of lengths that are equal, or a word for the type
checker, nothing else happens. A sample would be full of them."""

_NO_FAULT: Final = "no fault has this name"

_NOT_NOTICED: Final = {0, 5, 33}
"""What mutmut says of a fault with which all tests passed, or that no test runs."""


class Sample(NamedTuple):
    """Which faults of a module to try: ``size`` of them, the same ones for the same ``seed``."""

    seed: int
    size: int

    def of(self, module: str, names: Collection[str]) -> list[str]:
        """Draw from the faults of a module."""
        return Random(f"{self.seed} {module}").sample(sorted(names), min(self.size, len(names)))


def try_all(module: str, sample: Sample | None = None) -> list[Tried]:
    """Try every fault that mutmut knows of in a module, or a sample of them.

    Raises:
        OSError: mutmut did not come to changing the module.
        RuntimeError: it did not come to its end.
    """
    folder = prepare(module)
    skipped = [] if sample is None else _ONLY_FOR_CHECKS
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            _SETTINGS.format(
                source=source_of(module),
                copied=json.dumps(["conftest.py", *READ_BY_TESTS]),
                skipped=json.dumps(skipped),
            )
        )
    run = ["run", "--max-children", str(PROCESSES)]
    names: list[str] = []
    if sample is not None:
        # This makes the faults, and tries none.
        _mutmut(folder, [*run, _NO_FAULT])
        names = sample.of(module, _exit_codes(folder, module))
    ended = _mutmut(folder, [*run, *names])
    codes = {name: code for name, code in _exit_codes(folder, module).items() if sample is None or name in names}
    # Text with values put into it is nothing that it changes: of a module of such functions it says that it failed.
    if codes and (ended.returncode or None in codes.values()):
        raise RuntimeError(ended.stdout[-4_000:])
    return [_tried(folder, name, code) for name, code in codes.items()]


def _tried(folder: Path, name: str, exit_code: int | None) -> Tried:
    if exit_code not in _NOT_NOTICED:
        return Tried(Fault(_where(name), ""), noticed=True, diff="")
    lines = _mutmut(folder, ["show", name]).stdout.splitlines()
    body = [line for line in lines if not line.startswith(("# ", "--- ", "+++ "))]
    gone, come = (one_line("\n".join(line[1:] for line in body if line.startswith(sign))) for sign in "-+")
    return Tried(Fault(_where(name), come or f"without {gone}"), noticed=False, diff="\n".join(body))


def _where(name: str) -> str:
    """A mutant's place: ``inventory.loop.xǁAdjusterǁadjust_all__mutmut_3`` is in ``loop.Adjuster.adjust_all``."""
    module, _, function = name.removeprefix("inventory.").rpartition("__mutmut_")[0].partition(".x")
    return f"{module}.{function.strip('ǁ').replace('ǁ', '.')}" if "ǁ" in function else f"{module}.{function[1:]}"


def _exit_codes(folder: Path, module: str) -> dict[str, int | None]:
    written = folder / f"mutants/src/{source_of(module)}.meta"
    codes: dict[str, int | None] = json.loads(written.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def _mutmut(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own arguments
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
