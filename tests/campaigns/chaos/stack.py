"""What can be done to a running local stack: its functions' way to the tables, their processes, the emulator."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ops.local_stack import find_running
from tests.e2e.inbox import resource
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from local.places import Places
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Service

WRITERS: Final = ("CreateAdjustmentFunction", "ReverseAdjustmentFunction", "IngestAdjustmentsFunction")
IN_A_REQUESTS_PATH: Final = ("AuthorizerFunction", *WRITERS)
BESIDE_IT: Final = ("ReadInventoryFunction", "ProvisionFunction", "AuditLedgerFunction")
"""Must follow where the tables are not the emulator's any more."""

ALIAS: Final = "live"
HIDDEN_S: Final = 11
"""How long a message whose function was killed waits for its next delivery: longer than a function may run."""

_STOP_TIMEOUT_S: Final = 240


@contextmanager
def tables_behind(endpoint_url: str, stack: LocalStack, service: Service, logical_ids: Sequence[str]) -> Iterator[None]:
    """Let these functions reach their tables there: as a version of their own, until the end."""
    functions = service.functions
    names = [resource(stack, logical_id) for logical_id in logical_ids]
    before = {name: functions.get_function_configuration(FunctionName=name)["Environment"] for name in names}
    live = {name: functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"] for name in names}
    published: list[tuple[str, str]] = []
    try:
        for name in names:
            variables = {**before[name]["Variables"], "DYNAMODB_ENDPOINT": endpoint_url}
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
            version = functions.publish_version(FunctionName=name)["Version"]
            published.append((name, version))
            functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)
        yield
    finally:
        for name in names:
            functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=live[name])
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": before[name]["Variables"]}
            )
        # A rollback must not lead to a version whose tables do not exist.
        for name, version in published:
            functions.delete_function(FunctionName=name, Qualifier=version)
        # Environments of the replaced version would stay for an hour, with 50 MB each.
        kill(function_processes(stack.places))


@contextmanager
def soon_again(service: Service) -> Iterator[None]:
    """Let the queue hand a message out again after seconds, where it is minutes."""
    queue_url = service.outputs["AdjustmentRequestsQueueUrl"]
    before = service.queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
    service.queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": str(HIDDEN_S)})
    try:
        yield
    finally:
        service.queues.set_queue_attributes(QueueUrl=queue_url, Attributes=dict(before["Attributes"]))


def function_processes(places: Places, functions: str = "Function") -> list[int]:
    """The processes of this stack's functions whose names hold what is given: they are the emulator's children."""
    emulator = find_running(places)
    if emulator is None:
        return []
    pattern = f"ministack-lambda-.*({functions})"
    found = subprocess.run(  # noqa: S603  our own arguments
        ["pgrep", "-P", str(emulator.pid), "-f", pattern],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(pid) for pid in found.stdout.split()]


def kill(pids: list[int]) -> int:
    """End processes as a crash does, and wait until the emulator can see it; return how many there were."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(map(_runs, pids)):
        time.sleep(0.01)
    return len(pids)


def _runs(pid: int) -> bool:
    """Whether a process has not ended; one that has may be listed until its parent asks for it."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return state.stdout.strip() != "" and not state.stdout.startswith("Z")


def restart(stack: LocalStack, *, stopping: Callable[[], None]) -> None:
    """Stop the emulator with its state saved, whatever is under way, and start it again where it was.

    ``stopping`` is called when it takes no more requests.
    """
    places = stack.places
    running = find_running(places)
    assert running is not None, "it runs unless it was stopped here"
    os.kill(running.pid, signal.SIGTERM)
    while _listens(stack.port):
        time.sleep(0.02)
    stopping()
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while find_running(places) is not None:
        assert time.monotonic() < deadline, "the emulator did not stop in time"
        time.sleep(0.02)
    # A copy of its code for each process that a function has had: removing them now would take longer than the rest.
    places.temporary_dir.rename(places.local_dir / f"left-{running.pid}")
    # By a process that ends: as after `make run DETACH=1` the emulator has no parent process and outlives its starter.
    subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "tests.campaigns.chaos.start", str(places.local_dir), str(stack.port)],
        cwd=PROJECT_ROOT,
        check=True,
    )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def remove_what_restarts_left(places: Places) -> None:
    for left in places.local_dir.glob("left-*"):
        shutil.rmtree(left, ignore_errors=True)
