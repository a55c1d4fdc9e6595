"""One variant in a process of its own: ``python -m tests.performance.worker <variant>``.

It tells on its first line what the work asks of DynamoDB. Each line that it reads is a number of passes over the
requests; it makes them, and answers with the CPU seconds of all its threads for one.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tests.performance.variants import requests_of_sample, variant

if TYPE_CHECKING:
    from tests.performance.variants import Variant

ROWS_COMPARED = 99
"""The least that a sample of any variant appends."""


def main(name: str) -> None:
    # What a function logs goes where nobody reads it, but is written all the same.
    with (
        os.fdopen(os.dup(sys.stdout.fileno()), "w") as told,
        Path(os.devnull).open("w", encoding="utf-8") as sys.stdout,
    ):
        subject = variant(name)
        subject.sample()
        tables = subject.transport.tables
        rows = json.dumps(tables.ledger[:ROWS_COMPARED], sort_keys=True)
        work = {
            "requests": requests_of_sample(name),
            "calls": tables.bill.calls.total(),
            "stock_units": tables.bill.stock_units,
            "units": tables.bill.units,
            "ledger": sha256(rows.encode()).hexdigest(),
        }
        one_pass(subject)
        print(json.dumps(work), file=told, flush=True)
        for line in sys.stdin:
            passes = int(line)
            gc.collect()
            begun_s = time.process_time()
            for _ in range(passes):
                one_pass(subject)
            print((time.process_time() - begun_s) / passes, file=told, flush=True)


def one_pass(subject: Variant) -> None:
    subject.transport.rewind()
    subject.sample()


if __name__ == "__main__":
    main(sys.argv[1])
