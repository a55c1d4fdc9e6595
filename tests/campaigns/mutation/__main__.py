"""``make mutation``: put small faults into the code, one at a time, and see whether a test fails.

mutmut makes most of the faults. What it does not touch, the values of a module and whatever bears a decorator, is
changed as ``by_hand`` says. Each fault that no test notices must stand in ``survivors.md`` with the reason.

Of the domain and the store every fault is tried. Of the modules around them a run tries those by hand and a sample of
the others: all of them would take hours. The sample is the same each time, so that a run which fails shows a change of
the code or of its tests; another seed draws another one.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.benchmarks.formatting import figure, table
from tests.campaigns.mutation import by_hand, mutants
from tests.campaigns.mutation.mutants import Sample
from tests.campaigns.mutation.survivors import EQUIVALENT, LEFT, known_survivors
from tests.campaigns.mutation.workspace import PROTOCOLS, SAMPLED, TESTS, WORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.campaigns.mutation.fault import Fault, Tried

SEED: Final = 2026
SAMPLE_FAULTS: Final = 6

HEAD = ("module", "faults", "noticed", "equivalent", "known", "unknown", "noticed of the rest", "seconds")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*TESTS, []], help="all, where none is named")
    parser.add_argument("--seed", type=int, default=SEED, help="draws the samples")
    parser.add_argument(
        "--sample", type=int, default=SAMPLE_FAULTS, metavar="FAULTS", help="of each module around domain and store"
    )
    options = parser.parse_args(arguments)
    modules: list[str] = options.modules or list(TESTS)
    sample = Sample(options.seed, options.sample)
    if not SAMPLED.isdisjoint(modules):
        say(f"Samples of {sample.size} faults, with the seed {sample.seed}.")

    known = known_survivors()
    rows: list[list[str]] = []
    unknown: list[Tried] = []
    tried_all: list[Tried] = []
    for module in modules:
        say(f"{module}: {len(TESTS[module])} test files ...")
        began_s = time.monotonic()
        tried = by_hand.try_all(module)
        if module not in PROTOCOLS:
            tried += mutants.try_all(module, sample if module in SAMPLED else None)
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
