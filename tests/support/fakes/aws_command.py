"""The AWS command line, as far as the runbook uses it, on whatever clients it is given.

The runbook's commands are for a program that this project does not need otherwise. Here its words are read by the SDK's
own description of each call, and the call is made; what is printed is printed as that program prints it.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from botocore.model import OperationModel

SERVICES: Final = {"deploy": "codedeploy", "s3api": "s3"}
"""What the command line calls otherwise than its library."""
OF_EVERY_CALL: Final = {"query", "output"}


class Misread(Exception):
    """Words that the command line would not understand."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Which call it is, and which of its options are given; of a waiter, which one it is."""

    service: str
    name: str
    options: frozenset[str]

    @classmethod
    def of(cls, words: Sequence[str]) -> Signature:
        service, name, *rest = words
        if name == "wait":
            name, *rest = f"wait {rest[0]}", *rest[1:]
        options = {word.removeprefix("--") for word in rest if word.startswith("--")}
        return cls(service, name, frozenset(options - OF_EVERY_CALL))


@dataclass(frozen=True, slots=True)
class NotHere:
    """A call that is not made where this runs: why, and what is answered in its place."""

    because: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    is_refused: bool = True
    """It is made all the same and must be refused; an answer fails the test. False: it would do harm."""


def parameters(operation: OperationModel, words: Sequence[str], folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the options of a call; return its parameters, and those options that every call has.

    Raises:
        Misread: it has no such option, or can't take that value.
    """
    shape: Any = operation.input_shape
    members: dict[str, Any] = {} if shape is None else dict(shape.members)
    by_option = {xform_name(member, "-"): member for member in members}
    given: dict[str, Any] = {}
    common: dict[str, str] = {}
    for option, values in _options(words):
        if option in OF_EVERY_CALL:
            (common[option],) = values
        elif option in by_option:
            member = by_option[option]
            given[member] = _value(members[member], values, folder)
        elif (member := by_option.get(option.removeprefix("no-"), "")) and members[member].type_name == "boolean":
            given[member] = False
        else:
            raise Misread(f"{operation.name} has no --{option}")
    report = ParamValidator().validate(given, shape) if shape is not None else None
    if report is not None and report.has_errors():
        raise Misread(report.generate_report())
    return given, common


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    if words and not words[0].startswith("--"):
        raise Misread(f"{words[0]} is no option")
    starts = [at for at, word in enumerate(words) if word.startswith("--")]
    for at, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[at].removeprefix("--"), list(words[at + 1 : end])


def _value(shape: Any, words: list[str], folder: Path) -> Any:
    """Read what follows an option: nothing after a flag, several words for a list, else one."""
    if shape.type_name == "boolean" and not words:
        return True
    if shape.type_name == "list" and not (len(words) == 1 and words[0].startswith(("[", "file://"))):
        return [_value(shape.member, [word], folder) for word in words]
    if len(words) != 1:
        raise Misread(f"one value, not {words}")
    if shape.type_name == "blob":
        return (folder / words[0]).read_bytes()
    if words[0].startswith("file://"):
        return _one(shape, (folder / words[0].removeprefix("file://")).read_text(encoding="utf-8"))
    return _one(shape, words[0])


def _one(shape: Any, word: str) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return int(word)
        case "float" | "double":
            return float(word)
        case "string" | "timestamp":
            return word
        case "boolean" if word in {"true", "false"}:
            return word == "true"
        case "structure" if not word.lstrip().startswith("{"):
            return dict(_shorthand(shape, word))
        case _:
            return json.loads(word)


def _shorthand(shape: Any, word: str) -> Iterator[tuple[str, Any]]:
    """Read ``Name=value,Name=value``."""
    for part in word.split(","):
        name, _, value = part.partition("=")
        if name not in shape.members:
            raise Misread(f"{shape.name} has no {name}")
        yield name, _one(shape.members[name], value)


def as_text(value: Any) -> str:
    """Print as ``--output text`` does: a row of a list on a line, its cells apart by tabs.

    Raises:
        Misread: it has names; their order would be the service's whim.
    """
    match value:
        case dict():
            raise Misread("names come in no order: ask for a list")
        case list() if any(isinstance(each, list) for each in value):
            return "".join(as_text(each) for each in value)
        case list():
            return "\t".join(as_text(each).strip("\n") for each in value) + "\n" if value else ""
        case _:
            return f"{value}\n"


@dataclass(slots=True)
class AwsCommand:
    """The program: calls go to the clients, and what was called is remembered."""

    client: Callable[[str], Any]
    not_here: Mapping[tuple[str, str], NotHere]
    called: set[Signature] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, words: Sequence[str], folder: Path) -> tuple[int, str]:
        """Make one call, and return the exit status and what is printed."""
        with self._lock:  # clients are not made by several threads at a time
            try:
                printed = self._run(words, folder)
            except (BotoCoreError, ClientError, Misread, OSError, ValueError) as error:
                self.failed.append(f"aws {' '.join(words)}: {error}")
                return 254, f"{error}\n"
            self.called.add(Signature.of(words))
            return 0, printed

    def _run(self, words: Sequence[str], folder: Path) -> str:
        service, name, *rest = words
        client = self._client(service)
        if name == "wait":
            waiter = client.get_waiter(xform_name(rest[0].replace("-", "_")))
            operation, rest = waiter.config.operation, rest[1:]
        else:
            operations = {xform_name(each, "-"): each for each in client.meta.service_model.operation_names}
            if name not in operations:
                raise Misread(f"{service} has no {name}")
            operation = operations[name]
        given, common = parameters(client.meta.service_model.operation_model(operation), rest, folder)
        if (found := self.not_here.get((service, f"wait {words[2]}" if name == "wait" else name))) is not None:
            if found.is_refused:
                self._is_refused(client, operation, given)
            return _printed([dict(found.answer)], common)
        if name == "wait":
            waiter.wait(**given, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
            return ""
        if client.can_paginate(xform_name(operation)) and common.get("output") == "text":
            # That program looks through each page by itself then.
            return _printed(list(client.get_paginator(xform_name(operation)).paginate(**given)), common)
        if client.can_paginate(xform_name(operation)):
            return _printed([client.get_paginator(xform_name(operation)).paginate(**given).build_full_result()], common)
        return _printed([getattr(client, xform_name(operation))(**given)], common)

    def _is_refused(self, client: Any, operation: str, given: Mapping[str, Any]) -> None:
        try:
            getattr(client, xform_name(operation))(**given)
        except ClientError:
            return
        raise Misread(f"{operation} is answered here: take it from the list of what is not")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.client(SERVICES.get(service, service))
        return self._clients[service]


def _printed(pages: Sequence[dict[str, Any]], common: Mapping[str, str]) -> str:
    printed = ""
    for page in pages:
        page.pop("ResponseMetadata", None)
        found = jmespath.search(common["query"], page) if "query" in common else page
        if common.get("output") == "text":
            printed += as_text(found)
        elif found:
            printed += json.dumps(found, indent=4, default=str) + "\n"
        elif "query" in common:
            printed += json.dumps(found) + "\n"
    return printed


# --- on the path of a shell

_PROGRAM: Final = """#!{python} -IS
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as connection, connection.makefile("rw") as file:
    file.write(json.dumps([os.getcwd(), sys.argv[1:]]) + "\\n")
    file.flush()
    status, printed = json.loads(file.readline())
(sys.stderr if status else sys.stdout).write(printed)
sys.exit(status)
"""


class _Asked(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        folder, words = json.loads(self.rfile.readline())
        answer = self.server.command.run(words, Path(folder))  # type: ignore[attr-defined]
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class Desk(socketserver.ThreadingTCPServer):
    """Answers a program ``aws`` of a few lines: so a shell's call costs milliseconds, not the start of an SDK."""

    daemon_threads = True

    def __init__(self, command: AwsCommand) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.command = command

    def install(self, folder: Path) -> None:
        """Write the program into a folder that is on the path."""
        program = folder / "aws"
        program.write_text(_PROGRAM.format(python=sys.executable, port=self.server_address[1]), encoding="utf-8")
        program.chmod(0o755)
