"""The simulated DynamoDB does what the real one's documentation says, as far as the service leans on it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulation.clients import SimulatedClient, SoundWire
from tests.simulation.database import Database, Paces
from tests.simulation.expressions import condition, updated
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM, OTHER = {"pk": {"S": "item"}}, {"pk": {"S": "other"}}


class Scene:
    """A database with one client; what happens at which time is up to the test."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        # No chance in how long things take: a transaction is prepared for 10 ms, and written at 10 to 20 ms.
        self.database = Database(self.scheduler, Random(1), Paces(first_write=0.5, spread=0.0))
        self.client = SimulatedClient(self.database, SoundWire(self.scheduler))
        self.ends: dict[str, Any] = {}

    def at(self, seconds: float, name: str, call: Callable[[], Any]) -> None:
        def work() -> None:
            try:
                self.ends[name] = call()
            except Exception as error:  # noqa: BLE001  how a call ends is what a test looks at
                self.ends[name] = error

        self.scheduler.after(seconds, lambda: self.scheduler.spawn(work))

    def run(self) -> dict[str, Any]:
        self.scheduler.run()
        return self.ends

    def write(self, *keys: Any, value: str = "1", **more: Any) -> Any:
        puts = [{"Put": {"TableName": "t", "Item": {**key, "value": {"S": value}}, **more}} for key in keys]
        return lambda: self.client.transact_write_items(TransactItems=puts)

    def read(self, *keys: Any) -> Any:
        return lambda: self.client.batch_get_item(RequestItems={"t": {"Keys": list(keys), "ConsistentRead": True}})

    def read_at_once(self, *keys: Any) -> Any:
        gets = [{"Get": {"TableName": "t", "Key": key}} for key in keys]
        return lambda: self.client.transact_get_items(TransactItems=gets)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def codes(error: Any) -> list[str]:
    assert type(error).__name__ == "TransactionCanceledException"
    return [reason["Code"] for reason in error.response["CancellationReasons"]]


def test_the_second_of_two_concurrent_transactions_on_one_item_is_cancelled(scene: Scene) -> None:
    scene.at(0, "first", scene.write(ITEM))
    scene.at(0.005, "second", scene.write(OTHER, ITEM))
    ends = scene.run()
    assert "ConsumedCapacity" in ends["first"]
    assert codes(ends["second"]) == ["None", "TransactionConflict"]
    assert ("t", "other", "") not in scene.database.items


def test_two_transactions_in_sequence_are_both_applied(scene: Scene) -> None:
    scene.at(0, "first", scene.write(ITEM))
    scene.at(0.03, "second", scene.write(ITEM, value="2"))
    scene.run()
    assert scene.database.items["t", "item", ""]["value"] == {"S": "2"}


def test_a_failed_condition_cancels_all_and_returns_the_item_at_its_position(scene: Scene) -> None:
    absent = {
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    scene.at(0, "first", scene.write(ITEM))
    scene.at(0.03, "second", scene.write(OTHER, ITEM, value="2", **absent))
    error = scene.run()["second"]
    assert codes(error) == ["None", "ConditionalCheckFailed"]
    assert error.response["CancellationReasons"][1]["Item"]["value"] == {"S": "1"}
    assert ("t", "other", "") not in scene.database.items


def test_a_client_token_makes_a_transaction_idempotent_for_ten_minutes(scene: Scene) -> None:
    def put(value: str) -> Any:
        puts = [{"Put": {"TableName": "t", "Item": {**ITEM, "value": {"S": value}}}}]
        return lambda: scene.client.transact_write_items(TransactItems=puts, ClientRequestToken="a")

    scene.at(0, "first", put("1"))
    scene.at(0.005, "while it runs", put("1"))
    scene.at(1, "another", scene.write(ITEM, value="2"))
    scene.at(2, "again", put("1"))
    scene.at(3, "other content", put("3"))
    scene.at(700, "later", put("3"))
    ends = scene.run()
    assert type(ends["while it runs"]).__name__ == "TransactionInProgressException"
    assert "ConsumedCapacity" in ends["again"]
    assert type(ends["other content"]).__name__ == "IdempotentParameterMismatchException"
    assert "ConsumedCapacity" in ends["later"]
    assert [each.item["value"]["S"] for each in scene.database.journal] == ["1", "2", "3"]


def test_a_batch_read_may_see_part_of_a_transaction_and_a_transactional_read_never_does(scene: Scene) -> None:
    for number in range(8):
        scene.at(number, f"write {number}", scene.write(ITEM, OTHER, value=str(number)))
        for moment in range(12):
            at_s = number + 0.002 * moment
            scene.at(at_s, f"batch {number} {moment}", scene.read(ITEM, OTHER))
            scene.at(at_s, f"at once {number} {moment}", scene.read_at_once(ITEM, OTHER))
    ends = scene.run()
    seen_apart = [
        end
        for name, end in ends.items()
        if name.startswith("batch")
        and len({str(item["value"]) for item in end["Responses"]["t"]} | {str(len(end["Responses"]["t"]) % 2)}) > 2
    ]
    assert seen_apart
    cancelled = 0
    for name, end in ends.items():
        if name.startswith("at once"):
            if isinstance(end, Exception):
                assert "TransactionConflict" in codes(end)
                cancelled += 1
            else:
                found = [each.get("Item", {}).get("value") for each in end["Responses"]]
                assert found[0] == found[1]
    assert cancelled


def test_a_single_write_conflicts_with_a_transaction(scene: Scene) -> None:
    scene.at(0, "transaction", scene.write(ITEM))
    scene.at(0.005, "single", lambda: scene.client.put_item(TableName="t", Item=ITEM))
    assert type(scene.run()["single"]).__name__ == "TransactionConflictException"


def test_a_partition_takes_a_thousand_write_units_a_second_and_no_more(scene: Scene) -> None:
    for number in range(1_200):
        scene.at(0.0001 * number, f"{number}", scene.write(ITEM))
    scene.at(0.15, "at once", scene.write(ITEM))
    scene.at(1.0, "later", scene.write(ITEM))
    ends = scene.run()
    assert codes(ends["at once"])[0] in {"ThrottlingError", "ProvisionedThroughputExceeded"}
    assert "ConsumedCapacity" in ends["later"]


def test_a_transaction_with_a_repeated_item_or_too_many_items_is_rejected(scene: Scene) -> None:
    scene.at(0, "twice", scene.write(ITEM, ITEM))
    scene.at(0, "many", scene.read_at_once(*[{"pk": {"S": str(number)}} for number in range(101)]))
    for end in scene.run().values():
        assert end.response["Error"]["Code"] == "ValidationException"


def test_an_unknown_expression_fails_loudly() -> None:
    with pytest.raises(NotImplementedError):
        condition("size(pk) > :one")
    with pytest.raises(NotImplementedError):
        updated(None, ITEM, "SET a = a + :one", {}, {":one": {"N": "1"}})


def test_an_update_sets_keeps_and_removes() -> None:
    before = {**ITEM, "old": {"S": "kept"}, "gone": {"S": "x"}}
    expression = "SET #a = :a, old = if_not_exists(old, :a), new = if_not_exists(new, :a) REMOVE gone"
    after = updated(before, ITEM, expression, {"#a": "a"}, {":a": {"S": "1"}})
    assert after == {**ITEM, "old": {"S": "kept"}, "a": {"S": "1"}, "new": {"S": "1"}}
