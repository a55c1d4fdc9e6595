"""A part of the cases of each test: the conftest of the folder in which faults are tried.

A fault that nothing notices costs a run of every test that reaches it, hundreds of cases of a few tests. With fewer
cases a fault can only be noticed less often: the reported strength of the tests is never better than the true one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

CASES_MAX: Final = 12
"""Cases of one test, evenly spread."""

IN_A_PROCESS_OF_THEIR_OWN: Final = frozenset(
    {"test_a_cold_start_imports_no_pydantic", "test_no_body_fills_the_memory_of_the_function"}
)
"""Tests that are left out: the process that they start would import the package from where it is not, in the copy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    cases: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        # mutmut does not find a case again whose name has a backslash.
        if item.name not in IN_A_PROCESS_OF_THEIR_OWN and "\\" not in item.name:
            cases[item.nodeid.partition("[")[0]].append(item)
    kept = {id(item) for each in cases.values() for item in each[:: -(-len(each) // CASES_MAX)]}
    items[:] = [item for item in items if id(item) in kept]
