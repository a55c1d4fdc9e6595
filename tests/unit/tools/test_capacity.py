"""The arithmetic of capacity: each setting of the template shows in it, and its figures are those of the design."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from inventory.api.routes import ROUTES
from tests.support.pages import prose
from tests.support.sam_template import TEMPLATE
from tools import capacity
from tools.capacity import (
    PAGE,
    Service,
    callers,
    concurrency,
    costs,
    demands,
    keeping,
    limits,
    tables,
    written,
)
from tools.template import read_template

SERVICE = Service.of(read_template(TEMPLATE))
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("architecture", "x86_64", {"callers", "costs", "demands", "memories"}),
        ("batches_at_once", 20, {"limits"}),
        ("indexes", 3, {"callers", "costs", "demands", "keeping", "limits"}),
        ("memory_mb", 512, {"callers", "costs", "demands", "limits", "snapshots"}),
        ("messages_a_batch", 500, {"limits"}),
        ("methods", Counter({"OpenRequestsPerSecond": 1}), {"callers"}),
        ("rates", dict(SERVICE.rates) | {"ReadRequestsPerSecond": 99}, {"callers"}),
        ("rates", dict(SERVICE.rates) | {"WriteRequestsPerSecond": 900}, {"callers", "limits"}),
        ("reserved", dict(SERVICE.reserved) | {"ReadInventoryFunction": 1}, {"callers", "concurrency"}),
        ("rows_a_batch", 10, {"callers", "costs", "demands"}),
        ("snapshots", 5, {"snapshots"}),
    ],
)
def test_each_setting_shows_in_the_tables(setting: str, value: Any, changed: set[str]) -> None:
    now, then = tables(SERVICE), tables(replace(SERVICE, **{setting: value}))
    assert {name for name in now if now[name] != then[name]} == changed


def test_a_page_that_lacks_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="limits"):
        written(TEXT.replace("<!-- limits -->", ""), SERVICE)


def test_an_adjustment_takes_what_the_design_says() -> None:
    assert (SERVICE.stock_units, SERVICE.ledger_units) == (2, 2 + 1 + 1)
    assert SERVICE.stored_bytes == 3 * (820 + 100)


def test_the_first_limit_is_a_hot_item_and_the_last_ones_are_the_regions() -> None:
    per_s = {what: at for at, what, *_ in limits(SERVICE)}
    assert list(per_s.values()) == sorted(per_s.values())
    assert per_s["one stock item, over HTTP"] == 44
    assert per_s["one stock item, without any conflict"] == 1_000 / 2
    assert per_s["one stock item, through the queue"] == min(44 * 99, 1_000)
    assert per_s["one business"] == 8 * 1_000
    assert per_s["the ledger"] == 40_000 / (2 + 1 + 1)
    assert per_s["each route that changes something"] == 500


def test_every_method_of_every_path_has_its_limit_in_the_sums() -> None:
    """A limit of a stage is of each method by itself: as many times it as there are methods."""
    asked = {path for event in events() for path in [event["Path"]] if event["Method"] == "options"}
    assert sum(SERVICE.methods.values()) == len(events())
    per_s = {who: at for who, at, _ in callers(SERVICE)}
    assert per_s["without a token: preflights"] == 50 * (len(asked) - len({r.path for r in ROUTES if r.scope is None}))
    assert per_s["without a token: open routes"] == 5 * 3 * len([route for route in ROUTES if route.scope is None])
    assert per_s["with a token that may write, a row a request"] == 500 * len([r for r in ROUTES if r.method == "POST"])


def events() -> list[dict[str, Any]]:
    return [
        event["Properties"]
        for function in read_template(TEMPLATE)["Resources"].values()
        for event in function.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    ]


def test_the_worst_caller_costs_what_the_limits_let_through() -> None:
    dollars = {who: cost for who, _, cost in callers(SERVICE)}
    # 1.5 MB of the docs page, from each open route at its limit, is most of it.
    files_gb = 5 * len([route for route in ROUTES if route.scope is None]) * 0.0015 * 3600
    assert files_gb * 0.09 < dollars["without a token: open routes"] < files_gb * 0.09 * 1.5
    # However many proofs are asked for, the function runs a hundred times at a time.
    unlimited = replace(SERVICE, reserved=dict(SERVICE.reserved) | {"ReadInventoryFunction": 1_000})
    more = {who: cost for who, _, cost in callers(unlimited)}
    assert dollars["with a token that may read"] < more["with a token that may read"]
    assert dollars["with a token that may write, as fast as the ledger is"] == pytest.approx(
        10_000 * 3600 * (6 * 0.625e-6 + 1.03e-6), rel=0.01
    )


def test_what_production_reserves_leaves_what_lambda_keeps_for_others() -> None:
    *functions, (_, total), (_, left) = concurrency(SERVICE)
    assert total == sum(at_once for _, at_once in functions)
    assert left == capacity.LAMBDA_CONCURRENCY - total >= capacity.LAMBDA_UNRESERVED_MIN
    assert f"fewer than {total + capacity.LAMBDA_UNRESERVED_MIN} at a time" in prose(TEXT)
    # The authorizer answers in a hundredth of a second, and API Gateway lets no more through than its quota.
    assert dict(functions)["AuthorizerFunction"] / capacity.ANSWERED_S > capacity.GATEWAY_REQUESTS_PER_S
    # At its limit a route that changes something needs fewer by far.
    assert SERVICE.rates["WriteRequestsPerSecond"] * SERVICE.duration_s < dict(functions)["CreateAdjustmentFunction"]


def test_a_row_of_over_a_kilobyte_takes_twice_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "ROW_SIZE_BYTES", 1025)
    assert SERVICE.ledger_units == 2 * (2 + 1 + 1)


def test_a_load_grows_in_proportion_but_for_what_comes_in_whole_pieces() -> None:
    by_name = dict(demands(SERVICE))
    for name in ("write units a second: inventory", "stored, GB a day", "logged, GB a day", "US dollars a day"):
        assert by_name[name](1_000) == pytest.approx(1_000 * by_name[name](1))
    # Short requests are limited by their number, not by the time that they take.
    assert by_name["functions at work"](1_000) == 24
    assert by_name["concurrency to ask for"](1_000) == 1_000 / 10


def test_the_price_of_a_million_is_that_of_its_parts() -> None:
    http = {name: dollars for name, dollars, _ in costs(SERVICE)}
    merged = {name: dollars for name, _, dollars in costs(SERVICE)}
    assert http["API Gateway, or the queue"] == pytest.approx(3.50)
    assert http["write units"] == pytest.approx(6 * 0.625)
    assert merged["write units"] == pytest.approx((4 + 2 / 99) * 0.625)
    assert http["the function"] == pytest.approx(0.20 + (0.020 + 0.0021 * 1769 / 1024) * 13.3334)
    assert keeping(SERVICE) == pytest.approx(2.76 * 0.25 + 0.92 * 0.20)


def test_more_memory_than_a_whole_processor_makes_a_request_no_faster() -> None:
    assert replace(SERVICE, memory_mb=1769).duration_s == replace(SERVICE, memory_mb=10_240).duration_s
