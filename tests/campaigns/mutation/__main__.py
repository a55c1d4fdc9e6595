"""``make mutation``: put small faults into the domain and the store, one at a time, and see whether a test fails.

mutmut makes most of the faults. What it does not touch, the values of a module and whatever bears a decorator, is
changed as ``by_hand`` says. Each fault that no test notices must stand in ``survivors.md`` with the reason.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from typing import TYPE_CHECKING

from tests.benchmarks.formatting import figure, table
from tests.campaigns.mutation import by_hand, mutants
from tests.campaigns.mutation.survivors import EQUIVALENT, LEFT, known_survivors
from tests.campaigns.mutation.workspace import PROTOCOLS, TESTS, WORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.campaigns.mutation.fault import Fault, Tried

HEAD = ("module", "faults", "noticed", "equivalent", "known", "unknown", "noticed of the rest", "seconds")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*TESTS, []], help="all, where none is named")
    modules: list[str] = parser.parse_args(arguments).modules or list(TESTS)

    known = known_survivors()
    rows: list[list[str]] = []
    unknown: list[Tried] = []
    tried_all: list[Tried] = []
    for module in modules:
        say(f"{module}: {len(TESTS[module])} test files ...")
        began_s = time.monotonic()
        tried = by_hand.try_all(module) + ([] if module in PROTOCOLS else mutants.try_all(module))
        shutil.rmtree(WORK / module)
        rows.append(row(module, tried, known, took_s=time.monotonic() - began_s))
        tried_all += tried
        for each in tried:
            if not each.noticed and each.fault not in known:
                unknown.append(each)
                say(f"\nNo test notices `{each.fault.where}`: `{each.fault.stands}`\n{each.diff}")
    if len(modules) > 1:
        rows.append(row("all", tried_all, known, took_s=sum(float(each[-1].replace(",", "")) for each in rows)))
    say(table(HEAD, rows))
    return 1 if unknown else 0


def row(module: str, tried: Sequence[Tried], known: dict[Fault, str], *, took_s: float) -> list[str]:
    noticed = sum(each.noticed for each in tried)
    kinds = [known.get(each.fault) for each in tried if not each.noticed]
    equivalent, left = kinds.count(EQUIVALENT), kinds.count(LEFT)
    share = 100 * noticed / (len(tried) - equivalent)
    counts = (len(tried), noticed, equivalent, left, kinds.count(None))
    return [module, *(str(each) for each in counts), f"{figure(share, 1)} %", figure(took_s, 0)]


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
