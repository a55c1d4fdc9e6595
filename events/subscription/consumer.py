"""What a subscriber has to do: a mirror of the stock levels, and the reason of each rejection.

    python consumer.py QUEUE_URL [--endpoint-url http://127.0.0.1:4566] [--until-empty]

It needs boto3, and your own credentials where the queue is in AWS. An event may come twice, and in any order. Each
adjustment holds the balance after it, so a mirror needs only the one with the highest `sequence` of a stock item; who
adds up the deltas instead keeps the `id` of each adjustment, and takes none twice.
"""

import argparse
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class StockMirror:
    """Quantity on hand by (business, variant, location), and what was rejected."""

    rejections: list[dict[str, Any]] = field(default_factory=list)
    _newest: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)

    def receive(self, message_body: str) -> str:
        """Take one message of the queue and return what it says; delete it from there when this returns."""
        event = json.loads(message_body)
        detail = event["detail"]
        match event["detail-type"]:
            case "InventoryAdjusted":
                return self._adjusted(detail)
            case "InventoryAdjustmentRejected":
                self.rejections.append(detail)
                return rejection_in_words(detail)
            case other:  # a kind that is younger than this program
                return f"ignored {other}"

    def quantity(self, business_id: str, variant_id: str, location_id: str) -> int:
        """Return the quantity on hand as far as it was reported; 0 where nothing was."""
        _, quantity = self._newest.get((business_id, variant_id, location_id), (0, 0))
        return quantity

    def _adjusted(self, adjustment: dict[str, Any]) -> str:
        stock_item = (adjustment["business_id"], adjustment["variant_id"], adjustment["location_id"])
        reported = (adjustment["sequence"], adjustment["quantity_after"])
        self._newest[stock_item] = max(reported, self._newest.get(stock_item, reported))
        sequence, quantity = self._newest[stock_item]
        return f"adjusted {adjustment['delta']:+} {' '.join(stock_item)}: {quantity} on hand at sequence {sequence}"


def rejection_in_words(rejection: dict[str, Any]) -> str:
    """Say which request was rejected and why. Its key is free again: send a corrected one under the same key."""
    request, error = rejection["request"], rejection["error"]
    sent = request if isinstance(request, dict) else {}
    which = sent.get("idempotency_key") or rejection.get("event_id") or rejection.get("message_id") or "without a key"
    detail = error["detail"]
    if isinstance(detail, list):  # the request breaks rules: one entry for each
        why = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in detail)
    else:
        facts = [f"{name}: {fact}" for name, fact in detail.items() if name not in {"code", "message"}]
        why = f"{detail['message']}{' (' + ', '.join(facts) + ')' if facts else ''}"
    return f"rejected {which}: {error['type']}: {why}"


def follow(queues: Any, queue_url: str, mirror: StockMirror, *, until_empty: bool) -> None:
    """Receive messages until Ctrl-C, or until none is there. What can't be read stays, and ends in the other queue."""
    while True:
        messages = queues.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in messages.get("Messages", []):
            try:
                print(mirror.receive(message["Body"]), flush=True)
            except (KeyError, TypeError, ValueError) as error:
                print(f"can't read {message['MessageId']}: {error!r}", flush=True)
            else:
                queues.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        if until_empty and not messages.get("Messages"):
            return


def main() -> None:
    """Print each event of a queue."""
    parser = argparse.ArgumentParser(description="Print each event of a queue that is subscribed to the service.")
    parser.add_argument("queue_url")
    parser.add_argument("--endpoint-url", help="of the local stack, or of another endpoint than AWS's")
    parser.add_argument("--until-empty", action="store_true", help="end when no message is there")
    arguments = parser.parse_args()
    import boto3  # noqa: PLC0415 — so that the mirror can be used without it

    queues = boto3.client("sqs", endpoint_url=arguments.endpoint_url)
    try:
        follow(queues, arguments.queue_url, StockMirror(), until_empty=arguments.until_empty)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
