"""An environment that was restored from a snapshot: its connections are dead, and others come from the same one."""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import TYPE_CHECKING, override

import pytest

from inventory.aws import snapstart
from inventory.aws.clients import dynamodb_client, events_client
from inventory.aws.failures import translated_failures
from inventory.domain.errors import StoreUnavailable
from tests.support.harness.loading import CREDENTIALS, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Forgetful(ThreadingHTTPServer):
    """Answers every call with an empty item. What it forgot it resets, but only when something comes in on it.

    As after a restore, so nothing on the connection says before it is used that it leads nowhere.
    """

    daemon_threads = True
    forgotten = 0
    accepted = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def forget_connections(self) -> None:
        self.forgotten = self.accepted


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Forgetful

    @override
    def setup(self) -> None:
        super().setup()
        self.server.accepted += 1
        self.number = self.server.accepted

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.number <= self.server.forgotten:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.close_connection = True
            return
        body = json.dumps({"ConsumedCapacity": {"TableName": "access", "CapacityUnits": 1.0}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Forgetful]:
    with Forgetful() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """What is registered with the module that Lambda's runtime has."""
    registered: list[Callable[[], None]] = []
    runtime = ModuleType("snapshot_restore_py")
    runtime.register_after_restore = registered.append  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "snapshot_restore_py", runtime)
        importlib.reload(snapstart)
        yield registered
    importlib.reload(snapstart)


def call(client: DynamoDBClient) -> None:
    with translated_failures():
        client.get_item(TableName="access", Key={"pk": {"S": "TOKEN#1"}})


def test_a_call_on_a_connection_from_before_the_snapshot_would_fail(server: Forgetful) -> None:
    client = dynamodb_client(server.endpoint_url)
    call(client)

    server.forget_connections()

    with pytest.raises(StoreUnavailable):
        call(client)


def test_after_a_restore_the_first_call_goes_out_on_a_new_connection(
    server: Forgetful, hooks: list[Callable[[], None]]
) -> None:
    client = dynamodb_client(server.endpoint_url)
    snapstart.close_after_restore(client)
    call(client)

    for _ in range(2):  # a snapshot is restored many times, and what was restored may be so once more
        server.forget_connections()
        for hook in hooks:
            hook()
        call(client)

    assert server.accepted == 3


def test_where_nothing_is_restored_nothing_is_registered(server: Forgetful) -> None:
    assert "snapshot_restore_py" not in sys.modules
    client = dynamodb_client(server.endpoint_url)

    snapstart.close_after_restore(client)
    call(client)


def test_every_kind_of_client_can_be_closed_after_a_restore(
    hooks: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    clients = [dynamodb_client(None), events_client()]

    for client in clients:
        snapstart.close_after_restore(client)

    assert all(client.close in hooks for client in clients)


RESTORED_TWICE = """
import importlib.util, json, os, random, sys

spec = importlib.util.spec_from_file_location("handler", sys.argv[1])
handler = importlib.util.module_from_spec(spec)
spec.loader.exec_module(handler)

def drawn():
    # A fork seeds `random` anew, which a restore does not: without this the test would miss who draws from it.
    random.seed(0)
    return [str(handler.adjuster.new_id()), handler.adjuster.fraction()]

for _ in range(2):
    child = os.fork()
    if child == 0:
        print(json.dumps(drawn()), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("function", ["create_adjustment", "reverse_adjustment"])
def test_two_environments_of_one_snapshot_draw_different_ids_and_jitter(function: str) -> None:
    drawn = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", RESTORED_TWICE, str(ROOT / "functions" / function / "handler.py")],
        env=CREDENTIALS
        | {
            "AWS_EC2_METADATA_DISABLED": "true",
            "INVENTORY_TABLE": "inventory",
            "LEDGER_TABLE": "ledger",
            "PATH": os.environ["PATH"],
            "POWERTOOLS_METRICS_NAMESPACE": "restored",
            "POWERTOOLS_SERVICE_NAME": function,
            "PYTHONPATH": str(ROOT / "layers" / "inventory"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert drawn.returncode == 0, drawn.stderr
    one, other = map(json.loads, drawn.stdout.splitlines())

    assert len(one) == len(other) == 2
    assert all(each != its_like for each, its_like in zip(one, other, strict=True))
