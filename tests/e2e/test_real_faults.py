"""A small campaign of real faults on the running stack; `make chaos` is the long one. Its goals are counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.campaigns.chaos.campaign import Campaign, Plan
from tests.campaigns.chaos.proxy import Kind

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Service

# Enough writes for each kind of fault to have its turn: it is one of nine, and each fourth write is broken. A restart
# is the long campaign's: that it keeps what was acknowledged is also a test of the local service.
PLAN = Plan(seed=1, clients=12, senders=2, one_in=4, kills=2, restarts=0, repeats=10, each=5, waits_for_feed=False)
OF_WRITES = {kind for kind in Kind if "read" not in kind}


@pytest.mark.timeout(900)
def test_every_acknowledged_change_is_in_the_ledger_once_under_every_kind_of_fault(
    local_stack: LocalStack, service: Service
) -> None:
    outcome = Campaign(PLAN, local_stack, service).run()

    assert outcome.differences == []
    assert outcome.counts["requests over HTTP"] == PLAN.clients * 5
    assert {kind for kind in OF_WRITES if not outcome.injected.get(kind)} == set(), "each kind had its turn"
    assert outcome.injected["function processes killed"] > PLAN.kills
    assert outcome.counts["writes applied, answer not seen"] >= 5
    assert "verything adds up" in outcome.audit, "whatever other tests left behind, all of it was audited"
    assert [business for business in outcome.business_ids if business in outcome.audit] == []
