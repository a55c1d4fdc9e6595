"""A stand-in for CloudFormation and S3 on this machine: it keeps what a deployment sends, and creates nothing.

It answers as far as the real `sam deploy` asks. Every other call is an error, so a new one would be noticed.
"""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKET: Final = "bucket-of-sam"
_OF_SAM: Final = "aws-sam-cli-managed-default"
_ID: Final = "arn:aws:cloudformation:us-east-1:123456789012:stack/{}/00000000"
_NOW: Final = "2026-01-01T00:00:00.000Z"

type Values = dict[str, str]


class CloudFormation(ThreadingHTTPServer):
    """The server. ``stacks`` are the names of the stacks that there are before the deployment."""

    daemon_threads = True

    def __init__(self, *stacks: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stacks: Final = dict.fromkeys(stacks, "UPDATE_COMPLETE")
        self.calls: Final[list[str]] = []
        self.objects: Final[dict[str, bytes]] = {}
        self.change_set: Values = {}
        self.is_executed = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def uploaded(self, address: str) -> bytes:
        """The object at an address that the deployment gave, ``s3://…`` or ``https://…``."""
        return self.objects[urlsplit(address).path.removeprefix(f"/{BUCKET}").lstrip("/")]

    def answer(self, action: str, values: Values) -> str | None:
        """The result of a call; None where it must fail because there is no such stack."""
        answers: dict[str, Callable[[Values], str | None]] = {
            "CreateChangeSet": self._create_change_set,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStacks": self._describe_stacks,
            "ExecuteChangeSet": self._execute_change_set,
            "GetTemplateSummary": self._template_summary,
        }
        return answers[action](values)

    def _describe_stacks(self, values: Values) -> str | None:
        name = values["StackName"].rsplit("/", 2)[-2] if "/" in values["StackName"] else values["StackName"]
        if name == _OF_SAM:
            outputs = f"<member><OutputKey>SourceBucket</OutputKey><OutputValue>{BUCKET}</OutputValue></member>"
            tags = "<member><Key>ManagedStackSource</Key><Value>AwsSamCli</Value></member>"
            return _stack(name, "CREATE_COMPLETE", f"<Outputs>{outputs}</Outputs><Tags>{tags}</Tags>")
        return _stack(name, self.stacks[name]) if name in self.stacks else None

    def _describe_stack_events(self, _: Values) -> str:
        """Before its execution, that the change set is there; after it, that the stack is done."""
        name = self.change_set["StackName"]
        status = self.stacks.get(name, "REVIEW_IN_PROGRESS") if self.is_executed else "REVIEW_IN_PROGRESS"
        named = f"<StackName>{name}</StackName><LogicalResourceId>{name}</LogicalResourceId><EventId>{status}</EventId>"
        kind = f"<ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>{status}</ResourceStatus>"
        ids = f"<StackId>{_ID.format(name)}</StackId><PhysicalResourceId>{_ID.format(name)}</PhysicalResourceId>"
        time = f"<Timestamp>2026-01-01T00:00:0{int(self.is_executed)}.000Z</Timestamp>"
        return f"<StackEvents><member>{ids}{named}{kind}{time}</member></StackEvents>"

    def _template_summary(self, values: Values) -> str | None:
        return "<Parameters/>" if values["StackName"] in self.stacks else None

    def _create_change_set(self, values: Values) -> str:
        self.change_set = values
        return f"<Id>arn:change-set</Id><StackId>{_ID.format(values['StackName'])}</StackId>"

    def _describe_change_set(self, _: Values) -> str:
        change = "<Action>Add</Action><LogicalResourceId>Api</LogicalResourceId><ResourceType>Some::Type</ResourceType>"
        changes = f"<member><Type>Resource</Type><ResourceChange>{change}</ResourceChange></member>"
        return f"<Status>CREATE_COMPLETE</Status><Changes>{changes}</Changes>"

    def _execute_change_set(self, values: Values) -> str:
        self.is_executed = True
        self.stacks[values["StackName"]] = f"{self.change_set['ChangeSetType']}_COMPLETE"
        return ""


def members(values: Values, prefix: str) -> list[Values]:
    """A list of structures, ``Parameters.member.1.ParameterKey=…``, as mappings in their order."""
    found: dict[int, Values] = {}
    for name, value in values.items():
        if name.startswith(f"{prefix}.member."):
            number, _, member = name.removeprefix(f"{prefix}.member.").partition(".")
            found.setdefault(int(number), {})[member] = value
    return [found[number] for number in sorted(found)]


def _stack(name: str, status: str, more: str = "") -> str:
    facts = f"<StackId>{_ID.format(name)}</StackId><StackStatus>{status}</StackStatus>"
    named = f"<StackName>{escape(name)}</StackName><CreationTime>{_NOW}</CreationTime>"
    return f"<Stacks><member>{named}{facts}{more}</member></Stacks>"


class _Handler(BaseHTTPRequestHandler):
    server: CloudFormation
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        values = dict(parse_qsl(self._body().decode(), keep_blank_values=True))
        action = values.get("Action", "")
        self.server.calls.append(f"cloudformation:{action}")
        try:
            result = self.server.answer(action, values)
        except KeyError:
            self._reply(400, _error("InvalidAction", f"{action} is not answered here"))
            return
        if result is None:
            self._reply(400, _error("ValidationError", f"Stack with id {values['StackName']} does not exist"))
            return
        self._reply(200, f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>")

    def do_HEAD(self) -> None:
        self.server.calls.append("s3:HeadObject")
        self._reply(200 if self._key() in self.server.objects else 404, "")

    def do_PUT(self) -> None:
        self.server.calls.append("s3:PutObject")
        body = self._body()
        self.server.objects[self._key()] = body
        self._reply(200, "", ETag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def do_GET(self) -> None:
        self.server.calls.append(f"s3:{self.path}")
        self._reply(400, _error("InvalidRequest", f"{self.path} is not answered here"))

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, status: int, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Type": "text/xml", "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _error(code: str, message: str) -> str:
    detail = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return f"<ErrorResponse><Error>{detail}</Error><RequestId>0</RequestId></ErrorResponse>"
