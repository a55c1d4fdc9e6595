"""What the engine says of a stack: is all that is needed allowed, and all else denied?"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from tests.iam.denials import alterations_of_the_ledger, left_to_administrators, unneeded
from tests.iam.engine import DENIED_EXPLICITLY, Decision, decide
from tests.iam.requests import requests_of, requests_of_lambda
from tests.iam.services import deliveries, forged_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.iam.deployed import Deployed
    from tests.iam.recording import Call
    from tests.iam.requests import Request


class Judgement(NamedTuple):
    """The decisions, by what they should be."""

    needed: list[Decision]
    unneeded: list[Decision]
    alterations: list[Decision]
    left: list[Decision]
    deliveries: list[Decision]
    forged: list[Decision]

    @property
    def problems(self) -> list[str]:
        """What is not as it should be, in words."""
        return [
            *(_told(each, "is needed") for each in self.needed if not each.is_allowed),
            *(_told(each, "is not needed") for each in self.unneeded if each.is_allowed),
            *(
                _told(each, "must be denied explicitly")
                for each in self.alterations
                if each.outcome != DENIED_EXPLICITLY
            ),
            *(_told(each, "should be left") for each in self.left if not each.is_allowed),
            *(_told(each, "is needed") for each in self.deliveries if not each.is_allowed),
            *(_told(each, "is forged") for each in self.forged if each.is_allowed),
        ]


def needed_by(calls: Iterable[Call], stack: Deployed) -> list[Request]:
    """What the recorded calls and Lambda itself ask IAM, each once: items are told apart by the kind of key only."""
    asked = chain(chain.from_iterable(requests_of(call, stack) for call in calls), requests_of_lambda(stack))
    return list({each.cell: each for each in asked}.values())


def judge(stack: Deployed, needed: list[Request], *, principal: str | None = None) -> Judgement:
    """Decide everything with the policies of a stack, or what one principal asks: a role's logical id, or a service."""
    groups = (
        *(needed, unneeded(needed, stack), alterations_of_the_ledger(stack), left_to_administrators(stack)),
        *(deliveries(stack), forged_deliveries(stack)),
    )
    chosen = [[each for each in group if principal in {None, each.principal}] for group in groups]
    decided = iter(decide([each for group in chosen for each in group], stack))
    return Judgement(*([next(decided) for _ in group] for group in chosen))


def _told(decision: Decision, expected: str) -> str:
    request, outcome = decision
    conditions = ", ".join(f"{name} {'/'.join(values)}" for name, values in request.context)
    said = f"{request.principal}: {request.action} on {request.resource} ({conditions}) {expected} and is {outcome}"
    return f"{said}; called in {request.why}" if request.why else said
