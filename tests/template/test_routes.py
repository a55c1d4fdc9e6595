"""The table of routes, the template's events and the commands of operators name the same routes."""

from __future__ import annotations

from typing import get_args

from inventory.api.routes import LIST_ADJUSTMENTS, LIST_LEVELS, ROUTES
from inventory.domain.api_tokens import Scope
from ops import http_api
from tests.support.sam_template import resources

OPEN = {"Authorizer": "NONE"}


def events() -> list[tuple[str, str, str, bool]]:
    """Method, path, function and whether it is open, of every event of the API but preflights."""
    return sorted(
        (
            event["Properties"]["Method"].upper(),
            event["Properties"]["Path"],
            function["Properties"]["CodeUri"].rstrip("/").removeprefix("functions/"),
            event["Properties"].get("Auth") == OPEN,
        )
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"]["Method"] != "options"
    )


def test_the_template_has_the_routes_of_the_table_and_no_other() -> None:
    """HEAD is served wherever GET is, so each GET of the table has two events."""
    assert events() == sorted(
        (method, each.path, each.function, each.scope is None) for each in ROUTES for method in each.methods
    )


def test_the_table_names_every_scope_and_no_route_twice() -> None:
    assert {each.scope for each in ROUTES} == {*get_args(Scope.__value__), None}
    assert len({(each.method, each.path) for each in ROUTES}) == len(ROUTES)


def test_the_commands_of_operators_call_paths_of_the_table() -> None:
    assert (LIST_ADJUSTMENTS.path, LIST_LEVELS.path) == (http_api.ADJUSTMENTS, http_api.LEVELS)
