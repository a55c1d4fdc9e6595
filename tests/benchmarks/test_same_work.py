"""That ours and the baselines do the same work: what they send, what they answer, and what they refuse."""

from __future__ import annotations

import json
from copy import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from tests.benchmarks.baselines import work
from tests.benchmarks.environments import let_baselines_know, stock_the_tables
from tests.benchmarks.meters import ENVIRONMENT
from tests.benchmarks.subjects import BASELINES, OURS, SEEDED, fresh, subject
from tests.benchmarks.transport import Transport
from tests.support.builders.ids import VARIANT
from tests.support.builders.requests import a_body, an_api_event
from tests.support.harness.loading import Context

NOW = SEEDED.updated_at + timedelta(minutes=1)
ANSWERING = [OURS, *(each for each in BASELINES if each != "bare")]

pytestmark = [
    pytest.mark.filterwarnings("ignore:No application metrics"),  # Powertools, of a request that was refused
    pytest.mark.filterwarnings("ignore:There is no current event loop"),  # Mangum, which then makes one
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(work, "now", lambda: NOW)
    monkeypatch.setattr(work, "known", work.Known())


class Environment:
    """A subject that has carried out one request, on tables in memory, at a moment that is the same for all."""

    def __init__(self, name: str) -> None:
        let_baselines_know()
        self.subject = cast("Any", subject(name))
        if name == OURS:
            module = self.subject.module
            module.adjuster = replace(module.adjuster, clock=lambda: NOW)
        self.transport = Transport(*self.subject.clients)
        stock_the_tables(self.transport, [VARIANT])
        self.subject.call(self.subject.asked(0))
        self.transport.begin_recording()

    def answer(self, event: Any) -> tuple[int, dict[str, str], Any]:
        """Status, headers by lower-case name, and the parsed body."""
        response = self.subject.module.handler(event, Context())
        several = {name: values[-1] for name, values in response.get("multiValueHeaders", {}).items()}
        headers = {name.lower(): value for name, value in (several | response.get("headers", {})).items()}
        return response["statusCode"], headers, json.loads(response["body"])

    @property
    def sent(self) -> dict[str, Any]:
        """The one transaction that was sent since the first request, without the token that a plain SDK adds."""
        (body,) = [each.sent for each in self.transport.recorded if each.operation == "TransactWriteItems"]
        members: dict[str, Any] = json.loads(body)
        members.pop("ClientRequestToken", None)
        return members


@pytest.fixture
def ours() -> Environment:
    return Environment(OURS)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_sends_the_transaction_that_ours_sends(name: str, ours: Environment) -> None:
    theirs = Environment(name)
    for each in (ours, theirs):
        each.subject.call(each.subject.asked(1))
    assert theirs.sent == ours.sent
    assert theirs.sent["TransactItems"][0]["Update"]["ExpressionAttributeValues"][":seen"] == {"N": "1000001"}


@pytest.mark.parametrize("name", [each for each in ANSWERING if each != OURS])
def test_every_baseline_answers_what_ours_answers(name: str, ours: Environment) -> None:
    (status, headers, body), expected = Environment(name).answer(fresh(1)), ours.answer(fresh(1))
    assert (status, body) == (expected[0], expected[2])
    assert list(body) == list(expected[2])
    assert expected[1].items() <= headers.items()


@pytest.mark.parametrize("name", ["bare", "plain", "resolver", "fastapi"])
def test_a_baseline_makes_one_call(name: str) -> None:
    environment = Environment(name)
    environment.subject.call(environment.subject.asked(1))
    assert [each.operation for each in environment.transport.recorded] == ["TransactWriteItems"]


def test_the_idempotency_baseline_makes_two_more_by_its_design() -> None:
    environment = Environment("idempotency")
    environment.subject.call(environment.subject.asked(1))
    calls = [each.operation for each in environment.transport.recorded]
    assert calls == ["PutItem", "TransactWriteItems", "UpdateItem"]


@pytest.mark.parametrize("name", ANSWERING)
@pytest.mark.parametrize(
    "changes",
    [
        {"variant_id": "3fa85f64"},
        {"quantity_change": 0},
        {"quantity_change": 1_000_000_001},
        {"quantity_change": True},
        {"quantity_change": 1.5},
        {"reason": " "},
        {"reason": "x" * 501},
        {"reason": "bell\a"},
        {"location_id": 5},
        {"reason_code": 7},
        {"reference": "two\nlines"},
        {"expected_quantity": "5"},
        {"locationId": str(VARIANT)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_subject_rejects_the_same_bodies(environments: dict[str, Environment], name: str, changes: Any) -> None:
    environment = environments[name]
    environment.transport.begin_recording()
    event = an_api_event(a_body(**changes), headers=[("Content-Type", "application/json"), ("Idempotency-Key", "k")])
    assert environment.answer(event)[0] == 422
    assert environment.transport.recorded == []


@pytest.fixture(scope="module")
def environments() -> dict[str, Environment]:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ENVIRONMENT.items():
            patched.setenv(name, value)
        return {name: Environment(name) for name in ANSWERING}
