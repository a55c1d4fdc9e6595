"""What `make report` shows of the sums that the API answers with, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from ops import report
from ops.command_line import main
from tests.support.builders.ids import BUSINESS, LOCATION

if TYPE_CHECKING:
    from pathlib import Path

GIVEN = ["report", "--url=https://api.test/dev", f"--business={BUSINESS}"]
SVG = "{http://www.w3.org/2000/svg}"


def sums(code: str | None, units_in: int = 0, units_out: int = 0, **reversed_units: int) -> dict[str, Any]:
    of_reversals = {"reversed_in": 0, "reversed_out": 0} | reversed_units
    return {"reason_code": code, "adjustments": 3, "units_in": units_in, "units_out": units_out} | of_reversals


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """An API with two pages; the requests that it gets."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.url.params.get("from") == "yesterday":
            detail = [{"loc": ["query", "from"], "msg": "Input should be a valid datetime", "type": "datetime"}]
            return httpx.Response(422, json={"detail": detail})
        if "cursor" not in request.url.params:
            page = {"data": [sums("damage", 0, 5)], "rows": 2_000, "complete": False, "next_cursor": "more"}
        else:
            data = [sums("damage", 0, 7), sums(None, 1_200, 0, reversed_in=200)]
            page = {"data": data, "rows": 2_500, "complete": True, "next_cursor": None}
        return httpx.Response(200, json=page)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(httpx, "Client", lambda **_: client)
    monkeypatch.setenv("TOKEN", "dz_a-secret")
    monkeypatch.setenv("COLUMNS", "120")
    return requests


def test_all_pages_are_asked_for_and_the_last_one_is_shown(
    asked: list[httpx.Request], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GIVEN, "--from=2026-11-01T00:00:00Z", f"--location={LOCATION}"]) == 0
    assert [dict(request.url.params) for request in asked] == [
        {"from": "2026-11-01T00:00:00Z", "location_id": str(LOCATION)},
        {"from": "2026-11-01T00:00:00Z", "location_id": str(LOCATION), "cursor": "more"},
    ]
    assert asked[0].headers["authorization"] == "Bearer dz_a-secret"
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if line.startswith("│")]
    assert rows[0][:7] == ["(none)", "3", "1,200", "0", "200", "0", "+1,000"]
    assert rows[1][:7] == ["damage", "3", "0", "7", "0", "0", "-7"]
    assert "2,500 rows counted" in printed


@pytest.mark.usefixtures("asked")
def test_the_picture_has_a_bar_for_each_side_of_each_reason(tmp_path: Path) -> None:
    assert main([*GIVEN, f"--svg={tmp_path / 'report.svg'}"]) == 0
    drawn = ET.fromstring((tmp_path / "report.svg").read_text(encoding="utf-8"))  # noqa: S314  our own
    widths = [float(each.attrib["width"]) for each in drawn.iter(f"{SVG}rect")][1:]
    lost_none, found_none, lost_damage, found_damage = widths
    assert (lost_none, found_damage) == (0, 0)
    assert found_none / lost_damage == pytest.approx(1_000 / 7, rel=0.05)
    assert "+1,000" in [each.text for each in drawn.iter(f"{SVG}text")]


def test_a_label_can_not_leave_its_place_in_the_picture() -> None:
    reason = report.Reason(**sums("<script>", 1))
    assert "<script>" not in report.picture([reason], "a < b")


def test_what_the_api_refuses_is_shown_on_one_line(
    asked: list[httpx.Request], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GIVEN, "--from=yesterday"]) == 1
    assert "from: Input should be a valid datetime" in capsys.readouterr().err
    assert len(asked) == 1


def test_a_token_is_needed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    assert main(GIVEN) == 1
    assert "TOKEN= is missing" in capsys.readouterr().err


def test_an_api_that_can_not_be_reached_is_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    client = httpx.Client(transport=httpx.MockTransport(refuse))
    monkeypatch.setattr(httpx, "Client", lambda **_: client)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("TOKEN", "dz_a-secret")
    assert main(GIVEN) == 1
    assert "can't be reached" in capsys.readouterr().err
