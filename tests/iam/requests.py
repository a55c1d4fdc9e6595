"""Calls as IAM sees them: for each call of the SDK the actions, resources and condition keys that are decided.

As the Service Authorization Reference lists them: a transaction is not an action, each of its parts is one, with the
transaction as ``dynamodb:EnclosingOperation``. A batch is one action on each of its tables. An index is a resource of
its own. Lambda acts in the name of a function's role too: for its logs, triggers and destinations.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.iam.deployed import ACCOUNT, REGION, TABLE, Deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.iam.recording import Call

ENCLOSING: Final = "dynamodb:EnclosingOperation"
LEADING_KEYS: Final = "dynamodb:LeadingKeys"
ATTRIBUTES: Final = "dynamodb:Attributes"
LAMBDA_ITSELF: Final = "Lambda"

_PARTS: Final = {"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
_PARTS_OF_A_TRANSACTION: Final = _PARTS | {"ConditionCheck": "ConditionCheckItem"}
_WORDS_OF_EXPRESSIONS: Final = frozenset(
    {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT"}
    | {"attribute_exists", "attribute_not_exists", "if_not_exists", "begins_with"}
)
_KIND: Final = re.compile(r"([A-Z]+)#")


class Request(NamedTuple):
    """One decision of IAM: may this principal (a role, by its logical id) do this to that?

    ``context`` holds the condition keys. ``why`` says where the request comes from.
    """

    principal: str
    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()
    why: str = ""

    @property
    def enclosing(self) -> str:
        """The transaction that it is a part of; an empty text for none."""
        return "".join(dict(self.context).get(ENCLOSING, ()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the partition keys begin with, such as STOCK; ``row`` for what is no such word."""
        return tuple(sorted({kind_of(key) for key in dict(self.context).get(LEADING_KEYS, ())}))

    @property
    def cell(self) -> tuple[str, str, str, str, tuple[str, ...]]:
        """What tells two requests apart: not which item exactly."""
        return (self.principal, self.action, self.resource, self.enclosing, self.kinds)


def kind_of(key: str) -> str:
    """The word that a partition key begins with."""
    found = _KIND.match(key)
    return found[1] if found else "row"


def requests_of(call: Call, stack: Deployed) -> Iterator[Request]:
    """What IAM decides for one call of the SDK."""
    role, parameters = stack.functions[call.function].role, call.parameters
    match call.service, call.operation:
        case "dynamodb", "TransactGetItems" | "TransactWriteItems":
            yield from _of_a_transaction(call, role, stack)
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            for table, wanted in parameters["RequestItems"].items():
                keys = [
                    key
                    for each in _keys_of_a_batch(wanted)
                    for key in _leading_keys({"TableName": table} | each, stack)
                ]
                yield _made(role, call.operation, {"TableName": table}, {LEADING_KEYS: keys}, call.place)
        case "dynamodb", operation:
            keys = _leading_keys(parameters, stack)
            yield _made(role, operation, parameters, {LEADING_KEYS: keys} if keys else {}, call.place)
        case "events", "PutEvents":
            for bus in {each["EventBusName"] for each in parameters["Entries"]}:
                arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}"
                yield Request(role, "events:PutEvents", arn, why=call.place)
        case "sqs", operation:
            name = parameters["QueueUrl"].rpartition("/")[2]
            yield Request(role, f"sqs:{operation}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", why=call.place)
        case service, operation:
            raise AssertionError(f"what does IAM decide for {service}'s {operation}?")


def _of_a_transaction(call: Call, role: str, stack: Deployed) -> Iterator[Request]:
    for part in call.parameters["TransactItems"]:
        ((kind, item),) = part.items()
        context = {ENCLOSING: [call.operation], LEADING_KEYS: _leading_keys(item, stack)}
        if kind == "Update":
            context[ATTRIBUTES] = _attributes(item)
        yield _made(role, _PARTS_OF_A_TRANSACTION[kind], item, context, call.place)


def table_arn(name: str) -> str:
    """The ARN of a table by its name."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _made(role: str, operation: str, item: dict[str, Any], context: dict[str, list[str]], why: str) -> Request:
    index = f"/index/{item['IndexName']}" if "IndexName" in item else ""
    sorted_context = tuple((name, tuple(dict.fromkeys(values))) for name, values in sorted(context.items()))
    return Request(role, f"dynamodb:{operation}", table_arn(item["TableName"]) + index, sorted_context, why)


def _keys_of_a_batch(wanted: Any) -> list[dict[str, Any]]:
    """The keys of a batch of reads, or the requests of a batch of writes."""
    if isinstance(wanted, dict):
        return [{"Key": key} for key in wanted["Keys"]]
    return [next(iter(each.values())) for each in wanted]


def _leading_keys(item: dict[str, Any], stack: Deployed) -> list[str]:
    """The values of the partition key, as text, that a read or write names; none for a scan."""
    attribute = _partition_key(item["TableName"], item.get("IndexName"), stack)
    if "KeyConditionExpression" in item:
        return [_value_in_condition(attribute, item)]
    key = item.get("Key", item.get("Item"))
    return [] if key is None else [next(iter(key[attribute].values()))]


def _attributes(update: dict[str, Any]) -> list[str]:
    """The attributes that an update names, its key's among them."""
    text = f"{update['UpdateExpression']} {update.get('ConditionExpression', '')}"
    names = update.get("ExpressionAttributeNames", {})
    words = {names.get(word, word) for word in re.findall(r"(?<![:\w])#?\w+", text)}
    return sorted({name for name in words if name not in _WORDS_OF_EXPRESSIONS} | update["Key"].keys())


def _partition_key(table: str, index: str | None, stack: Deployed) -> str:
    (properties,) = [each for name, each in stack.of_type(TABLE).items() if stack.physical_name(name) == table]
    indexes = {each["IndexName"]: each["KeySchema"] for each in properties.get("GlobalSecondaryIndexes", [])}
    schema = properties["KeySchema"] if index is None else indexes[index]
    return str(schema[0]["AttributeName"])


def _value_in_condition(attribute: str, query: dict[str, Any]) -> str:
    """The value that a query's condition compares the partition key with."""
    names = {name: placeholder for placeholder, name in query.get("ExpressionAttributeNames", {}).items()}
    written = re.escape(names.get(attribute, attribute))
    found = re.search(rf"(?<!\w){written}\s*=\s*(:\w+)", query["KeyConditionExpression"])
    assert found, f"{query['KeyConditionExpression']} names no value of {attribute}"
    return str(next(iter(query["ExpressionAttributeValues"][found[1]].values())))


# ---------------------------------------------------------------------------------- what Lambda does with a role


def requests_of_lambda(stack: Deployed) -> Iterator[Request]:
    """What Lambda itself does in the name of each function's role: for its logs, triggers and destinations."""
    for function, properties in stack.of_type("AWS::Lambda::Function").items():
        stream = f"log-group:{properties['LoggingConfig']['LogGroup']}:log-stream:2026/11/23/[1]0123"
        for action in ("CreateLogStream", "PutLogEvents"):
            arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:{stream}"
            yield Request(stack.functions[function].role, f"logs:{action}", arn, why=LAMBDA_ITSELF)
    for trigger in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        role = stack.functions[function_named(trigger["FunctionName"], stack)].role
        for action, arn in _reads_of(trigger["EventSourceArn"]):
            yield Request(role, action, arn, why=LAMBDA_ITSELF)
        yield from _of_a_destination(role, trigger)
    for settings in stack.of_type("AWS::Lambda::EventInvokeConfig").values():
        yield from _of_a_destination(stack.functions[function_named(settings["FunctionName"], stack)].role, settings)


def function_named(name: str, stack: Deployed) -> str:
    """The logical id of a function, by its name or the ARN of its alias."""
    physical_name = name.partition(":function:")[2].partition(":")[0] or name
    (found,) = [each for each in stack.functions if stack.physical_name(each) == physical_name]
    return found


def _reads_of(source: str) -> list[tuple[str, str]]:
    """What Lambda's documentation asks a role for, by the kind of the event source."""
    if ":sqs:" in source:
        return [(f"sqs:{each}", source) for each in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
    assert "/stream/" in source, f"what does Lambda do to read {source}?"
    of_the_stream = [(f"dynamodb:{each}", source) for each in ("DescribeStream", "GetRecords", "GetShardIterator")]
    return [*of_the_stream, ("dynamodb:ListStreams", "*")]


def _of_a_destination(role: str, settings: dict[str, Any]) -> Iterator[Request]:
    destinations = settings.get("DestinationConfig", {})
    for arn in (each["Destination"] for each in destinations.values()):
        assert ":sqs:" in arn, f"how does Lambda send to {arn}?"
        yield Request(role, "sqs:SendMessage", arn, why=LAMBDA_ITSELF)
