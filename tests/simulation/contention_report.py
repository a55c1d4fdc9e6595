"""What `make contention` writes: the curve, the table of docs/performance.md, and a page with all figures."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inventory.domain.retry_budget import ATTEMPTS_MAX, BACKOFF_BASE_S, BACKOFF_CAP_S
from tests.simulation.contention import WRITERS, By, Load, Measured, measure
from tests.simulation.lines import Line, Panel, picture
from tests.simulation.policies import Doubling, Fading, Policy, Remember

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
PERFORMANCE: Final = ROOT / "docs" / "performance.md"
PAGE: Final = ROOT / "docs" / "contention.md"
CURVE: Final = ROOT / "docs" / "contention.svg"
CURVE_OF_BATCHES: Final = ROOT / "docs" / "contention-batches.svg"
THINKING_S: Final = 1.0

WAITS: Final = {
    "as it is": Policy(),
    "10 ms, doubling up to 0.5 s, 32 attempts": Policy(Doubling(0.010, 0.5), 32),
    "20 ms, doubling up to 0.5 s, 32 attempts": Policy(Doubling(0.020, 0.5), 32),
    "40 ms, doubling up to 0.5 s, 32 attempts": Policy(Doubling(0.040, 0.5), 32),
    "0.2 s always, 32 attempts": Policy(Doubling(0.2, 0.2), 32),
    "20 ms, up to 0.4 s, then falling to 0.1 s, 48 attempts": Policy(Fading(0.020, 1.2, 0.85, 0.1), 48),
    "20 ms, up to 0.3 s, then falling to 0.05 s, 48 attempts": Policy(Fading(0.020, 1.0, 0.8, 0.05), 48),
}
MEMORIES: Final = {
    "never cached": Policy(remember=Remember.NEVER),
    "always cached": Policy(remember=Remember.ALWAYS),
    "until a conflict or another writer (chosen)": Policy(),
}
BATCH_WRITERS: Final = (4, 8, 16)
BATCH_ITEMS: Final = (2, 10, 25, 49)
_BATCH_LOADS: Final = [
    # Without thought a minute of the largest would take minutes.
    Load(writers, thinking_s, duration_s=60.0 if thinking_s else 10.0, items=items)
    for thinking_s in (THINKING_S, 0.0)
    for items in BATCH_ITEMS
    for writers in BATCH_WRITERS
]
_WAIT_LOADS: Final = [
    Load(64, THINKING_S),
    Load(16, THINKING_S),
    # Some of the alternatives try so often without thought that a minute of it would take minutes.
    Load(64, 0.0, duration_s=10.0),
]
_MEMORY_LOADS: Final = [Load(writers, THINKING_S) for writers in (1, 2, 4, 16)] + [Load(1, 0.0), Load(4, 0.0)]


def main() -> None:
    """Measure all, on all cores, and write it down."""
    with ProcessPoolExecutor() as pool:
        ways = {
            (by, thinking_s): pool.map(measure, [Load(writers, thinking_s, by) for writers in WRITERS])
            for by in By
            for thinking_s in (THINKING_S, 0.0)
        }
        waits = {
            name: pool.map(measure, *zip(*[(load, policy) for load in _WAIT_LOADS], strict=True))
            for name, policy in WAITS.items()
        }
        memories = {
            name: pool.map(measure, *zip(*[(load, policy) for load in _MEMORY_LOADS], strict=True))
            for name, policy in MEMORIES.items()
        }
        batches = pool.map(measure, _BATCH_LOADS)
        of_batches = list(batches)
        measured = {way: list(results) for way, results in ways.items()}
        PAGE.write_text(
            _page(
                measured,
                {name: list(results) for name, results in waits.items()},
                {name: list(results) for name, results in memories.items()},
                of_batches,
            ),
            encoding="utf-8",
        )
    CURVE.write_text(_curve(measured), encoding="utf-8")
    CURVE_OF_BATCHES.write_text(_curve_of_batches(of_batches), encoding="utf-8")
    table = _short_table(measured[By.HTTP, THINKING_S], measured[By.QUEUE, THINKING_S])
    PERFORMANCE.write_text(_with_table(PERFORMANCE.read_text(encoding="utf-8"), table), encoding="utf-8")
    sys.stdout.write(table)


def _short_table(by_http: Sequence[Measured], by_queue: Sequence[Measured]) -> str:
    return _table(
        [
            "writers",
            *("HTTP: succeed", "attempts", "at most", "p50 ms", "p99 ms", "a second"),
            *("queue: attempts", "p50 ms", "p99 ms", "a second"),
        ],
        [
            [
                str(http.load.writers),
                _percent(http.success_rate),
                *_attempts(http),
                *_latencies(http),
                _rate(http),
                f"{queue.attempts_mean:.2f}",
                *_latencies(queue),
                _rate(queue),
            ]
            for http, queue in zip(by_http, by_queue, strict=True)
        ],
    )


def _page(
    ways: dict[tuple[By, float], list[Measured]],
    waits: dict[str, list[Measured]],
    memories: dict[str, list[Measured]],
    batches: list[Measured],
) -> str:
    parts = [_INTRODUCTION.format(base=BACKOFF_BASE_S * 1000, cap=BACKOFF_CAP_S, attempts=ATTEMPTS_MAX)]
    for (by, thinking_s), results in ways.items():
        thought = "1 s of thought between two requests" if thinking_s else "the next request at once after each answer"
        parts.append(f"## By {by}, {thought}\n")
        parts.append(
            _table(
                ["writers", *_FIGURES],
                [[str(each.load.writers), *_all_figures(each)] for each in results],
            )
        )
    parts.append(_BATCHES)
    parts.append(
        _table(
            ["items", "writers", "thought", *_FIGURES],
            [
                [str(each.load.items), str(each.load.writers), f"{each.load.thinking_s:.0f} s", *_all_figures(each)]
                for each in batches
            ],
        )
    )
    for title, alternatives in (("Back-off and attempts", waits), ("Cache of an item's state", memories)):
        parts.append(f"## {title}\n")
        parts.append(
            _table(
                ["", "writers", "thought", *_FIGURES],
                [
                    [name, str(each.load.writers), f"{each.load.thinking_s:.0f} s", *_all_figures(each)]
                    for name, results in alternatives.items()
                    for each in results
                ],
            )
        )
    return "\n".join(parts)


_INTRODUCTION: Final = """\
# Contention

After this page you know what many writers on one stock item cost, and why the service's back-off and cache are as they
are. `make contention` writes it: each writer has an execution environment of its own, for 60 simulated seconds (10
where alternatives are compared without thought). The service's own loop, store and queue handling run against a
simulated DynamoDB in virtual time. There a transaction takes 20 ms (15–25), a read 2.5 ms, the way to either 0.75 ms;
an item that a transaction has prepared refuses every other one; a partition takes 1,000 write units a second. The
service waits up to {base:.0f} ms after the first attempt, twice as long after each further one, {cap} s at most, for
{attempts} attempts and about 6.5 s.

"Succeed" are requests that were answered with the adjustment, not with `try_again`. Latencies are theirs, through the
queue from sending to the row in the ledger. The simulated queue delivers batches after a second, ten at a
time; with little traffic Lambda's own may take up to 20 seconds ([batches](messaging.md#send-requests-to-the-queue)).
"""


_BATCHES: Final = """\
## Batches that overlap, by HTTP

Each request is a batch of mode `atomic` with a line for each of so many items, drawn from 98 each time: two batches of
49 practically always meet, two of 2 in one of 25 cases. "A second" are batches. Without thought it is for 10 simulated
seconds.

![Latency and throughput of batches that overlap, by number of writers and of items](contention-batches.svg)
"""

_FIGURES: Final = ("succeed", "attempts", "p99", "at most", "p50 ms", "p99 ms", "a second", "calls each")


def _all_figures(measured: Measured) -> list[str]:
    return [
        _percent(measured.success_rate),
        f"{measured.attempts_mean:.2f}",
        f"{measured.attempts_at(0.99):.0f}",
        str(max(measured.attempts)),
        *_latencies(measured),
        _rate(measured),
        f"{measured.calls_each:.2f}",
    ]


def _attempts(measured: Measured) -> list[str]:
    return [f"{measured.attempts_mean:.2f}", str(max(measured.attempts))]


def _latencies(measured: Measured) -> list[str]:
    return [f"{measured.latency_s(share) * 1000:,.0f}" for share in (0.5, 0.99)]


def _rate(measured: Measured) -> str:
    return f"{measured.per_second:.1f}"


def _percent(share: float) -> str:
    # Rounded down: 100 % is all of them.
    return f"{int(share * 10_000) / 100:g} %"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _with_table(page: str, table: str) -> str:
    return re.sub(r"^\| writers \|.*\n(?:\|.*\n)+", lambda _: table, page, count=1, flags=re.MULTILINE)


_RED: Final = "#b5452c"
_BLUE: Final = "#2b6cb0"
_COLOURS: Final = dict(zip(BATCH_ITEMS, (_BLUE, "#2f855a", "#b7791f", _RED), strict=True))


def _curve_of_batches(batches: Sequence[Measured]) -> str:
    def of(items: int, thinking_s: float) -> list[Measured]:
        return [each for each in batches if (each.load.items, each.load.thinking_s) == (items, thinking_s)]

    def latencies(items: int, thinking_s: float, share: float) -> list[float]:
        return [each.latency_s(share) * 1000 for each in of(items, thinking_s)]

    def of_each(values: Callable[[int], list[float]]) -> list[Line]:
        return [Line(f"{items} items", values(items), colour) for items, colour in _COLOURS.items()]

    x_title = "writers with batches that overlap"
    within = "ms, 99 % of the batches within"
    ticks = (10, 100, 1_000, 10_000)
    return picture(
        "Batches that overlap: latency and batches a second, by number of writers and of items",
        [
            Panel(
                "Latency, with 1 s of thought",
                within,
                x_title,
                BATCH_WRITERS,
                of_each(lambda items: latencies(items, THINKING_S, 0.99)),
                ticks,
            ),
            Panel(
                "Latency, the next batch at once",
                within,
                x_title,
                BATCH_WRITERS,
                of_each(lambda items: latencies(items, 0.0, 0.99)),
                ticks,
            ),
            Panel(
                "Throughput, the next batch at once",
                "batches a second",
                x_title,
                BATCH_WRITERS,
                of_each(lambda items: [each.per_second for each in of(items, 0.0)]),
                (10, 20, 50, 100, 200, 500),
            ),
        ],
    )


def _curve(ways: dict[tuple[By, float], list[Measured]]) -> str:
    red, blue = _RED, _BLUE
    http, queue = ways[By.HTTP, THINKING_S], ways[By.QUEUE, THINKING_S]
    pressing, pressing_queue = ways[By.HTTP, 0.0], ways[By.QUEUE, 0.0]
    return picture(
        "One stock item under contention: latency and adjustments a second, by number of writers",
        [
            Panel(
                "Latency, with 1 s of thought",
                "ms, half and 99 % of the requests within",
                "writers on one stock item",
                WRITERS,
                [
                    Line("HTTP, 99 %", [each.latency_s(0.99) * 1000 for each in http], red),
                    Line("HTTP, half", [each.latency_s(0.5) * 1000 for each in http], red, is_dashed=True),
                    Line("queue, 99 %", [each.latency_s(0.99) * 1000 for each in queue], blue),
                    Line("queue, half", [each.latency_s(0.5) * 1000 for each in queue], blue, is_dashed=True),
                ],
                (10, 100, 1_000, 10_000),
            ),
            Panel(
                "Throughput",
                "adjustments a second",
                "writers on one stock item",
                WRITERS,
                [
                    Line("HTTP, at once", [each.per_second for each in pressing], red),
                    Line("HTTP, 1 s", [each.per_second for each in http], red, is_dashed=True),
                    Line("queue, at once", [each.per_second for each in pressing_queue], blue),
                    Line("queue, 1 s", [each.per_second for each in queue], blue, is_dashed=True),
                ],
                (0.5, 1, 2, 5, 10, 20, 50, 100),
            ),
        ],
    )
