"""The page about testing: each command is one that there is, and figures that stand twice are the same."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import page, rows, section

NAME = "docs/testing.md"


def test_each_row_of_evidence_names_the_command_that_repeats_it() -> None:
    assert [row for row in rows(section(NAME, "Evidence"))[1:] if not row[2].startswith("make ")] == []


@pytest.mark.parametrize("command", ["make test", "make soak SEEDS=1000"])
def test_the_histories_are_counted_alike_in_both_tables(command: str) -> None:
    evidence = [row[1] for row in rows(section(NAME, "Evidence")) if row[2] == command and "histories" in row[1]]
    histories = [row[1] for row in rows(section(NAME, "Histories with faults")) if row[0].endswith(command)]
    counted = [re.match(r"[\d,]+ histories", each) for each in (*evidence, *histories)]
    assert [found and found[0] for found in counted] == [counted[0] and counted[0][0]] * 2


def test_the_faults_of_make_mutation_add_up() -> None:
    noticed = re.search(r"\| ([\d,]+): ([\d,]+) noticed, (\d+) change nothing", page(NAME))
    assert noticed
    total, seen, unseen = (int(each.replace(",", "")) for each in noticed.groups())
    assert total == seen + unseen
