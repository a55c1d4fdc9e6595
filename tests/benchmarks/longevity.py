"""What a long-lived environment keeps: one that handles requests for more stock items than it may remember.

``python -m tests.benchmarks.longevity`` is that environment, in a process of its own.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from inventory.storage import keys
from inventory.storage.stock_store import CATALOG_ENTRIES_MAX, STOCK_ENTRIES_MAX
from tests.benchmarks import meters
from tests.benchmarks.checks import Check
from tests.benchmarks.environments import stock_item
from tests.benchmarks.subjects import fresh, variant
from tests.benchmarks.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.benchmarks.transport import Body
from tests.support.builders.ids import LOCATION
from tests.support.harness.loading import ROOT, Context, load_by_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.awsrequest import AWSPreparedRequest

ITEMS: Final = 50_000
MARKS: Final = (1_000, 10_000, 50_000, 100_000)
FULL: Final = 10_000
"""From so many requests on, each for another stock item, the memories are as full as they get."""

GROWTH_MAX_MB: Final = 2.0
"""From then on, to the last request: a fortieth of what it would be if 40,000 more items were kept at 2 KB each."""

LEGEND: Final = (
    f"create_adjustment in one process, network stubbed: {MARKS[-1]:,} requests under keys of their own, for {ITEMS:,} "
    "stock\nitems in turn, so that none is still known when it comes again: two calls each, the dearest there is.\n"
    "CPU: for each request since the row before. items, catalog: what is remembered."
)


@dataclass(frozen=True, slots=True)
class Row:
    """An environment after so many requests. ``cpu_us`` is for each request since the row before."""

    requests: int
    rss_mb: float
    stock_entries: int
    shared_entries: int
    catalog_entries: int
    cpu_us: float


class Endless:
    """Answers a client's calls for any stock item there might be, and keeps nothing: only the client could grow."""

    def __init__(self, client: Any) -> None:
        client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes)
        sent = json.loads(request.body)
        match event_name.rpartition(".")[2]:
            case "BatchGetItem":
                wanted = sent["RequestItems"].get(INVENTORY_TABLE, {"Keys": []})["Keys"]
                found = {INVENTORY_TABLE: [key | _members(key) for key in wanted], LEDGER_TABLE: []}
                reply: dict[str, object] = {"Responses": found, "UnprocessedKeys": {}}
            case "TransactWriteItems":
                reply = {"ConsumedCapacity": [{"TableName": INVENTORY_TABLE, "CapacityUnits": 2.0}]}
            case unknown:
                raise AssertionError(f"no fresh request calls {unknown}")
        return AWSResponse("https://dynamodb.test", 200, HTTPHeaders(), Body(json.dumps(reply).encode()))


def _members(key: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What there is under any key: all is active, and every stock item stands where it stood at first."""
    if key["sk"]["S"] == keys.SETTINGS:
        return {"allow_negative_stock": {"BOOL": False}, "default_location_id": {"S": str(LOCATION)}}
    if key["pk"]["S"].startswith("BUSINESS#"):
        return {"active": {"BOOL": True}}
    return {name: value for name, value in stock_item().items() if name not in key}


class Environment:
    """The create function as it was loaded, on that."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._store: Any = module.adjuster.store
        Endless(self._store._client)

    def carry_out(self, numbers: range, items: int) -> None:
        """Handle the requests of these numbers, for so many stock items in turn."""
        for number in numbers:
            response = self._module.handler(fresh(number, variant_id=variant(number % items)), Context())
            assert response["statusCode"] == 201, response

    @property
    def entries(self) -> tuple[int, int, int]:
        """How many it remembers: stock items, stock items that others move too, catalog items."""
        stock, catalog = self._store._stock, self._store._catalog
        return len(stock._entries), len(stock._contended_since_s), len(catalog._entries)


def measure() -> tuple[list[Row], list[Check]]:
    """Let one grow old."""
    command = [sys.executable, "-m", "tests.benchmarks.longevity"]
    finished = subprocess.run(  # noqa: S603  our own command
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(meters.ENVIRONMENT)
    ).stdout
    rows = [Row(**json.loads(line)) for line in finished.splitlines()]
    return rows, judged(rows)


def judged(rows: Sequence[Row]) -> list[Check]:
    """What must hold of it."""
    full = next(row for row in rows if row.requests >= FULL)
    grown_mb = rows[-1].rss_mb - full.rss_mb
    most = {"stock items": STOCK_ENTRIES_MAX, "catalog items": CATALOG_ENTRIES_MAX}
    reached = {
        "stock items": max(row.stock_entries + row.shared_entries for row in rows),
        "catalog items": max(row.catalog_entries for row in rows),
    }
    return [
        *(
            Check(f"{what} remembered", f"at most {most[what]:,}", f"{reached[what]:,}", reached[what] <= most[what])
            for what in most
        ),
        Check(
            f"memory, {full.requests:,} to {rows[-1].requests:,} requests",
            f"at most {GROWTH_MAX_MB:+.0f} MB",
            f"{grown_mb:+.1f} MB",
            grown_mb <= GROWTH_MAX_MB,
        ),
    ]


def grow_old() -> Iterator[Row]:
    """Handle all requests in this process."""
    environment = Environment(load_by_path(ROOT / "functions" / "create_adjustment" / "handler.py", "handler"))
    handled = 0
    for mark in MARKS:
        begun_s = time.process_time()
        environment.carry_out(range(handled, mark), ITEMS)
        cpu_us = (time.process_time() - begun_s) / (mark - handled) * 1e6
        gc.collect()
        stock, shared, catalog = environment.entries
        yield Row(mark, _rss_mb(), stock, shared, catalog, cpu_us)
        handled = mark


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    # The function's log lines are written, but discarded.
    with (
        os.fdopen(os.dup(sys.stdout.fileno()), "w") as results,
        Path(os.devnull).open("w", encoding="utf-8") as sys.stdout,
    ):
        for row in grow_old():
            print(json.dumps(asdict(row)), file=results, flush=True)


if __name__ == "__main__":
    main()
