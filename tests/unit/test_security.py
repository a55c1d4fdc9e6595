"""The page on security is true: each risk has its row, each test that it names exists, and what no other test says."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.loading import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
RISKS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| API")]
SHIPPED = sorted([*ROOT.glob("functions/*/*.py"), *ROOT.glob("layers/inventory/inventory/**/*.py")])
CALLERS = {"socket", "http", "urllib", "urllib3", "requests", "httpx", "subprocess", "ftplib", "smtplib", "asyncio"}
"""What can reach an address by its name, or a shell."""


def test_each_of_the_ten_risks_has_its_row() -> None:
    assert [row[0].split()[0] for row in RISKS] == [f"API{number}" for number in range(1, 11)]


@pytest.mark.parametrize("row", RISKS, ids=lambda row: row[0].split()[0])
def test_each_row_says_what_is_done_names_a_test_and_says_what_is_left(row: list[str]) -> None:
    _, done, tests, left = row
    assert done
    assert re.search(r"`tests/\S+::test_\w+`", tests)
    assert left


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}::{name}" for file, name in NAMED])
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert name in tests if name else any(each.startswith("test_") for each in tests)


def test_the_readme_leads_to_the_page() -> None:
    assert "](docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def imported(source: str) -> set[str]:
    """The top-level names of what a module imports, be it for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    # `http` alone has constants only; `http.client` is another name.
    return {name.split(".")[0] for name in found - {"http"}}


def test_nothing_that_is_shipped_can_call_an_address_that_it_was_sent() -> None:
    """What is called is called by a client of the SDK, which two modules make from the template's settings alone."""
    sources = {path: path.read_text(encoding="utf-8") for path in SHIPPED}

    assert {path.name: imported(source) & CALLERS for path, source in sources.items()} == {
        path.name: set[str]() for path in SHIPPED
    }
    makers = [
        path.name
        for path, source in sources.items()
        if re.search(r"(\.(client|create_client)|\bmake_client)\(", source)
    ]
    assert makers == ["clients.py", "fast_session.py"]
