"""`make fuzz`: one target after the other, each in a process of its own, guided by what of our code inputs reach."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
LENGTH_MAX_BYTES = 4096
_RUNS = re.compile(r"(?:stat::number_of_executed_units:\s+|Done )(\d+)")


def _fuzz(target: str, arguments: list[str]) -> None:
    """Run one target until its time is over; what it finds ends the process."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["inventory", "tests.campaigns.fuzz.targets"]):
        targets = importlib.import_module("tests.campaigns.fuzz.targets")
    atheris.Setup([target, *arguments], targets.TARGETS[target])
    atheris.Fuzz()


def _run(target: str, seconds: int, found: Path) -> bool:
    """Start one target, say how it went, and return whether it found nothing."""
    corpus = found / target / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "tests.campaigns.fuzz", "--process", target, str(corpus), str(CORPUS / target)),
        *(f"-max_total_time={seconds}", f"-max_len={LENGTH_MAX_BYTES}", "-timeout=10", "-print_final_stats=1"),
        f"-artifact_prefix={found / target}/",
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    printed = done.stdout + done.stderr
    runs = [int(each) for each in _RUNS.findall(printed)]
    print(f"{target:10} {max(runs, default=0):>12,} inputs   {'nothing found' if done.returncode == 0 else 'FOUND'}")
    if done.returncode:
        print(printed[-6000:])
        print(f"Mend it, and keep what found it: move it from {found / target} to {CORPUS / target}", flush=True)
    return done.returncode == 0


def main() -> int:
    """Fuzz each target, or one."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--target", choices=sorted(each.name for each in CORPUS.iterdir()))
    wanted = parser.parse_args()
    found = Path(os.environ.get("LOCAL_DIR") or ".local").resolve() / "fuzz"
    targets = [wanted.target] if wanted.target else sorted(each.name for each in CORPUS.iterdir())
    clean = [_run(each, wanted.seconds, found) for each in targets]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        _fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main())
