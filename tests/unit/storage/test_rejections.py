"""The markers of rejected messages on DynamoDB: what is sent, and what each reply means."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import Rejection
from inventory.domain.store import MESSAGES_MAX, Applied
from inventory.storage.items import rejection_item
from inventory.storage.rejections import MARKER_LIFETIME, RejectionMarkers
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, NOW
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from tests.support.faults.wire import Reply

DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64
REJECTION = Rejection("InsufficientStock", {"code": "insufficient_stock", "quantity_on_hand": 3})
EARLIER = Rejection("InsufficientStock", {"code": "insufficient_stock", "quantity_on_hand": 1})
ROW = an_adjustment()
ROW_ID = (BUSINESS, ROW.id)
FINE = "None"
PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
FAILED = "ConditionalCheckFailed"


class Markers(StoreOnTables):
    """The markers, in the same tables as a store."""

    @property
    def rejections(self) -> RejectionMarkers:
        return RejectionMarkers(
            self.client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE, clock=lambda: NOW
        )


@pytest.fixture
def markers() -> Markers:
    return Markers()


def put_on(met: Reply, row_id: Any = ROW_ID) -> Rejection | Applied | None:
    made = Markers()
    made.tables.meets("TransactWriteItems", met)
    return made.rejections.put(DIGEST, REJECTION, row_id)


def test_a_marker_is_put_if_there_is_none_and_no_row_of_the_messages_key(markers: Markers) -> None:
    assert markers.rejections.put(DIGEST, REJECTION, ROW_ID) is None

    (request,) = markers.tables.requests["TransactWriteItems"]
    assert request["TransactItems"] == [
        {
            "Put": {
                "TableName": INVENTORY_TABLE,
                "Item": {
                    "pk": {"S": f"MESSAGE#{DIGEST}"},
                    "sk": {"S": "REJECTION"},
                    "error_type": {"S": "InsufficientStock"},
                    "detail": {"S": '{"code": "insufficient_stock", "quantity_on_hand": 3}'},
                    "rejected_at": {"S": NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
                    "expires_at": {"N": str(int((NOW + timedelta(days=60)).timestamp()))},
                },
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "ConditionCheck": {
                "TableName": LEDGER_TABLE,
                "Key": {"pk": {"S": f"{BUSINESS}#{ROW.id}"}},
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
    ]


def test_what_is_not_valid_names_no_row(markers: Markers) -> None:
    assert markers.rejections.put(DIGEST, REJECTION, None) is None

    (request,) = markers.tables.requests["TransactWriteItems"]
    assert [*request["TransactItems"][0]] == ["Put"]
    assert len(request["TransactItems"]) == 1


def test_a_second_marker_is_the_first_one(markers: Markers) -> None:
    markers.rejections.put(DIGEST, EARLIER, ROW_ID)

    assert markers.rejections.put(DIGEST, REJECTION, ROW_ID) == EARLIER
    assert markers.rejections.find([DIGEST]) == {DIGEST: EARLIER}


def test_a_message_that_is_applied_gets_no_marker(markers: Markers) -> None:
    markers.tables.with_row(ROW)

    assert isinstance(markers.rejections.put(DIGEST, REJECTION, ROW_ID), Applied)
    assert markers.rejections.find([DIGEST]) == {}


def test_an_earlier_marker_counts_more_than_a_row_of_the_key_which_another_message_wrote(markers: Markers) -> None:
    markers.rejections.put(DIGEST, EARLIER, ROW_ID)
    markers.tables.with_row(ROW)

    assert markers.rejections.put(DIGEST, REJECTION, ROW_ID) == EARLIER


@pytest.mark.parametrize("code", PASSING)
@pytest.mark.parametrize("of_row", [FINE, FAILED, "TransactionConflict"])
def test_a_conflict_or_throttling_may_pass(code: str, of_row: str) -> None:
    with pytest.raises(StoreUnavailable):
        put_on(cancelled(code, of_row))
    with pytest.raises(StoreUnavailable):
        put_on(cancelled(FINE, code))


def test_a_marker_that_has_just_expired_may_be_put_again() -> None:
    with pytest.raises(StoreUnavailable):
        put_on(cancelled(FAILED, FINE))


@pytest.mark.parametrize("reasons", [("SomethingNew", FINE), (FINE, "ValidationError"), (FINE,), ()])
def test_unknown_reasons_are_a_fault(reasons: tuple[str, ...]) -> None:
    with pytest.raises(ClientError):
        put_on(cancelled(*reasons))


@pytest.mark.parametrize("met", [broken(), fault("InternalServerError", 500), fault("ThrottlingException"), reply({})])
def test_a_put_without_an_answer_has_an_unknown_outcome(met: Reply) -> None:
    with pytest.raises(StoreUnavailable):
        put_on(met)


def test_a_missing_permission_is_a_fault() -> None:
    with pytest.raises(ClientError):
        put_on(fault("AccessDeniedException"))


def test_markers_are_read_strongly_consistent_and_each_once(markers: Markers) -> None:
    markers.rejections.put(DIGEST, REJECTION, ROW_ID)

    assert markers.rejections.find([DIGEST, OTHER_DIGEST, DIGEST]) == {DIGEST: REJECTION}

    (request,) = markers.tables.requests["BatchGetItem"]
    assert request["RequestItems"][INVENTORY_TABLE]["ConsistentRead"] is True
    assert len(request["RequestItems"][INVENTORY_TABLE]["Keys"]) == 2


def test_as_many_markers_are_read_as_one_call_can(markers: Markers) -> None:
    assert markers.rejections.find([f"{number:064x}" for number in range(MESSAGES_MAX)]) == {}
    assert len(markers.tables.requests["BatchGetItem"]) == 1


@pytest.mark.parametrize("met", [broken(), reply({}), reply({"Responses": {}, "UnprocessedKeys": {"a-table": {}}})])
def test_an_incomplete_read_is_no_answer(markers: Markers, met: Reply) -> None:
    markers.tables.meets("BatchGetItem", met)

    with pytest.raises(StoreUnavailable):
        markers.rejections.find([DIGEST])


def test_a_marker_is_under_a_kilobyte_and_expires_long_after_the_rejection() -> None:
    item = rejection_item(DIGEST, REJECTION, rejected_at=NOW, expires_at=NOW + MARKER_LIFETIME)

    assert len(json.dumps(item)) < 1_024
