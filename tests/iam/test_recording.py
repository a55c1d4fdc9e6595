"""Is what was recorded all that the service calls? Needs no engine: it runs wherever the template can be expanded."""

from __future__ import annotations

from typing import Any

import pytest

from inventory.api.routes import ROUTES
from inventory.aws.fast_session import OPERATIONS
from inventory.schemas.provisioning import COMMAND_MODELS
from tests.iam.call_sites import call_sites, modules_loaded_by
from tests.iam.samples import SAMPLES, recorded
from tests.iam.scenarios import SCENARIOS
from tests.support.sam_template import resources

FUNCTIONS = {
    each["Properties"]["CodeUri"].removeprefix("functions/"): name
    for name, each in resources("AWS::Serverless::Function").items()
}
"""Logical id by folder."""

LISTS = {
    "storage/lookups.py:stock_items": "of this module it needs the reads by key",
    "storage/lookups.py:catalog_page": "of this module it needs the reads by key",
}
NEVER_MADE = {
    "authorizer": {
        "storage/tokens.py:put": "operators issue tokens",
        "storage/tokens.py:revoke": "operators revoke them",
    },
    "provision": {
        "storage/tokens.py:find": "only the authorizer looks for a token",
        "storage/ledger_index.py:page": "what remains at a deactivation is of now; levels of the past are beside it",
    },
    "create_adjustment": LISTS,
    "reverse_adjustment": LISTS
    | {"storage/ledger_index.py:page": "a reversal is no count: it needs no level of the past"},
    "ingest_adjustments": LISTS,
    "audit_ledger": LISTS,
}
"""Calls in modules that a function imports for another part of theirs, and why it never makes them."""

REFUSED = {"authorizer": "AuthorizerError", "provision-revoke-token": "TokenNotFound"}
"""Samples that name a token; none can be written into a file beforehand."""


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_is_carried_out(sample: str) -> None:
    answer = recorded().samples[sample]
    if sample in REFUSED:
        assert type(answer.raised).__name__ == REFUSED[sample]
    else:
        assert answer.succeeded, answer


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_a_scenario_is_answered_as_it_should_be(scenario: Any) -> None:
    if scenario in recorded().wrong:
        raise recorded().wrong[scenario]


@pytest.mark.parametrize("route", [each for each in ROUTES if each.scope is not None], ids=lambda each: each.path)
def test_every_route_with_a_scope_was_called_and_answered(route: Any) -> None:
    answered = {
        (each.event["httpMethod"], each.event["resource"])
        for each in recorded().answers
        if "resource" in each.event and each.succeeded
    }
    assert (route.method, route.path) in answered, "the route has neither a sample in events/ nor a scenario that works"


def test_every_command_of_the_operators_was_carried_out() -> None:
    done = {each.event["command"] for each in recorded().answers if each.function == "provision" and each.succeeded}
    assert done == set(COMMAND_MODELS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_that_a_function_can_make_was_recorded(function: str) -> None:
    """A call that no sample leads to would not be decided: then it needs a scenario in ``scenarios.py``."""
    possible = {site for module in modules_loaded_by(function) for site in call_sites(module)}
    made = {call.place for call in recorded().calls if call.function == FUNCTIONS[function]}
    assert made <= possible, "a call that `call_sites` does not find in the sources"
    assert possible - made == NEVER_MADE.get(function, {}).keys()


def test_every_operation_that_the_service_knows_was_recorded() -> None:
    made = {(call.service, call.operation) for call in recorded().calls}
    assert made == {(service, each) for service, operations in OPERATIONS.items() for each in operations}
