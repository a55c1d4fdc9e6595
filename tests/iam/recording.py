"""Every function of the stack in this process, on tables, queues and a bus in memory; each call to AWS is recorded.

The calls are those of the handlers' own clients, seen through the SDK's own events. So a new call is seen wherever it
is made, and nothing has to be listed here.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
import pytest
from moto import mock_aws

from inventory.aws.fast_session import fast_session
from tests.iam.deployed import BUS, QUEUE, REGION, TABLE, Deployed
from tests.support.faults.wire import reply
from tests.support.harness.loading import ROOT, Context, load_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from botocore.model import OperationModel

SOURCES: Final = (ROOT / "layers/inventory/inventory", ROOT / "functions")
_OF_A_TABLE: Final = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
_BEFORE_EACH_CALL: Final = "provide-client-params"


@dataclass(frozen=True)
class Call:
    """One call of the SDK: by which function (its logical id), from where in the sources, and what it asks for."""

    function: str
    service: str
    operation: str
    parameters: dict[str, Any]
    place: str


@dataclass(frozen=True)
class Answer:
    """What came of an invocation: an answer, or the exception that left the handler."""

    function: str
    event: Any
    value: Any
    raised: Exception | None

    @property
    def succeeded(self) -> bool:
        """Whether what the event asks for was done."""
        status: Any = self.value.get("statusCode", 200) if isinstance(self.value, dict) else 200
        return self.raised is None and status < 400


class InlineExecutor:
    """Does at once, in the same thread, what a pool would do: the tables in memory are for one thread."""

    def __init__(self, max_workers: int | None = None) -> None:
        self._max_workers = max_workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to be done."""

    def map[Given, Made](self, function: Callable[..., Made], *given: Iterable[Given]) -> Iterator[Made]:
        return map(function, *given)


@dataclass
class Recorder:
    """The stack in memory, from its beginning to its end; a context manager. ``modules`` has the handlers by folder."""

    stack: Deployed
    calls: list[Call] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    modules: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._exits = contextlib.ExitStack()
        self._patch = self._exits.enter_context(pytest.MonkeyPatch.context())
        self._exits.enter_context(mock_aws())
        self._patch.setenv("AWS_DEFAULT_REGION", REGION)
        # A handler is loaded anew; a module of the package is not, and so keeps the pool that it has imported.
        for place in ("inventory.api.writes", "concurrent.futures"):
            self._patch.setattr(f"{place}.ThreadPoolExecutor", InlineExecutor)
        self._make_resources()
        self.modules = {function.folder: self._loaded(name) for name, function in self.stack.functions.items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def invoke(self, folder: str, event: Any) -> Any:
        """Hand an event to the function in this folder; the answer, or the exception that left the handler."""
        module, printed = self.modules[folder], io.StringIO()
        if hasattr(module, "logger"):
            module.logger.registered_handler.stream = printed
        value, raised = None, None
        with contextlib.redirect_stdout(printed):
            try:
                value = module.handler(json.loads(json.dumps(event)), Context(remaining_ms=60_000))
            except Exception as error:  # noqa: BLE001  judged by the caller
                raised = error
        self.answers.append(Answer(folder, event, value, raised))
        return value if raised is None else raised

    @contextlib.contextmanager
    def answered(self, service_event: str, operation: str, answer: dict[str, Any]) -> Iterator[None]:
        """Let AWS answer this operation with this meanwhile, in whichever function calls it."""
        name = f"before-send.{service_event}.{operation}"
        clients = [each for module in self.modules.values() for each in _clients_of(module)]

        def answer_it(**_: object) -> Any:
            return reply(answer)

        for client in clients:
            client.meta.events.register_first(name, answer_it)
        yield
        for client in clients:
            client.meta.events.unregister(name, answer_it)

    def _make_resources(self) -> None:
        for name, properties in self.stack.of_type(TABLE).items():
            definition: Any = {each: properties[each] for each in _OF_A_TABLE if each in properties}
            boto3.client("dynamodb").create_table(TableName=self.stack.physical_name(name), **definition)
        for name in self.stack.of_type(QUEUE):
            boto3.client("sqs").create_queue(QueueName=self.stack.physical_name(name))
        for name in self.stack.of_type(BUS):
            boto3.client("events").create_event_bus(Name=self.stack.physical_name(name))

    def _loaded(self, name: str) -> Any:
        """Load a handler; every client that it makes reports its calls as this function's."""

        def record(params: dict[str, Any], model: OperationModel, **_: object) -> None:
            self.calls.append(Call(name, model.service_model.service_name, model.name, params, _place()))

        function = self.stack.functions[name]
        session = fast_session().events
        session.register(_BEFORE_EACH_CALL, record)
        try:
            return load_handler(function.folder, self._patch, **function.environment)
        finally:
            session.unregister(_BEFORE_EACH_CALL, record)


def _clients_of(module: Any) -> list[Any]:
    return [each for each in vars(module).values() if hasattr(each, "meta") and hasattr(each.meta, "service_model")]


def _place() -> str:
    """The innermost function of the service's own sources that is under way: ``storage/stock_store.py:commit``."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        path = Path(frame.f_code.co_filename)
        for folder in SOURCES:
            if path.is_relative_to(folder):
                return f"{path.relative_to(folder)}:{frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"
