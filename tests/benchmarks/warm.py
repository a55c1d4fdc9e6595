"""What one request costs a warm environment, beside the baselines that do the same work.

Two transports: a stubbed one, and loopback HTTP to an emulator's DynamoDB. Two meters: CPU time of the process, and
instructions (stubbed only: the emulator's speed would be in the counts of a client that waits for it).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from local.emulator import bare_emulator
from local.places import Places
from ops.aws import REGION
from tests.benchmarks import checks, meters
from tests.benchmarks.environments import stock_item
from tests.benchmarks.subjects import BASELINES, OURS
from tests.benchmarks.tables import Tables
from tests.support.harness.emulated_tables import create_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

BARE: Final = "bare"
SUBJECTS: Final = (OURS, *BASELINES)
FOR_INFORMATION: Final = ("ours, unknown", "ours, replay", "ours, refused", "authorizer")
CONTROLLED: Final = (OURS, BARE)
TARGETS: Final = (
    checks.Target(OURS, BARE, 0.90, gate_max=1.00),
    checks.Target(OURS, "resolver", 0.65),
    checks.Target(OURS, "idempotency", 0.25),
)
"""Of CPU time on the stubbed transport. The first is missed by a little: docs/performance.md says why."""

EMULATED_ROUNDS_MAX: Final = 9
LOOPBACK_CONTROL_MAX: Final = 0.10
"""The emulator works on the same cores, and takes the caches with it between any two requests."""

_EMULATED_SAMPLE_S: Final = 0.1
LEGEND: Final = (
    "A whole handler for each request, a fresh one unless the label says otherwise; bare: the call alone, its parts\n"
    "ready. ratio: to bare. ours, resolver and idempotency log and count, plain and fastapi do not; idempotency makes\n"
    "3 calls by its design. loopback: HTTP to the emulator's DynamoDB here, CPU time of the client's process."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One subject, for each request: medians, and each relative to the bare call. None: not measured."""

    label: str
    calls: float
    cpu_us: float
    cpu_ratio: float
    instructions_k: float | None
    instructions_ratio: float | None
    loopback_us: float | None
    loopback_ratio: float | None


def measure(*, rounds: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[checks.Check]]:
    """Run all subjects on both transports."""
    labels = [*SUBJECTS, *FOR_INFORMATION, *(each + checks.AGAIN for each in CONTROLLED)]
    work, cpu_us = meters.cpu(_variants("stubbed", labels), rounds=rounds, seed=seed)
    counted = meters.instructions(_variants("stubbed", labels)) if count_instructions else None
    loopback_us = loopback(rounds=min(rounds, EMULATED_ROUNDS_MAX), seed=seed)
    rows = [
        Row(
            label=label,
            calls=work[label].calls / work[label].requests,
            cpu_us=median(cpu_us[label]),
            cpu_ratio=checks.ratio(cpu_us, label, BARE),
            instructions_k=None if counted is None else median(counted[label]),
            instructions_ratio=None if counted is None else checks.ratio(counted, label, BARE),
            loopback_us=median(loopback_us[label]) if label in loopback_us else None,
            loopback_ratio=checks.ratio(loopback_us, label, BARE) if label in loopback_us else None,
        )
        for label in labels
    ]
    judged = [
        *checks.controls(cpu_us, "CPU time of a request", checks.CPU_CONTROL_MAX),
        *checks.controls(loopback_us, "CPU time over loopback", LOOPBACK_CONTROL_MAX),
        *checks.targets(TARGETS, cpu_us, "CPU time of a request"),
    ]
    if counted is not None:
        judged += checks.controls(counted, "instructions of a request", checks.INSTRUCTIONS_CONTROL_MAX)
    return rows, judged


def loopback(*, rounds: int, seed: int) -> dict[str, list[float]]:
    """CPU microseconds for each request in each round, on tables of an emulator."""
    labels = [*SUBJECTS, *(each + checks.AGAIN for each in CONTROLLED)]
    with emulated_tables(labels) as environments:
        _, samples = meters.cpu(
            _variants("emulated", labels),
            rounds=rounds,
            seed=seed,
            environments=environments,
            sample_s=_EMULATED_SAMPLE_S,
        )
    return samples


def _variants(transport: str, labels: Sequence[str]) -> dict[str, str]:
    return {label: f"{transport}:{label.removesuffix(checks.AGAIN)}" for label in labels}


@contextmanager
def emulated_tables(labels: Sequence[str]) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Tables of each label's own, as the stubbed ones begin; what its process finds in its environment."""
    with TemporaryDirectory() as folder, bare_emulator(Places(Path(folder))) as emulator:
        client = emulator.aws.dynamodb()
        endpoint = {
            "AWS_DEFAULT_REGION": REGION,
            "DYNAMODB_ENDPOINT": emulator.endpoint_url,
            "AWS_ENDPOINT_URL_DYNAMODB": emulator.endpoint_url,
            "IDEMPOTENCY_TABLE": _idempotency_table(client),
        }
        yield {label: {**endpoint, **_stocked_tables(client)} for label in labels}
        client.close()


def _stocked_tables(client: DynamoDBClient) -> dict[str, str]:
    names = create_tables(client)
    for item in [*Tables().items.values(), stock_item()]:
        client.put_item(TableName=names.inventory, Item=item)
    return {"INVENTORY_TABLE": names.inventory, "LEDGER_TABLE": names.ledger}


def _idempotency_table(client: DynamoDBClient) -> str:
    name = "idempotency"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return name
