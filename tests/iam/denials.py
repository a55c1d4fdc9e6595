"""What must be denied: everything that no function was seen to need, and any change of what the ledger holds.

A request that was recorded is needed. Every other combination of a role, an action and a resource must be denied; for
writes and queries so must every other kind of key, and the same write without its transaction. So a role that allows
too much is found whatever it allows, and so is a condition that was lost.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from tests.iam.deployed import ACCOUNT, BUS, FUNCTION, QUEUE, REGION, TABLE
from tests.iam.engine import ADMINISTRATOR
from tests.iam.requests import ENCLOSING, LEADING_KEYS, Request, table_arn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.iam.deployed import Deployed

LEDGER: Final = "LedgerTable"
IN_A_TRANSACTION: Final = "TransactWriteItems"
VIA_CLOUDFORMATION: Final = (("aws:CalledVia", ("cloudformation.amazonaws.com",)),)

READS_BY_KEY: Final = ("BatchGetItem", "GetItem")
"""The roles do not tell kinds of keys apart here: who may read one item of a table by its key may read all."""

READS: Final = (*READS_BY_KEY, "PartiQLSelect", "Query", "Scan")
WRITES: Final = ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")
"""Those that a transaction can consist of."""

WRITES_OUTSIDE: Final = ("BatchWriteItem", "PartiQLDelete", "PartiQLInsert", "PartiQLUpdate")
ON_THE_TABLE: Final = (
    *("CreateBackup", "DeleteResourcePolicy", "DeleteTable", "DescribeTable", "ExportTableToPointInTime"),
    *("PutResourcePolicy", "TagResource", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive"),
)
ON_AN_INDEX: Final = ("PartiQLSelect", "Query", "Scan")
ON_A_STREAM: Final = ("DescribeStream", "GetRecords", "GetShardIterator")
ON_A_QUEUE: Final = ("DeleteMessage", "GetQueueAttributes", "PurgeQueue", "ReceiveMessage", "SendMessage")
ON_A_LOG_GROUP: Final = ("CreateLogStream", "PutLogEvents")
WITHOUT_CONDITION: Final = {"Scan", *ON_THE_TABLE}
"""Actions that know no partition key."""

NO_KIND: Final = "OTHER"
"""A key of a kind that nothing has."""

ELSEWHERE: Final = (
    ("dynamodb:ListTables", "*"),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
    ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/any"),
    ("s3:GetObject", "arn:aws:s3:::any/object"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:any"),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/any"),
)


def unneeded(needed: Iterable[Request], stack: Deployed) -> list[Request]:
    """Every request of a function's role that none of the recorded ones needs."""
    needed = list(needed)
    roles = sorted({function.role for function in stack.functions.values()})
    cells = {(each.principal, each.action, each.resource) for each in needed}
    exact = {
        (each.principal, each.action, each.resource, each.enclosing, kind)
        for each in needed
        for kind in each.kinds or ("",)
    }

    def is_needed(request: Request) -> bool:
        if request.action.removeprefix("dynamodb:") in (*WRITES, "Query"):
            (kind,) = request.kinds
            # Whoever may write an item by itself may write it in a transaction too.
            return any((*request[:3], enclosing, kind) in exact for enclosing in ("", request.enclosing))
        return (request.principal, request.action, request.resource) in cells

    tried = chain.from_iterable(_tried(role, needed, stack) for role in roles)
    return [each for each in tried if not is_needed(each)]


def alterations_of_the_ledger(stack: Deployed) -> list[Request]:
    """What would alter the ledger, take rows from it, or put one by itself, by each role and by an administrator."""
    ledger = table_arn(stack.physical_name(LEDGER))
    roles = {function.role for function in stack.functions.values()} | {ADMINISTRATOR}
    return [
        *(
            write
            for role in sorted(roles)
            for action in ("DeleteItem", "PutItem", "UpdateItem", *WRITES_OUTSIDE)
            for write in _writes(role, action, ledger, "row")
            if (action, write.enclosing) != ("PutItem", IN_A_TRANSACTION)
        ),
        *(
            Request(role, f"dynamodb:{action}", ledger)
            for role in sorted(roles)
            for action in ("DeleteTable", "UpdateTable", "UpdateTimeToLive")
        ),
    ]


def left_to_administrators(stack: Deployed) -> list[Request]:
    """What the ledger's own policy leaves to those whom their policies allow everything, as docs/security.md says."""
    ledger = table_arn(stack.physical_name(LEDGER))
    append = ((LEADING_KEYS, (_key("row"),)), (ENCLOSING, (IN_A_TRANSACTION,)))
    return [
        Request(ADMINISTRATOR, "dynamodb:PutItem", ledger, append),
        Request(ADMINISTRATOR, "dynamodb:UpdateTable", ledger, VIA_CLOUDFORMATION),
        *(
            Request(ADMINISTRATOR, f"dynamodb:{action}", ledger)
            for action in ("DeleteResourcePolicy", "PutResourcePolicy", "UpdateContinuousBackups")
        ),
    ]


def _tried(role: str, needed: list[Request], stack: Deployed) -> Iterator[Request]:
    for table, kinds in _kinds_by_table(needed, stack).items():
        for action in (*READS, *WRITES, *WRITES_OUTSIDE, *ON_THE_TABLE):
            for kind in kinds:
                yield from _writes(role, action, table, kind)
                if action in WITHOUT_CONDITION:
                    break
    for index in _indexes(stack):
        for action in ON_AN_INDEX:
            yield from _writes(role, action, index, "row")
    for service, actions, resources in (
        ("dynamodb", ON_A_STREAM, _streams(stack)),
        ("sqs", ON_A_QUEUE, [stack.arn(name) for name in stack.of_type(QUEUE)]),
        ("events", ("PutEvents",), _buses(stack)),
        ("lambda", ("InvokeFunction",), [stack.arn(name) for name in stack.of_type(FUNCTION)]),
        ("logs", ON_A_LOG_GROUP, _log_streams(needed)),
    ):
        yield from (Request(role, f"{service}:{action}", each) for action in actions for each in resources)
    yield from (Request(role, action, resource) for action, resource in (*ELSEWHERE, ("dynamodb:ListStreams", "*")))


def _writes(role: str, action: str, resource: str, kind: str) -> Iterator[Request]:
    """An action on an item, by itself and, where it can be a part of a transaction, within one."""
    context = () if action in WITHOUT_CONDITION else ((LEADING_KEYS, (_key(kind),)),)
    if action != "ConditionCheckItem":  # which is never by itself
        yield Request(role, f"dynamodb:{action}", resource, context)
    if action in WRITES:
        yield Request(role, f"dynamodb:{action}", resource, (*context, (ENCLOSING, (IN_A_TRANSACTION,))))


def _key(kind: str) -> str:
    return "0d9bf3c6-5d0c-4a0e-9b42-7f1f6c2a9e11#any" if kind == "row" else f"{kind}#any"


def _kinds_by_table(needed: list[Request], stack: Deployed) -> dict[str, list[str]]:
    """Each table with the kinds of keys that were seen in it; with several, also one that the service does not have.

    Where all items are of one kind, as in the ledger, no role tells kinds apart.
    """
    tables = [stack.arn(name) for name in stack.of_type(TABLE)] + [table_arn("another-table")]
    seen = {table: {kind for each in needed if each.resource == table for kind in each.kinds} for table in tables}
    return {table: sorted(kinds if len(kinds) == 1 else kinds | {NO_KIND}) for table, kinds in seen.items()}


def _indexes(stack: Deployed) -> list[str]:
    return [
        f"{stack.arn(name)}/index/{index['IndexName']}"
        for name, table in stack.of_type(TABLE).items()
        for index in table.get("GlobalSecondaryIndexes", [])
    ]


def _streams(stack: Deployed) -> list[str]:
    return [
        f"{stack.arn(name)}/stream/2026-11-23T14:05:09.123"
        for name, table in stack.of_type(TABLE).items()
        if "StreamSpecification" in table
    ]


def _buses(stack: Deployed) -> list[str]:
    return [*map(stack.arn, stack.of_type(BUS)), f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"]


def _log_streams(needed: list[Request]) -> list[str]:
    return sorted({each.resource for each in needed if each.action == "logs:PutLogEvents"})
