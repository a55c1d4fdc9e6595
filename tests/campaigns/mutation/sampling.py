"""A part of the cases of each test: the conftest of the folder in which faults are tried.

A fault that nothing notices costs a run of every test that reaches it, hundreds of cases of a few tests. With fewer
cases a fault can only be noticed less often: the reported strength of the tests is never better than the true one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

CASES_MAX: Final = 9
"""Cases of one test, evenly spread."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    cases: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    kept = {id(item) for each in cases.values() for item in each[:: -(-len(each) // CASES_MAX)]}
    items[:] = [item for item in items if id(item) in kept]
