"""What `make run` makes of the template for the emulator."""

from __future__ import annotations

from local.emulator import calls_in_flight
from local.template import read_template, with_fewer_batches_at_once
from tests.support.sam_template import TEMPLATE


def test_the_emulator_has_no_more_batches_of_a_queue_under_way_than_it_serves_calls() -> None:
    template = read_template(TEMPLATE)

    changed = with_fewer_batches_at_once(template, 3)

    queue = changed["Resources"]["IngestAdjustmentsFunction"]["Properties"]["Events"]["Requests"]["Properties"]
    assert queue["ScalingConfig"] == {"MaximumConcurrency": 3}
    queue["ScalingConfig"] = {"MaximumConcurrency": 10}
    assert changed == template, "and nothing else is changed"


def test_a_machine_that_serves_more_calls_than_the_template_asks_for_has_the_templates_own_number() -> None:
    template = read_template(TEMPLATE)

    assert with_fewer_batches_at_once(template, 64) == template
    assert calls_in_flight() >= 4
