"""The page about capacity says what template and package say."""

from __future__ import annotations

import pytest

from inventory.domain.store import GROUP_MAX
from tests.support.pages import page, prose
from tests.support.sam_template import TEMPLATE, load_template
from tools import capacity
from tools.capacity import Service, written
from tools.template import read_template

SERVICE = Service.of(read_template(TEMPLATE))
TEXT = page("docs/capacity.md")
PROSE = prose(TEXT)


def test_the_pages_tables_are_those_of_the_template() -> None:
    assert written(TEXT, SERVICE) == TEXT, "`make capacity` writes them again"


def test_what_the_page_says_in_words_is_so() -> None:
    parameters = load_template()["Parameters"]
    cache_s = parameters["AuthorizerCacheSeconds"]["Default"]
    assert f"up to {GROUP_MAX} adjustments in one" in PROSE
    assert f"1,000 pairs that are always busy are {round(1_000 / cache_s)} calls a second" in PROSE
    assert cache_s == 60
    assert f"{parameters['MemorySize']['MinValue']}, the least that the template takes" in PROSE
    assert f"{parameters['MemorySize']['Default']:,} is where a start stays under a second" in PROSE
    assert SERVICE.working_s(capacity.START_CPU_S) < 1
    assert f"{2 * capacity.WRITE_UNIT * 10**6:.2f} more a million" in PROSE
    assert parameters["SnapStart"]["Default"] == "false"
    assert "It is off unless asked for" in PROSE
    assert "LatePublishingAlarm" in load_template()["Resources"]
    assert "AuditUnfinishedAlarm" in load_template()["Resources"]


@pytest.mark.parametrize(
    "figure",
    [
        f"partitions: {capacity.PARTITION_WRITE_UNITS_PER_S:,} write",
        f"new tables: {capacity.NEW_TABLE_WRITE_UNITS_PER_S:,} and",
        f"{capacity.TABLE_WRITE_UNITS_PER_S:,} units of an on-demand table",
        f"API Gateway: {capacity.GATEWAY_REQUESTS_PER_S:,} requests a second",
        f"Lambda: {capacity.LAMBDA_CONCURRENCY:,} at a time, {capacity.LAMBDA_REQUESTS_PER_S} requests a second each",
        f"EventBridge: {capacity.PUT_EVENTS_PER_S:,} calls of PutEvents and {capacity.DELIVERIES_PER_S:,} invocations",
        f"SQS: {capacity.IN_FLIGHT_MESSAGES:,} messages in flight",
        f"units ${capacity.WRITE_UNIT * 10**6:.3f} and ${capacity.READ_UNIT * 10**6:.3f} a million",
        f"${capacity.STORED_GB_MONTH:.2f} a GB and month, backups ${capacity.BACKED_UP_GB_MONTH:.2f}",
        f"REST API ${capacity.GATEWAY_REQUEST * 10**6:.2f} a million",
        f"${capacity.LAMBDA_REQUEST * 10**6:.2f} a million requests, ${capacity.LAMBDA_GB_S['arm64']:.10f} a GB",
        f"SnapStart ${capacity.SNAPSHOT_GB_S:.10f} a GB and second and ${capacity.RESTORED_GB} a GB restored",
        f"own events ${capacity.EVENT * 10**6:.2f}, queue requests ${capacity.QUEUE_REQUEST * 10**6:.2f} a million",
        f"logs ${capacity.LOGGED_GB:.2f} a GB",
    ],
)
def test_each_quota_and_price_stands_in_the_page_beside_where_it_comes_from(figure: str) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith("| ") and figure in line]
    assert "](https://" in row
