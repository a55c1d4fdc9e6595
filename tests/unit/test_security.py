"""What is shipped can't be made to call an address, or a shell."""

from __future__ import annotations

import ast
import re

from tests.support.harness.loading import ROOT

SHIPPED = sorted([*ROOT.glob("functions/*/*.py"), *ROOT.glob("layers/inventory/inventory/**/*.py")])
CALLERS = {"socket", "http", "urllib", "urllib3", "requests", "httpx", "subprocess", "ftplib", "smtplib", "asyncio"}
"""What can reach an address by its name, or a shell."""


def imported(source: str) -> set[str]:
    """The top-level names of a module's imports, including those for types only."""
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
