"""``make chaos``: real faults on a running stack of its own, a table of them, and whether anything was lost."""

from __future__ import annotations

import argparse
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx

from tests.benchmarks.formatting import table
from tests.campaigns.chaos.campaign import Campaign, Plan
from tests.e2e.conftest import LocalStack, local_service, running_stack
from tests.support.harness.dynoxide import Dynoxide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.campaigns.chaos.campaign import Outcome

CLIENTS = 64
SENDERS = 2
ONE_IN = 20
KILLS_A_MINUTE = 6
CRASHES_A_MINUTE = 6
MINUTES_BETWEEN_RESTARTS = 2.5
REPEATS = 300
TIMEOUT_S = 29
"""As long as API Gateway lets a request take."""

_DIFFERENCES_SHOWN = 50


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="how long the callers go on; 5")
    parser.add_argument("--seed", type=int, help="of requests and faults; a new one each time")
    parser.add_argument("--clients", type=int, default=CLIENTS, help=f"over HTTP; {CLIENTS}")
    parser.add_argument("--crashes", action="store_true", help="with tables in an engine that is killed now and then")
    asked = parser.parse_args(arguments)
    seed = random.randrange(1_000_000) if asked.seed is None else asked.seed
    plan = Plan(
        seed=seed,
        clients=asked.clients,
        senders=SENDERS,
        one_in=ONE_IN,
        kills=round(KILLS_A_MINUTE * asked.minutes),
        restarts=max(1, round(asked.minutes / MINUTES_BETWEEN_RESTARTS)),
        repeats=REPEATS,
        crashes=round(CRASHES_A_MINUTE * asked.minutes) if asked.crashes else 0,
        minutes=asked.minutes,
    )
    say(f"Seed {seed}; {plan.clients} clients and {plan.senders} senders for {asked.minutes:g} minutes")
    with TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        return _carry_out(plan, stack)


def _carry_out(plan: Plan, stack: LocalStack) -> int:
    begun = time.monotonic()
    limits = httpx.Limits(max_connections=None)
    with ExitStack() as all_of_it:
        http = all_of_it.enter_context(httpx.Client(timeout=TIMEOUT_S, limits=limits, trust_env=False))
        database = all_of_it.enter_context(Dynoxide(stack.places.local_dir)) if plan.crashes else None
        outcome = Campaign(plan, stack, local_service(stack, http), say, database=database).run()
    say(f"\n{text_of(outcome)}\n\nmake audit: {outcome.audit}")
    for line in outcome.differences[:_DIFFERENCES_SHOWN]:
        say(f"DIFFERS  {line}")
    if outcome.differences or not outcome.adds_up:
        log = Path(".local/chaos-functions.log")
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(stack.places.functions_log.read_bytes())
        say(f"NOT as acknowledged: {len(outcome.differences)} differences; functions' log: {log}, seed {plan.seed}")
        return 1
    say(f"Everything acknowledged is there once, and nothing else; {time.monotonic() - begun:.0f} s, seed {plan.seed}")
    return 0


def text_of(outcome: Outcome) -> str:
    counted, injected = (
        table(head, [[name, f"{number:,}"] for name, number in cells.items()])
        for head, cells in (
            (["requests and rows", "number"], outcome.counts),
            (["faults injected", "number"], outcome.injected),
        )
    )
    return f"{counted}\n\n{injected}"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}" if text[0] != "\n" else text, flush=True)  # noqa: T201  what it is for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
