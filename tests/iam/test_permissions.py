"""What IAM says to every recorded call, and to everything else, by an engine that is not ours.

Broken roles of each kind show that the simulation notices them.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.iam.denials import LEDGER
from tests.iam.deployed import PARAMETERS, Deployed, deployed, deployed_template
from tests.iam.engine import INSTALLED, NOT_INSTALLED, decide
from tests.iam.judgement import Judgement, judge, needed_by
from tests.iam.matrix import PAGE, written
from tests.iam.requests import ATTRIBUTES, ENCLOSING, LEADING_KEYS, Request, table_arn
from tests.iam.samples import recorded
from tests.iam.services import API_GATEWAY, EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not INSTALLED, reason=NOT_INSTALLED)


@cache
def needed() -> list[Request]:
    return needed_by(recorded().calls, deployed())


@cache
def judgement() -> Judgement:
    return judge(deployed(), needed())


def test_all_that_is_needed_is_allowed_and_nothing_else() -> None:
    assert len(judgement().needed) > 50
    assert len(judgement().unneeded) > 1000
    assert judgement().problems == []


def test_altering_the_ledger_is_denied_explicitly_to_every_role_and_to_an_administrator() -> None:
    principals = {each.request.principal for each in judgement().alterations}
    assert principals == {function.role for function in deployed().functions.values()} | {"Administrator"}
    assert {each.outcome for each in judgement().alterations} == {"ExplicitlyDenied"}


def test_an_operators_command_that_indexes_stock_items_can_not_move_stock() -> None:
    inventory = table_arn(deployed().physical_name("InventoryTable"))
    context = ((LEADING_KEYS, ("STOCK#any",)), (ENCLOSING, ("TransactWriteItems",)))
    indexing, moving = (
        Request("ProvisionRole", "dynamodb:UpdateItem", inventory, (*context, (ATTRIBUTES, ("pk", "sk", attribute))))
        for attribute in ("business_shard", "quantity")
    )
    assert [each.is_allowed for each in decide([indexing, moving], deployed())] == [True, False]


def test_the_security_page_shows_these_decisions() -> None:
    """Where this fails: `make iam`."""
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, judgement(), deployed()) == page


# ------------------------------------------------------------------------------------------------------- broken roles


def broken(change: Callable[[dict[str, Any]], None], *, principal: str) -> list[str]:
    """What the simulation finds when the template is changed, as far as it concerns one role or service."""
    template = deepcopy(deployed_template())
    change(template["Resources"])
    return judge(Deployed(template, PARAMETERS), needed(), principal=principal).problems


def statements(resources: dict[str, Any], role: str) -> list[dict[str, Any]]:
    (policy,) = resources[role]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def statement(resources: dict[str, Any], role: str, action: str) -> dict[str, Any]:
    (found,) = [each for each in statements(resources, role) if each["Action"] == action and each["Effect"] == "Allow"]
    return found


@pytest.mark.parametrize("action", ["dynamodb:DeleteItem", "dynamodb:Scan", "dynamodb:*", "sqs:SendMessage", "*"])
def test_a_role_that_allows_an_action_too_many_is_found(action: str) -> None:
    def widen(resources: dict[str, Any]) -> None:
        own = statements(resources, "ReadInventoryRole")
        own.append({"Effect": "Allow", "Action": action, "Resource": "*"})

    found = broken(widen, principal="ReadInventoryRole")
    assert found
    assert all("is not needed and is Allowed" in each for each in found)


def test_a_role_that_reaches_another_table_is_found() -> None:
    def widen(resources: dict[str, Any]) -> None:
        statement(resources, "AuthorizerRole", "dynamodb:GetItem")["Resource"] = "*"

    found = broken(widen, principal="AuthorizerRole")
    assert {each.partition(" (")[0].rpartition("/")[2] for each in found} == {
        "inventory-InventoryTable",
        "inventory-LedgerTable",
        "another-table",
    }


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("CreateAdjustmentRole", "dynamodb:GetItem"),
        ("CreateAdjustmentRole", "dynamodb:Query"),
        ("CreateAdjustmentRole", "dynamodb:UpdateItem"),
        ("CreateAdjustmentRole", "sqs:SendMessage"),
        ("IngestAdjustmentsRole", "dynamodb:Query"),
        ("PublishAdjustmentsRole", "dynamodb:ListStreams"),
        ("PublishAdjustmentsRole", "events:PutEvents"),
    ],
)
def test_a_role_that_lacks_an_action_is_found(role: str, action: str) -> None:
    def narrow(resources: dict[str, Any]) -> None:
        statements(resources, role).remove(statement(resources, role, action))

    found = broken(narrow, principal=role)
    assert found
    assert all(
        each.startswith(f"{role}: {action} on ") and "is needed and is ImplicitlyDenied" in each for each in found
    )


def test_a_condition_that_names_another_key_is_found_twice() -> None:
    """What is needed is denied then, and what is not needed is allowed."""

    def misspell(resources: dict[str, Any]) -> None:
        move = statement(resources, "ReverseAdjustmentRole", "dynamodb:UpdateItem")
        move["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] = ["BUSINESS#*"]

    needed_one, unneeded_one = broken(misspell, principal="ReverseAdjustmentRole")
    assert "STOCK#" in needed_one
    assert "is needed and is ImplicitlyDenied" in needed_one
    assert "BUSINESS#" in unneeded_one
    assert "is not needed and is Allowed" in unneeded_one


@pytest.mark.parametrize("role", ["CreateAdjustmentRole", "ReverseAdjustmentRole", "IngestAdjustmentsRole"])
def test_stock_that_can_be_moved_outside_of_a_transaction_is_found(role: str) -> None:
    def forget(resources: dict[str, Any]) -> None:
        del statement(resources, role, "dynamodb:UpdateItem")["Condition"]["ForAnyValue:StringEquals"]

    (found,) = broken(forget, principal=role)
    assert found.startswith(f"{role}: dynamodb:UpdateItem on ")
    assert "STOCK#any" in found
    assert "TransactWriteItems" not in found


def test_a_key_of_the_context_that_the_policy_misspells_is_found() -> None:
    def misspell(resources: dict[str, Any]) -> None:
        condition = statement(resources, "IngestAdjustmentsRole", "dynamodb:UpdateItem")["Condition"]
        condition["ForAllValues:StringEquals"] = condition.pop("ForAnyValue:StringEquals")

    found = broken(misspell, principal="IngestAdjustmentsRole")
    assert found, "for all values also holds where there are none: a bare write would be allowed"


@pytest.mark.parametrize("role", ["Administrator", "AuditLedgerRole"])
def test_a_ledger_without_its_policy_is_found(role: str) -> None:
    def remove(resources: dict[str, Any]) -> None:
        del resources[LEDGER]["Properties"]["ResourcePolicy"]

    assert any("must be denied explicitly" in each for each in broken(remove, principal=role))


# ---------------------------------------------------------------------------------------------------- broken services

LISTING = "ReadInventoryFunctionGetLevelsPermissiondev"


def test_a_route_whose_function_the_api_may_not_invoke_is_found() -> None:
    def remove(resources: dict[str, Any]) -> None:
        del resources[LISTING]

    (found,) = broken(remove, principal=API_GATEWAY)
    assert "/GET/api/v1/inventory/levels) is needed and is ImplicitlyDenied" in found


def test_a_function_that_any_api_may_invoke_is_found() -> None:
    def widen(resources: dict[str, Any]) -> None:
        del resources[LISTING]["Properties"]["SourceArn"]

    found = broken(widen, principal=API_GATEWAY)
    assert any(":another/any-stage/GET/api/v1/inventory/levels) is forged and is Allowed" in each for each in found)


def test_a_queue_that_any_rule_may_send_to_is_found() -> None:
    def widen(resources: dict[str, Any]) -> None:
        (policy,) = resources["AdjustmentRequestsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        del policy["Condition"]

    (found,) = broken(widen, principal=EVENTS)
    assert ":rule/another) is forged and is Allowed" in found
