"""What the recorded stack is asked for: the demo data, every sample in events/, and what else leads to a call.

A new sample is taken from its folder. ``recorded`` is run once and kept for all tests.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from local.demo import SHOPS
from tests.iam.deployed import deployed
from tests.iam.recording import Recorder
from tests.iam.scenarios import SCENARIOS
from tests.support.harness.loading import ROOT, load_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.iam.recording import Answer, Call

    type Scenario = Callable[[Recorder], None]

SAMPLES: Final = sorted(path.stem for path in (ROOT / "events").glob("*.json"))
LAST: Final = ("provision-deactivate", "provision-revoke")
"""Samples that take away what others need."""


class Recorded(NamedTuple):
    """All calls and answers in their order, the answer to each sample, and what was wrong in scenarios."""

    calls: list[Call]
    answers: list[Answer]
    samples: dict[str, Answer]
    wrong: dict[Scenario, AssertionError]


@cache
def recorded() -> Recorded:
    """Run everything on a stack in memory."""
    with Recorder(deployed()) as stack:
        _fill(stack)
        samples: dict[str, Answer] = {}
        wrong: dict[Scenario, AssertionError] = {}
        for sample in _in_order(SAMPLES):
            stack.invoke(folder_of(sample), load_event(sample))
            samples[sample] = stack.answers[-1]
        for scenario in SCENARIOS:
            try:
                scenario(stack)
            except AssertionError as error:
                wrong[scenario] = error
        return Recorded(stack.calls, stack.answers, samples, wrong)


def folder_of(sample: str) -> str:
    """The function that a sample's name begins with."""
    (folder,) = [
        each.folder for each in deployed().functions.values() if sample.startswith(each.folder.replace("_", "-"))
    ]
    return folder


def _in_order(samples: list[str]) -> Iterator[str]:
    """Writes before what reads them, and last what takes away."""
    first = ("provision", "create", "ingest", "reverse")

    def rank(sample: str) -> tuple[bool, int, str]:
        return (
            sample.startswith(LAST),
            next((place for place, name in enumerate(first) if sample.startswith(name)), len(first)),
            sample,
        )

    yield from sorted(samples, key=rank)


def _fill(stack: Recorder) -> None:
    for shop in SHOPS:
        for command in shop.registrations():
            stack.invoke("provision", command)
        for sku in shop.variant_ids:
            stack.invoke("create_adjustment", shop.opening_stock(sku))
