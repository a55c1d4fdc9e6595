"""Where an answer says that a resource is: a reference that clients resolve against the URL that they called."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from inventory.api.responses import relative_reference
from inventory.api.routes import ROUTES
from tests.support.builders.requests import an_api_event

ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
BEFORE_THE_ROUTE = ["https://api.test", "https://api.test/prod", "https://shop.test/stock/v2"]
CALLED = sorted({route.path for route in ROUTES})


def filled_in(path: str, value: str = ID) -> str:
    return "/".join(value if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("before", BEFORE_THE_ROUTE)
@pytest.mark.parametrize("slashes", ["", "/"])
@pytest.mark.parametrize("called", CALLED)
def test_a_reference_from_any_route_resolves_to_any_path(called: str, slashes: str, before: str) -> None:
    # The caller's own id may be another one, or written in another way, than what is answered.
    sent = filled_in(called, "A%20b") + slashes
    event = an_api_event(resource=called, path=sent)

    for each in ROUTES:
        target = filled_in(each.path)
        reference = relative_reference(event, target)
        assert urljoin(f"{before}{sent}", reference) == f"{before}{target}"
        assert not reference.startswith("/")


def test_references_are_short() -> None:
    created, reversed_ = "/api/v1/inventory/adjustments", "/api/v1/inventory/adjustments/{id}/reversal"

    references = [
        relative_reference(an_api_event(resource=route, path=filled_in(route) + slash), f"{created}/{ID}")
        for route in (created, reversed_)
        for slash in ("", "/")
    ]

    assert references == [f"adjustments/{ID}", ID, f"../{ID}", f"../../{ID}"]


def test_the_path_before_the_route_does_not_matter() -> None:
    """With a domain of one's own, API Gateway puts the base path into the event's path too."""
    event = an_api_event(path="/stock/v2/api/v1/inventory/adjustments/")

    assert relative_reference(event, f"/api/v1/inventory/adjustments/{ID}") == ID
