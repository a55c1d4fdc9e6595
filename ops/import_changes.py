"""The subcommands `import adjustments` and `import counts`: changes from a file, through the API or the queue."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from itertools import batched
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import httpx

from ops.errors import CommandError
from ops.http_api import ADJUSTMENTS, COUNTS
from ops.import_files import Column
from ops.stacks import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from ops.http_api import Api
    from ops.import_files import Cell, ImportFile, Line, Results

CHANGE_RESULTS = ("status", "adjustment_id", "key")
ACTOR = "import"
_AT_ONCE = 8
_MESSAGES_TOGETHER = 10

_OF_ANY = (
    Column("variant_id", also=("variant",)),
    Column("sku"),
    Column("location_id", also=("location",)),
    Column("reason_code"),
    Column("reference"),
    Column("expected_quantity", is_integer=True),
    Column("occurred_at"),
)


class Kind(NamedTuple):
    """What is imported: the route that takes it, and the columns of its file, which are the fields of its body."""

    path: str
    columns: tuple[Column, ...]


KINDS: Mapping[str, Kind] = {
    "adjustments": Kind(
        ADJUSTMENTS,
        (
            Column("quantity_change", also=("quantity", "change", "delta"), is_integer=True, is_required=True),
            Column("reason", is_required=True),
            *_OF_ANY,
        ),
    ),
    "counts": Kind(
        COUNTS,
        (
            Column("counted_quantity", also=("counted", "count", "quantity"), is_integer=True, is_required=True),
            Column("counted_at"),
            Column("reason"),
            *_OF_ANY,
        ),
    ),
}


def line_key(file: ImportFile, line: Line) -> str:
    """Return the idempotency key of a line: the same one whenever, and by whichever way, the same file is imported."""
    return f"import-{file.digest}-{line.number}"


@dataclass(frozen=True, slots=True)
class ThroughApi:
    """Sends each line as a request of its own; lines for one stock item one after the other, in their order."""

    api: Api
    path: str
    file: ImportFile
    done: ClassVar[str] = "imported"

    def carry_out(self, lines: Sequence[Line], results: Results) -> None:
        """Import some lines.

        Raises:
            CommandError: the API can't be reached, or the token is not good for this.
        """
        lanes: dict[tuple[Cell | None, ...], list[Line]] = {}
        for line in lines:
            lanes.setdefault(tuple(map(line.cells.get, ("variant_id", "sku", "location_id"))), []).append(line)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answered = dict(each for lane in pool.map(self._lane, lanes.values()) for each in lane)
        for line in lines:
            results.write(line, **answered[line.number])

    def _lane(self, lines: Sequence[Line]) -> list[tuple[int, dict[str, str]]]:
        return [(line.number, self._sent(line)) for line in lines]

    def _sent(self, line: Line) -> dict[str, str]:
        key = line_key(self.file, line)
        try:
            answer = self.api.post(self.path, dict(line.cells), key=key)
        except httpx.HTTPError as error:
            raise CommandError(f"{self.api.base_url} can't be reached: {error or type(error).__name__}") from None
        if answer.status == HTTPStatus.CREATED:
            replayed = answer.headers.get("Idempotent-Replayed") == "true"
            return {"status": "replayed" if replayed else "created", "adjustment_id": answer.body["id"], "key": key}
        if answer.code in {"unauthorized", "forbidden", "not_found"} or not answer.code:
            raise CommandError(
                f"{self.api.base_url}{self.path} answered {answer}: is the TOKEN good for this BUSINESS?"
            )
        return {"status": str(answer.status), "key": key, "error": in_words(answer.body["detail"])}


@dataclass(frozen=True, slots=True)
class ThroughQueue:
    """Sends each line as a message. What becomes of it is not known here: a rejection is an event."""

    queues: SQSClient
    queue_url: str
    business_id: str
    file: ImportFile
    done: ClassVar[str] = "sent"

    def carry_out(self, lines: Sequence[Line], results: Results) -> None:
        """Send some lines."""
        for together in batched(lines, _MESSAGES_TOGETHER, strict=False):
            reply = self.queues.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[{"Id": str(line.number), "MessageBody": self._message(line)} for line in together],
            )
            failed = {each["Id"]: each.get("Message", each["Code"]) for each in reply.get("Failed", [])}
            for line in together:
                error = failed.get(str(line.number), "")
                results.write(line, status="" if error else "sent", key=line_key(self.file, line), error=error)

    def _message(self, line: Line) -> str:
        named = {"business_id": self.business_id, "idempotency_key": line_key(self.file, line), "actor": ACTOR}
        return json.dumps(dict(line.cells) | named)
