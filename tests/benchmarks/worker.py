"""One variant in a process of its own: ``python -m tests.benchmarks.worker <variant>``.

It prints on its first line the work's requests to DynamoDB. Then it reads lines: a number of passes over the requests,
which it makes ready; an empty line, on which it makes them and answers with the CPU seconds of all its threads for one
pass; ``step``, on which it makes the next request only and answers with its CPU seconds and its wall-clock seconds.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.environments import Environment
from tests.benchmarks.meters import STEP
from tests.benchmarks.variants import variant


def main(name: str) -> None:
    # The function's log lines are written, but discarded.
    with (
        os.fdopen(os.dup(sys.stdout.fileno()), "w") as results,
        Path(os.devnull).open("w", encoding="utf-8") as sys.stdout,
    ):
        subject = variant(name)
        print(json.dumps(asdict(subject.work)), file=results, flush=True)
        passes = 1
        for line in sys.stdin:
            order = line.strip()
            if order == STEP:
                assert isinstance(subject, Environment)
                print(*_step(subject), file=results, flush=True)
            elif order:
                passes = int(line)
                subject.prepare(passes)
                gc.collect()
                print("ready", file=results, flush=True)
            else:
                begun_s = time.process_time()
                subject.run()
                print((time.process_time() - begun_s) / passes, file=results, flush=True)


def _step(subject: Environment) -> tuple[float, float]:
    begun_s, cpu_begun_s = time.perf_counter(), time.process_time()
    subject.step()
    return time.process_time() - cpu_begun_s, time.perf_counter() - begun_s


if __name__ == "__main__":
    main(sys.argv[1])
