"""Imports point inward only, and importing the package does nothing: read from the sources."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import pytest
import pytest_socket

from tests.support.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYER = ROOT / "layers" / "inventory"
PACKAGE = LAYER / "inventory"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
HANDLERS = sorted((ROOT / "functions").glob("*/*.py"))

DOMAIN = {
    "model": set[str](),
    "errors": set[str](),
    "instants": set[str](),
    "chain": {"instants", "model"},
    "tries": {"errors"},
    "adjust": {"chain", "errors", "model", "tries"},
    "reverse": {"adjust", "errors", "model", "tries"},
}
"""The modules without AWS, HTTP or pydantic, and which of the package each may import."""

LEAVES = {"identifiers", "jsontext", "keys", "memory", "headers"}
"""Modules that know nothing of the service: the standard library only."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports anywhere, be it for types only; of the package with the module's name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module is not None
            if node.module == "inventory":
                yield from (f"inventory.{alias.name}" for alias in node.names)
            else:
                yield node.module


def inward(name: str) -> set[str]:
    """Which modules of the package a module imports."""
    return {each.split(".")[1] for each in imports(PACKAGE / f"{name}.py") if each.startswith("inventory.")}


def outward(name: str) -> set[str]:
    """Which third-party packages a module imports."""
    tops = {each.split(".")[0] for each in imports(PACKAGE / f"{name}.py")}
    return tops - set(sys.stdlib_module_names) - {"inventory"}


@pytest.mark.parametrize("name", DOMAIN)
def test_the_domain_imports_only_what_lies_further_in(name: str) -> None:
    assert inward(name) <= DOMAIN[name]
    assert outward(name) == set()


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_a_leaf_imports_the_standard_library_only(name: str) -> None:
    assert (inward(name), outward(name)) == (set(), set())


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert set(TopologicalSorter({name: inward(name) for name in MODULES}).static_order()) >= set(MODULES)


@pytest.mark.parametrize(
    ("package", "users"),
    [
        ("boto3", {"sdk"}),
        ("snapshot_restore_py", {"restore"}),
        ("pydantic", {"audit_requests", "instant_fields", "requests", "provision_requests", "read_requests"}),
        (
            "mypy_boto3_dynamodb",
            {"access", "audit_tables", "books", "catalog", "client", "dynamodb", "ledger_index", "stock_items"},
        ),
    ],
)
def test_a_library_is_known_in_few_places(package: str, users: set[str]) -> None:
    assert {name for name in MODULES if package in outward(name)} <= users


def test_the_package_never_imports_a_handler_or_a_test() -> None:
    assert {top for name in MODULES for top in outward(name)} & {"functions", "handler", "local", "tests"} == set()


def test_handlers_import_nothing_of_each_other() -> None:
    for path in HANDLERS:
        assert {name.split(".")[0] for name in imports(path)} & {"functions", "handler", "tests"} == set()


@pytest.mark.parametrize("name", MODULES)
def test_no_module_of_the_package_reads_the_environment_or_the_arguments(name: str) -> None:
    assert {"os", "sys", "environ", "getenv"} & {
        each.split(".")[-1] for each in imports(PACKAGE / f"{name}.py")
    } == set()
    named = {node.attr for node in ast.walk(tree(PACKAGE / f"{name}.py")) if isinstance(node, ast.Attribute)}
    assert named & {"environ", "getenv", "argv"} == set()


def test_only_handlers_read_the_environment_and_all_of_them_do_but_the_one_without_settings() -> None:
    assert {path.name for path in HANDLERS} == {"handler.py"}
    readers = {path.parent.name for path in HANDLERS if "os" in set(imports(path))}
    assert {path.parent.name for path in HANDLERS} - readers == {"describe_api"}


def test_importing_the_package_makes_no_client_and_reads_no_clock_and_prints_nothing() -> None:
    """In a fresh interpreter without any setting: whatever a module did at import would need one, or be caught."""
    program = """
import importlib, json, sys, time
import boto3, botocore.session

def forbidden(*_, **__):
    raise AssertionError("a client was made")

boto3.client = boto3.resource = boto3.Session.client = botocore.session.Session.create_client = forbidden
time.sleep = forbidden
for name in json.loads(sys.argv[1]):
    importlib.import_module(f"inventory.{name}")
"""
    assert run(program, json.dumps(MODULES)) == ""


@pytest.mark.parametrize("name", [*DOMAIN, *sorted(LEAVES)])
def test_importing_the_domain_loads_no_third_party_package(name: str) -> None:
    program = f"""
import sys
import inventory.{name}
print(*{{"boto3", "botocore", "pydantic", "aws_lambda_powertools"}} & set(sys.modules))
"""
    assert run(program) == "\n"


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(  # noqa: S603
        command, env={"PYTHONPATH": str(LAYER)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_unit_tests_cannot_reach_the_network() -> None:
    with pytest.raises(pytest_socket.SocketBlockedError):
        socket.socket()
