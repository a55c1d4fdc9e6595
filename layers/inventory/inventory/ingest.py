"""A batch of messages, carried out together: each ends in the ledger, in a told refusal, or on the queue again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inventory import queue
from inventory.adjust import Outcome
from inventory.bus import Event, EventRefused
from inventory.errors import Refusal, StoreUnavailable, TryAgain
from inventory.groups import Fault, adjust_many
from inventory.requests import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.adjust import Adjuster, Result
    from inventory.bus import EventBus
    from inventory.history import AtOnce
    from inventory.model import Command
    from inventory.retries import Patience


@dataclass(slots=True)
class Message:
    """One message on its way: what it asks for, as far as that can be read, and what became of it.

    ``is_done``: it need not be delivered again.
    """

    record: queue.Record
    request: queue.Request | None = None
    command: Command | None = None
    result: Result | InvalidRequest | queue.Unreadable | Fault | None = None
    is_done: bool = False


def ingest(
    records: Sequence[queue.Record], adjuster: Adjuster, bus: EventBus, *, patience: Patience, at_once: AtOnce
) -> list[Message]:
    """Carry out a batch, and tell the bus of what is refused.

    A message that can't be read, settled or told holds up none of the others.

    Returns:
        What became of each message, once however often it came: between two of its copies stock may come in, and one
        would be told as refused and the other applied.
    """
    messages = [_read(record) for record in _once_each(records)]
    asking = [(message, message.command) for message in messages if message.command is not None]
    deciding = patience.all_but(queue.TELLING_TIME_S)
    results = adjust_many(adjuster, [command for _, command in asking], patience=deciding, at_once=at_once)
    for (message, _), result in zip(asking, results, strict=True):
        message.result, message.is_done = result, isinstance(result, Outcome)
    _tell_refusals(messages, bus, patience.all_but(queue.ANSWER_TIME_S))
    return messages


def _once_each(records: Sequence[queue.Record]) -> list[queue.Record]:
    first: dict[str, queue.Record] = {}
    for record in records:
        first.setdefault(record["messageId"], record)
    return list(first.values())


def _read(record: queue.Record) -> Message:
    message = Message(record)
    try:
        message.request = queue.read_message(record)
        message.command = message.request.command()
    except (queue.Unreadable, InvalidRequest) as error:
        message.result = error
    except Exception as error:  # noqa: BLE001  the edge of a message
        message.result = Fault(error)
    return message


def _tell_refusals(messages: list[Message], bus: EventBus, patience: Patience) -> None:
    """Tell what is refused. Until the bus has it a message is not done: then it will be decided again, and told."""
    telling = [(message, event) for message in messages if (event := _event_of(message)) is not None]
    try:
        fates = bus.put_all([event for _, event in telling], patience)
    except Exception as error:  # noqa: BLE001  the bus takes nothing of us: what needs no telling is done all the same
        for message, _ in telling:
            message.result = Fault(error)
        return
    for (message, _), fate in zip(telling, fates, strict=True):
        match fate:
            case None:
                message.is_done = True
            case StoreUnavailable():
                message.result = TryAgain()
            case EventRefused():
                message.result = Fault(fate)


def _event_of(message: Message) -> Event | None:
    """Make the event that tells a message's refusal; None where there is nothing to tell."""
    if message.request is None or not isinstance(message.result, Refusal | InvalidRequest):
        return None
    try:
        return Event(queue.REJECTED, queue.rejection(message.request, message.result))
    except Exception as error:  # noqa: BLE001  the edge of a message
        message.result = Fault(error)
        return None
