"""The first request after a start, in a worker's process: nothing is known yet, and nothing was called before.

``python -m tests.benchmarks.first_request_worker <subject>`` prints what is asked and answered then. The process that
is measured plays it back: a stand-in for DynamoDB that works in the same process would count too.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys

from tests.benchmarks.environments import let_baselines_know, stock_the_tables
from tests.benchmarks.meters import Work
from tests.benchmarks.subjects import subject
from tests.benchmarks.transport import Exchange, Transport
from tests.support.builders.ids import VARIANT


class First:
    """A subject that was made ready a moment ago, and its one request."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.first_request_worker", name]
        recorded = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  our own command
        let_baselines_know()
        self._subject = subject(name)
        transport = Transport(*self._subject.clients)
        transport.recorded = [
            Exchange(operation, base64.b64decode(sent), status, base64.b64decode(answer))
            for operation, sent, status, answer in json.loads(recorded.stdout)
        ]
        transport.rewind()
        self._asked: object = None
        self.work: Work = Work(requests=1, calls=len(transport.recorded))

    def prepare(self, passes: int) -> None:
        assert passes == 1, "there is one first request"
        self._asked = self._subject.asked(0)

    def run(self) -> None:
        self._subject.call(self._asked)


def record(name: str) -> list[Exchange]:
    """What the first request asks of the tables, and their answers."""
    let_baselines_know()
    first = subject(name)
    transport = Transport(*first.clients)
    stock_the_tables(transport, [VARIANT])
    transport.begin_recording()
    first.call(first.asked(0))
    return transport.recorded


if __name__ == "__main__":
    output, sys.stdout = sys.stdout, sys.stderr  # the function's log lines
    exchanges = record(sys.argv[1])
    encoded = [
        (each.operation, base64.b64encode(each.sent).decode(), each.status, base64.b64encode(each.answer).decode())
        for each in exchanges
    ]
    print(json.dumps(encoded), file=output, flush=True)
