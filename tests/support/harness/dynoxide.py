"""DynamoDB's API on SQLite, not by the emulator's makers: what this engine has acknowledged outlives a kill -9.

`make chaos CRASHES=1` installs it from a lock with its hash, for Linux on x86-64.
"""

from __future__ import annotations

import subprocess
import time
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError

from local.emulator import free_port
from ops.aws import EmulatedAws
from ops.local_stack import HOST
from ops.project import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

ENGINE: Final = PROJECT_ROOT / ".dynoxide/node_modules/@dynoxide/linux-x64/dynoxide"

_DEFINING: Final = ("AttributeDefinitions", "KeySchema")
_DEFINING_INDEX: Final = ("IndexName", "KeySchema", "Projection")
_START_TIMEOUT_S: Final = 30.0
_PAUSE_S: Final = 0.005
_BATCH_MAX: Final = 25


class Dynoxide:
    """One engine with its tables in ``folder``; a context manager. Its address stays the same when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tables.sqlite"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint_url = f"http://{HOST}:{self._port}"

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def client(self) -> DynamoDBClient:
        """A client of its own."""
        return EmulatedAws(self.endpoint_url).dynamodb()

    def kill(self) -> None:
        """End it as a power cut ends a process, whatever is under way, and start it again on what it has written."""
        self._end()
        self._start()

    def take_over(self, source: DynamoDBClient, table_names: list[str]) -> None:
        """Make tables of those names, as they are defined elsewhere, with all that stands in them there."""
        client = self.client
        for name in table_names:
            client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **_definition(source, name))
            pages = source.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
            puts: Iterator[WriteRequestTypeDef] = (
                {"PutRequest": {"Item": item}} for page in pages for item in page["Items"]
            )
            for batch in batched(puts, _BATCH_MAX, strict=False):
                assert not client.batch_write_item(RequestItems={name: list(batch)}).get("UnprocessedItems")

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own arguments
            [ENGINE, "serve", "--host", HOST, "--port", str(self._port), "--db-path", str(self._path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client, deadline = self.client, time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                client.list_tables()
            except BotoCoreError:
                assert time.monotonic() < deadline, "the engine did not answer"
                assert self._process.poll() is None, "the engine ended"
                time.sleep(_PAUSE_S)
            else:
                return

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def _definition(source: DynamoDBClient, name: str) -> dict[str, Any]:
    table = source.describe_table(TableName=name)["Table"]
    indexes = [
        {each: value for each, value in index.items() if each in _DEFINING_INDEX}
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
    definition = {each: value for each, value in table.items() if each in _DEFINING}
    return definition | ({"GlobalSecondaryIndexes": indexes} if indexes else {})
