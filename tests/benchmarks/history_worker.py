"""Our create function on the tables of a history, in a worker's process: what its requests ask, and what they take.

What a sample appends is taken away before the next one, so that the history is as long each time.
"""

from __future__ import annotations

import atexit
import json
import os
import re
from enum import StrEnum
from itertools import batched, cycle, islice
from typing import TYPE_CHECKING, Any, Final

from inventory.domain.rules import keyed_id
from inventory.storage import keys
from ops.aws import EmulatedAws
from tests.benchmarks.capacity import read_units, transaction_read_units
from tests.benchmarks.histories import QUANTITY_CHANGE, Axis, Place, asked_for, command, key_of, place, request
from tests.benchmarks.meters import Work
from tests.benchmarks.subjects import REQUESTS_OF_SAMPLE, Ours
from tests.benchmarks.tables import written_units

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_TOO_MANY: Final = -1_000_000_000
_BATCH_MAX: Final = 25
_NUMBER: Final = re.compile(rb'"N": ?"(-?\d+)"')
_OK: Final = 200


class Kind(StrEnum):
    """What a request meets."""

    KNOWN = "fresh, state known"
    UNKNOWN = "fresh, nothing known"
    REPLAY = "replay"
    REFUSAL = "refusal"


class Grown:
    """An environment that makes requests of one kind, all samples alike."""

    def __init__(self, kind: Kind, axis: Axis, length: int) -> None:
        self._kind = kind
        self._rows = asked_for(length)
        self._places = [place(axis, number) for number in self._rows]
        self._subject = Ours(self._request, status=409 if kind is Kind.REFUSAL else 201, replayed=kind is Kind.REPLAY)
        self._asked: list[object] = []
        self._inventory_table, self._ledger_table = os.environ["INVENTORY_TABLE"], os.environ["LEDGER_TABLE"]
        self._tables: Any = EmulatedAws(os.environ["DYNAMODB_ENDPOINT"]).dynamodb()
        self._stock = [
            self._tables.get_item(TableName=self._inventory_table, Key=each.key)["Item"] for each in set(self._places)
        ]
        atexit.register(self._restore)

        meter = Meter(self._subject.clients[0])
        self.prepare(1)
        meter.begin()
        self.run()
        self.work: Work = meter.end(REQUESTS_OF_SAMPLE)

    def prepare(self, passes: int) -> None:
        """Bring the history back to its length, and make the requests of so many samples."""
        self._restore()
        self._subject.forget()
        if self._kind is not Kind.UNKNOWN:
            for each in set(self._places):
                self._subject.module.adjuster.store.load([command(each, "none")])
        self._asked = [self._subject.asked(number) for number in range(passes * REQUESTS_OF_SAMPLE)]

    def run(self) -> None:
        """Make them."""
        for asked in self._asked:
            if self._kind is Kind.UNKNOWN:
                self._subject.forget()
            self._subject.call(asked)

    def _request(self, number: int) -> dict[str, Any]:
        row = self._rows[number % len(self._rows)]
        at = self._places[number % len(self._rows)]
        if self._kind is Kind.REPLAY:
            return request(at, key_of(row))
        return request(at, _key(number), _TOO_MANY if self._kind is Kind.REFUSAL else QUANTITY_CHANGE)

    def _restore(self) -> None:
        written = islice(zip(cycle(self._places), range(len(self._asked)), strict=False), len(self._asked))
        for batch in batched(written, _BATCH_MAX, strict=False):
            deletions = [{"DeleteRequest": {"Key": _ledger_key(at, number)}} for at, number in batch]
            assert not self._tables.batch_write_item(RequestItems={self._ledger_table: deletions})["UnprocessedItems"]
        for item in self._stock:
            self._tables.put_item(TableName=self._inventory_table, Item=item)
        self._asked = []


def _key(number: int) -> str:
    return f"measured{number:012d}"


def _ledger_key(at: Place, number: int) -> dict[str, dict[str, str]]:
    return {"pk": {"S": keys.ledger(at.business_id, keyed_id(at.business_id, _key(number)))}}


class Meter:
    """What one client asks of DynamoDB: calls, units by DynamoDB's rules, bytes of the bodies either way."""

    def __init__(self, client: Any) -> None:
        self._counts: dict[str, Any] = {}
        self._sent: Any = None
        self._counting = False
        client.meta.events.register("before-send.dynamodb", self._sends)
        client.meta.events.register("before-parse.dynamodb", self._receives)

    def begin(self) -> None:
        """Count from here on."""
        self._counts = dict.fromkeys(
            ("calls", "read_units", "units", "sent_bytes", "received_bytes", "sent_digits", "received_digits"), 0
        )
        self._counting = True

    def end(self, requests: int) -> Work:
        """What was counted."""
        self._counting = False
        return Work(requests=requests, **self._counts)

    def _sends(self, request: AWSPreparedRequest, **_: object) -> None:
        if self._counting:
            assert isinstance(request.body, bytes)
            self._sent = json.loads(request.body)
            self._add("sent", request.body)
            self._counts["calls"] += 1

    def _receives(self, response_dict: dict[str, Any], operation_model: Any, **_: object) -> None:
        if self._counting:
            body = response_dict["body"]
            self._add("received", body)
            reading, writing = _units(operation_model.name, self._sent, json.loads(body), response_dict["status_code"])
            self._counts["read_units"] += reading
            self._counts["units"] += writing

    def _add(self, way: str, body: bytes) -> None:
        self._counts[f"{way}_bytes"] += len(body)
        self._counts[f"{way}_digits"] += sum(map(len, _NUMBER.findall(body)))


def _units(operation: str, sent: Any, reply: Any, status: int) -> tuple[int, int]:
    """Read and write units of one call."""
    match operation:
        case "BatchGetItem":
            wanted = sum(len(each["Keys"]) for each in sent["RequestItems"].values())
            found = [item for items in reply["Responses"].values() for item in items]
            return sum(map(read_units, found)) + (wanted - len(found)) * read_units(None), 0
        case "TransactGetItems":
            return sum(transaction_read_units(each.get("Item")) for each in reply["Responses"]), 0
        case "TransactWriteItems":
            ledger_table = os.environ["LEDGER_TABLE"]
            return 0, sum(
                written_units(kind, part, applied=status == _OK, of_ledger=part["TableName"] == ledger_table)
                for each in sent["TransactItems"]
                for kind, part in each.items()
            )
        case _:
            raise AssertionError(f"no request here calls {operation}")
