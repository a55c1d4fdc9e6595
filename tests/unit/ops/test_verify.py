"""What `make verify-deployed` says of a service that does not keep its word, and that it leaves nothing behind.

That it passes on a good one, a test on the local stack shows.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ops import checks, verify
from ops.checks import Visit
from ops.command_line import main
from ops.errors import CommandError
from ops.http_api import ADJUSTMENTS, ATTEMPTS_MAX, Api
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "dz_a-secret"
GIVEN = [f"--url=https://api.test/dev/{ADJUSTMENTS}", f"--business={BUSINESS}", f"--variant={VARIANT}"]


class Service:
    """A service behind a transport that creates and reverses, and answers everything else by ``otherwise``."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.reversed: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.meets: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls[request.method] += 1
        key = request.headers.get("idempotency-key", "")
        if request.method == "POST" and key and request.url.path.endswith("/reversal"):
            self.reversed.add(request.url.path.split("/")[-2])
            return httpx.Response(201, json={})
        if request.method == "POST" and key:
            change = json.loads(request.content)["quantity_change"]
            self.rows.setdefault(key, {"id": key, "delta": change, "quantity_after": 5, "sequence": len(self.rows) + 1})
        met = self.meets(request)
        if met is not None:
            return met
        if key:
            return httpx.Response(201, json=self.rows[key])
        return httpx.Response(418, text="I'm a teapot")

    def visit(self) -> Visit:
        api = Api.of(
            "https://api.test/dev/",
            httpx.Client(transport=httpx.MockTransport(self)),
            token=TOKEN,
            business_id=str(BUSINESS),
        )
        object.__setattr__(api, "pause", lambda _: None)
        return Visit(api, str(BUSINESS), str(VARIANT), str(LOCATION), api)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(checks, "_INDEX_PAUSE_S", 0)
    return Service()


def printed_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_every_check_fails_on_a_service_that_answers_nothing_right(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = verify.verify_all(service.visit())

    lines = printed_lines(capsys)
    passed = [line for line in lines if line.startswith("ok")]
    # It does create under a key, once, and reverse.
    right = (checks.requests_at_once_are_one, checks.everything_is_reversed)
    assert [f"{line.removeprefix('ok').strip()}." for line in passed] == [each.__doc__ for each in right]
    assert failed == len(checks.CHECKS + checks.AT_THE_END) - 2
    assert lines[-1] == f"2 ok, {failed} failed, 0 not run"


def test_each_check_prints_one_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    verify.verify_all(service.visit())

    assert len(printed_lines(capsys)) == len(checks.CHECKS + checks.AT_THE_END) + 2


def test_every_created_adjustment_is_reversed_after_any_failure(service: Service) -> None:
    verify.verify_all(service.visit())

    assert service.rows
    assert service.reversed == service.rows.keys()


def test_a_request_with_a_lost_answer_is_reversed(service: Service) -> None:
    """It was applied and its answer lost: the same key finds it at the end."""
    lost: list[int] = []

    def loses(request: httpx.Request) -> httpx.Response | None:
        if "idempotency-key" in request.headers and len(lost) < ATTEMPTS_MAX // 2:
            lost.append(1)
            raise httpx.ReadTimeout("lost")
        return None

    service.meets = loses
    visit = service.visit()
    with pytest.raises(httpx.ReadTimeout):
        visit.create(2, "first")
    assert (len(service.rows), visit.created) == (1, {})

    assert list(visit.reverse_all()) == []
    assert service.reversed == service.rows.keys()


def test_an_adjustment_that_cannot_be_reversed_is_named(service: Service) -> None:
    visit = service.visit()
    visit.create(2, "first")
    visit.api = visit.api.having(authorization="Bearer other")
    refusing = httpx.MockTransport(lambda _: httpx.Response(409, json={"detail": {"code": "insufficient_stock"}}))
    object.__setattr__(visit.api, "http", httpx.Client(transport=refusing))

    (left,) = visit.reverse_all()

    assert left == f"adjustment {visit.run}-first of +2 is not reversed: 409 insufficient_stock"


def test_a_try_again_answer_is_retried(service: Service) -> None:
    service.meets = lambda _: httpx.Response(503, json={"detail": {"code": "try_again"}})

    assert str(service.visit().api.get("/")) == "503 try_again"
    assert service.calls["GET"] == ATTEMPTS_MAX


def test_a_description_that_is_closed_as_keys_are_required_is_no_failure(service: Service) -> None:
    service.meets = lambda _: httpx.Response(403, json={"detail": {"code": "forbidden"}})

    with pytest.raises(checks.NotRun, match="requires keys"):
        checks.document_is_served(service.visit())


def test_a_path_that_is_not_there_is_called_without_a_token(service: Service) -> None:
    """API Gateway would take the token for a signature of its own there."""
    met: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        met.append(request)
        return httpx.Response(404, json={"detail": {"code": "not_found"}})

    service.meets = answers
    checks.unknown_path_is_not_found(service.visit())

    assert [request.headers.get("authorization") for request in met] == [None]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "unauthorized", "TOKEN= is not a good token"),
        (403, "forbidden", "does not have the scope adjustments:read"),
        (404, "variant_not_found", "VARIANT= is no active variant"),
        (404, "not_found", "there is no such API under URL="),
        (503, "try_again", "the service is busy"),
        (302, "", "there is no such API under URL="),
    ],
)
def test_wrong_arguments_are_reported_before_anything_is_written(
    service: Service, status: int, code: str, words: str
) -> None:
    service.meets = lambda _: httpx.Response(status, json={"detail": {"code": code}} if code else [])

    with pytest.raises(CommandError, match=words):
        verify.require_access(service.visit())
    assert service.rows == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "URL=, BUSINESS=, VARIANT= missing"),
        (GIVEN[:2], "VARIANT= missing"),
        ([*GIVEN[:2], "--variant="], "VARIANT= missing"),
        ([*GIVEN, "--location=here"], "LOCATION= must be an id, not 'here'"),
        (["--url=api.test"], "URL= is the output ApiUrl"),
    ],
)
def test_a_missing_or_mistyped_argument_is_printed_on_one_line(
    given: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)

    assert main(["verify", *given]) == verify.NOT_BEGUN
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert words in line


@pytest.mark.parametrize(
    "pasted", ["https://api.test/dev", "https://api.test/dev/", f"https://api.test/dev{ADJUSTMENTS}"]
)
def test_the_address_may_be_pasted_with_or_without_the_path(pasted: str) -> None:
    assert verify.api_address(None, None, pasted) == "https://api.test/dev"
    assert verify.api_address(None, None, GIVEN[0].removeprefix("--url=")) == "https://api.test/dev"


def test_no_token_is_shown_where_a_call_is(service: Service) -> None:
    assert TOKEN not in repr(service.visit())
