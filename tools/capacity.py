"""The arithmetic of docs/capacity.md: what an adjustment takes and costs, and what gives way at which load.

`make capacity` writes the page's tables anew from here and from the template; a test fails where the page says
something else. Quotas are AWS's defaults, prices those of us-east-1; the page names where each is to be looked up.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Final, Self

from inventory.aws.event_bus import EVENTS_MAX
from inventory.domain.store import GROUP_MAX
from inventory.integrity.proof import PROOF_ROWS_MAX
from inventory.queries.adjustments import ROWS_EXAMINED_MAX
from inventory.storage.keys import BUSINESS_SHARDS
from ops.project import PROJECT_ROOT, TEMPLATE
from tools.template import Template, read_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SAMCONFIG: Final = PROJECT_ROOT / "samconfig.toml"
PAGE: Final = PROJECT_ROOT / "docs" / "capacity.md"
LOADS: Final = (1, 1_000, 100_000)
"""Adjustments a second."""
MEMORIES_MB: Final = (512, 1_024, 1_769)

# --- assumed: of this service, to be replaced by what a deployed stack measures ---------------------------------------

ROW_SIZE_BYTES: Final = 820
STOCK_ITEM_UNITS: Final = 1
"""Write units outside of a transaction: the item is under 1 KB."""
READ_UNITS: Final = 2
"""At most: the stock item and the row of the key, consistently, where neither is remembered."""
WAITED_S: Final = 0.020
"""For DynamoDB: a load and a commit."""
CPU_S: Final = 0.0021
"""Of a whole processor, for one request; `make bench` on a development machine."""
MERGED_CPU_S: Final = 0.00025
"""The same for one of a full group from the queue."""
START_CPU_S: Final = 0.5
"""To load and initialise a function."""
LARGEST_BODY_CPU_S: Final = 0.8
"""To find that the largest body that Lambda lets through is none of ours, of the slowest kind: an array of objects."""
ANSWERED_S: Final = 0.010
"""Of the authorizer, a preflight or a file: hardly any work."""
LISTED_BYTES: Final = 70_000
"""A page of 100 adjustments."""
FILE_BYTES_MAX: Final = 1_500_000
"""The largest file of the docs page, to a client that takes no compression."""
PUT_EVENTS_S: Final = 0.020
SERIAL_COMMITS_PER_S: Final = 44
"""Of one stock item, one after another; more at a time only conflict. Simulated."""
LOGGED_BYTES: Final = 1_900
"""A request's own line, its metrics, Lambda's three lines and the access log's."""
LOGGED_MERGED_BYTES: Final = 600
"""A message's own line."""

# --- AWS: default quotas and sizes ------------------------------------------------------------------------------------

PARTITION_WRITE_UNITS_PER_S: Final = 1_000
TABLE_WRITE_UNITS_PER_S: Final = 40_000
"""Of an on-demand table, with its indexes."""
NEW_TABLE_WRITE_UNITS_PER_S: Final = 4_000
IN_TRANSACTION: Final = 2
GATEWAY_REQUESTS_PER_S: Final = 10_000
LAMBDA_CONCURRENCY: Final = 1_000
LAMBDA_UNRESERVED_MIN: Final = 100
"""Of an account's concurrency, what no function may reserve."""
LAMBDA_REQUESTS_PER_S: Final = 10
"""Of each unit of concurrency, however short they are."""
PUT_EVENTS_PER_S: Final = 10_000
DELIVERIES_PER_S: Final = 18_750
PROCESSOR_MB: Final = 1_769
"""Memory that comes with a whole processor."""
ITEM_OVERHEAD_BYTES: Final = 100
IN_FLIGHT_MESSAGES: Final = 120_000
"""Of a queue: received and not yet deleted."""
MESSAGES_A_CALL: Final = 10
HOUR_S: Final = 60 * 60
DAY_S: Final = 24 * HOUR_S
MONTH_S: Final = 30 * DAY_S

# --- AWS: prices in US dollars ----------------------------------------------------------------------------------------

GATEWAY_REQUEST: Final = 3.50e-6
LAMBDA_REQUEST: Final = 0.20e-6
LAMBDA_GB_S: Final = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
WRITE_UNIT: Final = 0.625e-6
READ_UNIT: Final = 0.125e-6
STORED_GB_MONTH: Final = 0.25
BACKED_UP_GB_MONTH: Final = 0.20
EVENT: Final = 1.00e-6
QUEUE_REQUEST: Final = 0.40e-6
LOGGED_GB: Final = 0.50
TRANSFERRED_GB: Final = 0.09
SNAPSHOT_GB_S: Final = 0.0000015046
RESTORED_GB: Final = 0.0001397998


@dataclass(frozen=True, slots=True)
class Service:
    """What the template and the package set, as far as it decides what the service can carry.

    ``rates`` are the limits of requests a second by the names of their parameters, ``methods`` how many methods of
    paths have each. ``reserved`` is the concurrency that the stage `prod` reserves, by function.
    """

    architecture: str
    batches_at_once: int
    indexes: int
    memory_mb: int
    messages_a_batch: int
    methods: Mapping[str, int]
    rates: Mapping[str, int]
    reserved: Mapping[str, int]
    rows_a_batch: int
    snapshots: int

    @classmethod
    def of(cls, template: Template) -> Self:
        """Read the parameters' defaults and the resources' settings."""
        parameters, resources = template["Parameters"], template["Resources"]
        queue = resources["IngestAdjustmentsFunction"]["Properties"]["Events"]["Requests"]["Properties"]
        stream = resources["PublishAdjustmentsFunction"]["Properties"]["Events"]["Ledger"]["Properties"]
        return cls(
            architecture=parameters["Architecture"]["Default"],
            batches_at_once=parameters[queue["ScalingConfig"]["MaximumConcurrency"]["Ref"]]["Default"],
            indexes=len(resources["LedgerTable"]["Properties"]["GlobalSecondaryIndexes"]),
            memory_mb=parameters["MemorySize"]["Default"],
            messages_a_batch=queue["BatchSize"],
            methods=Counter(_limited_by(template)),
            rates={name: parameters[name]["Default"] for name in set(_limited_by(template))},
            reserved=_reserved(template),
            rows_a_batch=stream["BatchSize"],
            snapshots=sum("SnapStart" in each.get("Properties", {}) for each in resources.values()),
        )

    @property
    def row_units(self) -> int:
        """Write units of one row in an index; in a transaction it takes twice as many."""
        return ceil(ROW_SIZE_BYTES / 1024)

    @property
    def ledger_units(self) -> int:
        """Write units of one row, in the table and in its indexes."""
        return self.row_units * (IN_TRANSACTION + self.indexes)

    @property
    def stock_units(self) -> int:
        """Write units of one update of a stock item."""
        return STOCK_ITEM_UNITS * IN_TRANSACTION

    @property
    def duration_s(self) -> float:
        """Of one request: the wait, and the work on the share of a processor that comes with the memory."""
        return WAITED_S + self.working_s(CPU_S)

    def working_s(self, cpu_s: float) -> float:
        """How long so much of a whole processor's work takes; more than one processor does not help a request."""
        return cpu_s / min(1.0, self.memory_mb / PROCESSOR_MB)

    def gb_s(self, duration_s: float) -> float:
        """What Lambda bills for that long."""
        return duration_s * self.memory_mb / 1024

    @property
    def stored_bytes(self) -> int:
        """Of one row, in the table and in its indexes, for ever."""
        return (ROW_SIZE_BYTES + ITEM_OVERHEAD_BYTES) * (1 + self.indexes)

    @property
    def published_price(self) -> float:
        """US dollars for publishing one row: its share of the function's batch, and its event."""
        publishing_s = ceil(self.rows_a_batch / EVENTS_MAX) * PUT_EVENTS_S / self.rows_a_batch
        return LAMBDA_REQUEST / self.rows_a_batch + self.gb_s(publishing_s) * LAMBDA_GB_S[self.architecture] + EVENT

    @property
    def row_price(self) -> float:
        """US dollars for one row: its write units, those of its stock item, and publishing it."""
        return (self.stock_units + self.ledger_units) * WRITE_UNIT + self.published_price

    @property
    def published_per_s(self) -> float:
        """Rows of one shard of the stream: a batch at a time, its calls one after another."""
        return self.rows_a_batch / (ceil(self.rows_a_batch / EVENTS_MAX) * PUT_EVENTS_S)


def _limited_by(template: Template) -> list[str]:
    """The parameter that limits each method of each path; those of the stage are for methods that have none."""
    resources = template["Resources"]
    every, *settings = resources["Api"]["Properties"]["MethodSettings"]
    own = {(each["ResourcePath"], each["HttpMethod"]): each["ThrottlingRateLimit"]["Ref"] for each in settings}
    return [
        own.get((f"/{event['Path'].replace('/', '~1')}", event["Method"].upper()), every["ThrottlingRateLimit"]["Ref"])
        for function in resources.values()
        if function["Type"] == "AWS::Serverless::Function"
        for event in (each["Properties"] for each in function["Properties"].get("Events", {}).values())
        if "RestApiId" in event
    ]


def _reserved(template: Template) -> dict[str, int]:
    stages = tomllib.loads(SAMCONFIG.read_text(encoding="utf-8"))
    values = stages["prod"]["deploy"]["parameters"]["parameter_overrides"]
    return {
        name: int(values[each["Properties"]["ReservedConcurrentExecutions"]["Fn::If"][1]["Ref"]])
        for name, each in template["Resources"].items()
        if "ReservedConcurrentExecutions" in each.get("Properties", {})
    }


type Limit = tuple[float, str, str, str]
"""Adjustments a second at which something gives way, what, why, and what to do."""


def limits(service: Service) -> list[Limit]:
    """All limits; the first to give way first."""
    return sorted([*_limits_of_stock(service), *_limits_of_settings(service), *_limits_of_account(service)])


def _limits_of_stock(service: Service) -> list[Limit]:
    """What limits one stock item, variant or business: the keys that its rows share."""
    partition = PARTITION_WRITE_UNITS_PER_S / service.row_units
    return [
        (
            SERIAL_COMMITS_PER_S,
            "one stock item, over HTTP",
            "a transaction at a time, of about 20 ms; others conflict",
            "send it through the queue",
        ),
        (
            PARTITION_WRITE_UNITS_PER_S / service.stock_units,
            "one stock item, without any conflict",
            f"a partition takes {PARTITION_WRITE_UNITS_PER_S:,} write units, an update {service.stock_units}",
            "send it through the queue",
        ),
        (
            min(SERIAL_COMMITS_PER_S * GROUP_MAX, partition),
            "one stock item, through the queue",
            f"its rows share a key of `by_stock_item`; otherwise {SERIAL_COMMITS_PER_S * GROUP_MAX:,}",
            "split the stock over more locations",
        ),
        (
            partition,
            "one variant of a business",
            "its rows share a key of `by_business`",
            "as above",
        ),
        (
            partition * BUSINESS_SHARDS,
            "one business",
            f"its rows share {BUSINESS_SHARDS} keys of `by_business`",
            "more shards: a change of the code, see below",
        ),
    ]


def _limits_of_settings(service: Service) -> list[Limit]:
    """What limits the stack: what the template sets, and how its queue and its tables begin."""
    grouped = service.batches_at_once / service.working_s(MERGED_CPU_S)
    most_batches = IN_FLIGHT_MESSAGES / service.messages_a_batch
    return [
        (
            service.rates["WriteRequestsPerSecond"],
            "each route that changes something",
            "`WriteRequestsPerSecond`",
            "raise it, and `WriteBurst` with it",
        ),
        (
            NEW_TABLE_WRITE_UNITS_PER_S / (service.row_units * IN_TRANSACTION),
            "new tables",
            f"they start with {NEW_TABLE_WRITE_UNITS_PER_S:,} write units",
            "`WarmThroughput` before the day, or grow slowly",
        ),
        (
            service.batches_at_once / service.working_s(CPU_S),
            "the queue, no two messages of one item",
            f"{service.batches_at_once} batches at a time; {grouped:,.0f} with full groups",
            "`QueueConcurrency`",
        ),
        (
            most_batches / service.working_s(CPU_S),
            "the queue, however high its `QueueConcurrency`",
            f"{IN_FLIGHT_MESSAGES:,} messages in flight are {most_batches:,.0f} full batches",
            "several queues",
        ),
    ]


def _limits_of_account(service: Service) -> list[Limit]:
    """What limits the account in the Region: AWS's quotas."""
    return [
        (
            GATEWAY_REQUESTS_PER_S,
            "all APIs of the account in the Region",
            "API Gateway's quota",
            "ask for more",
        ),
        (
            LAMBDA_CONCURRENCY * LAMBDA_REQUESTS_PER_S,
            "all functions of the account in the Region",
            f"{LAMBDA_CONCURRENCY:,} at a time, {LAMBDA_REQUESTS_PER_S} requests a second each",
            "ask for more",
        ),
        (
            TABLE_WRITE_UNITS_PER_S / service.ledger_units,
            "the ledger",
            f"{TABLE_WRITE_UNITS_PER_S:,} write units, with the indexes; a row takes {service.ledger_units}",
            "ask for more",
        ),
        (
            DELIVERIES_PER_S,
            "events that reach a subscriber",
            "EventBridge's quota of invocations; beyond it they are late, not lost",
            "ask for more",
        ),
        (
            TABLE_WRITE_UNITS_PER_S / service.stock_units,
            "the inventory table",
            f"{TABLE_WRITE_UNITS_PER_S:,} write units",
            "ask for more",
        ),
        (
            PUT_EVENTS_PER_S * EVENTS_MAX,
            "published events",
            f"{PUT_EVENTS_PER_S:,} calls of {EVENTS_MAX}",
            "ask for more; fuller batches",
        ),
    ]


def demands(service: Service) -> list[tuple[str, Callable[[int], float]]]:
    """What so many adjustments a second over HTTP ask for."""
    gb_a_day = DAY_S / 10**9
    partition = PARTITION_WRITE_UNITS_PER_S / service.row_units
    request = sum(http for _, http, _ in costs(service)) / 10**6
    return [
        ("requests a second", lambda per_s: per_s),
        ("write units a second: inventory", lambda per_s: per_s * service.stock_units),
        ("write units a second: ledger, indexes included", lambda per_s: per_s * service.ledger_units),
        ("read units a second, at most", lambda per_s: per_s * READ_UNITS),
        (
            "partitions of the inventory and the ledger, at least, each",
            lambda per_s: ceil(per_s * IN_TRANSACTION / partition),
        ),
        ("partitions of each index, at least", lambda per_s: ceil(per_s / partition)),
        ("functions at work", lambda per_s: ceil(per_s * service.duration_s)),
        (
            "concurrency to ask for",
            lambda per_s: ceil(max(per_s * service.duration_s, per_s / LAMBDA_REQUESTS_PER_S)),
        ),
        ("shards of the stream, at least", lambda per_s: ceil(per_s / service.published_per_s)),
        ("calls of PutEvents a second, at least", lambda per_s: ceil(per_s / EVENTS_MAX)),
        ("stored, GB a day", lambda per_s: per_s * service.stored_bytes * gb_a_day),
        ("logged, GB a day", lambda per_s: per_s * LOGGED_BYTES * gb_a_day),
        ("US dollars a day", lambda per_s: per_s * DAY_S * request),
        (
            "a month's rows, US dollars a month",
            lambda per_s: per_s * MONTH_S * keeping(service) / 10**6,
        ),
    ]


def costs(service: Service) -> list[tuple[str, float, float]]:
    """US dollars for a million adjustments: over HTTP one by one, and through the queue in full groups."""
    gb_s = LAMBDA_GB_S[service.architecture]
    merged_s = service.working_s(MERGED_CPU_S) + WAITED_S / GROUP_MAX
    lines = [
        ("API Gateway, or the queue", GATEWAY_REQUEST, QUEUE_REQUEST * (1 + 2 / MESSAGES_A_CALL)),
        (
            "the function",
            LAMBDA_REQUEST + service.gb_s(service.duration_s) * gb_s,
            LAMBDA_REQUEST / GROUP_MAX + service.gb_s(merged_s) * gb_s,
        ),
        (
            "write units",
            (service.stock_units + service.ledger_units) * WRITE_UNIT,
            (service.stock_units / GROUP_MAX + service.ledger_units) * WRITE_UNIT,
        ),
        ("read units", READ_UNITS * READ_UNIT, (1 / GROUP_MAX + 2) * READ_UNIT),
        ("publishing it: function and event", service.published_price, service.published_price),
        ("logs", LOGGED_BYTES / 10**9 * LOGGED_GB, LOGGED_MERGED_BYTES / 10**9 * LOGGED_GB),
    ]
    return [(name, http * 10**6, merged * 10**6) for name, http, merged in lines]


def keeping(service: Service) -> float:
    """US dollars a month for keeping a million rows, the table backed up continuously."""
    backed_up_bytes = ROW_SIZE_BYTES + ITEM_OVERHEAD_BYTES
    return (service.stored_bytes * STORED_GB_MONTH + backed_up_bytes * BACKED_UP_GB_MONTH) / 10**3


def callers(service: Service) -> list[tuple[str, float, float]]:
    """Who can cause costs, with requests a second, and US dollars an hour, at most.

    Requests are counted at the limits of the routes, answers and work at their largest.
    """
    gb_s = LAMBDA_GB_S[service.architecture]
    request = GATEWAY_REQUEST + LAMBDA_REQUEST + LOGGED_BYTES / 10**9 * LOGGED_GB
    brief = request + service.gb_s(ANSWERED_S) * gb_s
    refused = brief - GATEWAY_REQUEST + READ_UNIT  # the authorizer's work; API Gateway bills no request that it refuses
    listed = request + _read(ROWS_EXAMINED_MAX) + LISTED_BYTES / 10**9 * TRANSFERRED_GB
    proved = request + _read(PROOF_ROWS_MAX)
    opened, asked, reads, scans, writes = (_per_s(service, name) for name in _KINDS)
    at_work = service.reserved["ReadInventoryFunction"]  # all the time
    files = opened / 3 * FILE_BYTES_MAX / 10**9 * TRANSFERRED_GB  # HEAD and OPTIONS have none
    guarded = reads + scans + writes
    rows_per_s = TABLE_WRITE_UNITS_PER_S / service.ledger_units
    lines = [
        ("without a token: open routes", opened, opened * brief + files),
        ("without a token: preflights", asked, asked * brief),
        ("with made-up tokens, where the limit comes before the authorizer", guarded, guarded * refused),
        ("with made-up tokens, otherwise", GATEWAY_REQUESTS_PER_S, GATEWAY_REQUESTS_PER_S * refused),
        (
            "with a token that may read",
            reads + scans,
            reads * listed + scans * proved + service.gb_s(at_work) * gb_s,
        ),
        ("with a token that may write, a row a request", writes, writes * (brief + service.row_price)),
        ("with a token that may write, as fast as the ledger is", rows_per_s, rows_per_s * service.row_price),
    ]
    return [(who, per_s, dollars * HOUR_S) for who, per_s, dollars in lines]


_KINDS: Final = (
    "OpenRequestsPerSecond",
    "PreflightsPerSecond",
    "ReadRequestsPerSecond",
    "ScanRequestsPerSecond",
    "WriteRequestsPerSecond",
)


def _per_s(service: Service, parameter: str) -> int:
    """Requests a second of all methods that a parameter limits."""
    return service.methods.get(parameter, 0) * service.rates.get(parameter, 0)


def _read(rows: int) -> float:
    """US dollars for so many rows of an index, read eventually consistently: half a unit for 4 KB."""
    return rows * ROW_SIZE_BYTES / 4096 / 2 * READ_UNIT


def concurrency(service: Service) -> list[tuple[str, int]]:
    """Executions at a time that the stage `prod` reserves, by function, and what is left of a new quota."""
    reserved = sorted(service.reserved.items())
    total = sum(service.reserved.values())
    return [
        *reserved,
        ("**reserved**", total),
        ("left to all other functions of the account", LAMBDA_CONCURRENCY - total),
    ]


def memories(service: Service) -> list[tuple[int, float, float, float, float]]:
    """MB, and with them a request's ms and US dollars a million, and the seconds of a start and of the largest body."""
    sized = [replace(service, memory_mb=memory_mb) for memory_mb in MEMORIES_MB]
    return [
        (
            each.memory_mb,
            each.duration_s * 1_000,
            each.gb_s(each.duration_s) * LAMBDA_GB_S[each.architecture] * 10**6,
            each.working_s(START_CPU_S),
            each.working_s(LARGEST_BODY_CPU_S),
        )
        for each in sized
    ]


def snapshots(service: Service) -> list[tuple[str, float]]:
    """US dollars for starting from snapshots."""
    gb = service.memory_mb / 1024
    return [
        ("each version of one function, a month", gb * SNAPSHOT_GB_S * MONTH_S),
        (f"each deployment's {service.snapshots} versions, a month", gb * SNAPSHOT_GB_S * MONTH_S * service.snapshots),
        ("a thousand starts", gb * RESTORED_GB * 1_000),
    ]


def tables(service: Service) -> dict[str, str]:
    """The page's tables by name, in Markdown."""
    priced = costs(service)
    total = ("**together**", sum(http for _, http, _ in priced), sum(merged for _, _, merged in priced))
    return {
        "limits": _table(
            ["adjustments a second", "of", "because", "then"],
            [[_number(per_s), what, why, remedy] for per_s, what, why, remedy in limits(service)],
        ),
        "demands": _table(
            ["", *(f"{per_s:,} a second" for per_s in LOADS)],
            [[name, *(_number(demand(per_s)) for per_s in LOADS)] for name, demand in demands(service)],
        ),
        "costs": _table(
            ["US dollars for a million adjustments", "over HTTP, one by one", "through the queue, in full groups"],
            [[name, f"{http:.2f}", f"{merged:.2f}"] for name, http, merged in [*priced, total]],
        ),
        "keeping": _table(
            ["", "US dollars"],
            [["keeping a million rows, a month", f"{keeping(service):.2f}"]],
        ),
        "callers": _table(
            ["a caller", "requests or rows a second", "US dollars an hour"],
            [[who, _number(per_s), f"{dollars:,.2f}"] for who, per_s, dollars in callers(service)],
        ),
        "concurrency": _table(
            ["in `prod`", "executions at a time"],
            [[f"`{name}`" if name.isalnum() else name, _number(at_once)] for name, at_once in concurrency(service)],
        ),
        "memories": _table(
            ["MB", "a request, ms", "a million, US dollars", "a start, s", "the largest body, s"],
            [
                [f"{memory_mb:,}", f"{request_ms:.1f}", f"{dollars:.2f}", f"{start_s:.1f}", f"{body_s:.1f}"]
                for memory_mb, request_ms, dollars, start_s, body_s in memories(service)
            ],
        ),
        "snapshots": _table(["", "US dollars"], [[name, f"{price:.2f}"] for name, price in snapshots(service)]),
    }


def written(page: str, service: Service) -> str:
    """Return the page with each table between its marks as it is now.

    Raises:
        ValueError: a table has no place in the page.

    """
    for name, table in tables(service).items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("\n<!-- end -->")
        if not begin or not end:
            raise ValueError(f"the page has no place for the table {name!r}")
        page = before + begin + table + end + after
    return page


def _table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _number(value: float) -> str:
    return f"{value:,.2f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), Service.of(read_template(TEMPLATE))), encoding="utf-8")
