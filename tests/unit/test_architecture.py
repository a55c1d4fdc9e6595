"""The packages are layers: each module imports only what lies further in, and importing the package does nothing.

Everything is read from the sources, and every module of the package is covered: a new one is in a layer by its folder.
"""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import pytest
import pytest_socket

from inventory.domain import errors
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYER = ROOT / "layers" / "inventory"
PACKAGE = LAYER / "inventory"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}
"""Every module of the package, by its name within it, e.g. ``storage.keys``."""
HANDLERS = sorted((ROOT / "functions").glob("*/*.py"))

INWARD = {
    "domain": set[str](),
    "adjusting": {"domain"},
    "aws": {"domain"},
    "schemas": {"domain"},
    "storage": {"domain", "aws"},
    "integrity": {"domain", "aws", "storage"},
    "queries": {"domain", "aws", "storage", "integrity"},
    "entrypoints": {"domain", "adjusting", "aws", "schemas", "storage", "integrity", "queries"},
    "api": {"domain", "adjusting", "aws", "schemas", "storage", "integrity", "queries", "entrypoints"},
}
"""Which other packages each package may import."""

STANDARD_LIBRARY_ONLY = {
    *(name for name in MODULES if name.startswith("domain.")),
    *("schemas.json_parser", "schemas.json_schema", "schemas.problems"),
    *("storage.cache", "storage.cursors", "storage.keys"),
    *("api.authorizer", "api.headers", "api.routes", "api.static_files"),
}
"""The modules that load no third-party package, so that every function can afford them."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports anywhere, also for types only; of the package with the module's name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module is not None
            if f"{node.module.removeprefix('inventory.')}" in INWARD:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def inward(name: str) -> set[str]:
    """Which modules of the package a module imports."""
    return {each.removeprefix("inventory.") for each in imports(MODULES[name]) if each.startswith("inventory.")}


def outward(name: str) -> set[str]:
    """Which third-party packages a module imports."""
    tops = {each.split(".")[0] for each in imports(MODULES[name])}
    return tops - set(sys.stdlib_module_names) - {"inventory"}


def package_of(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def test_every_module_lies_in_a_package_that_is_a_layer() -> None:
    assert {package_of(name) for name in MODULES} == set(INWARD)
    assert all(name.count(".") == 1 for name in MODULES)
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"} == set(INWARD)


def test_the_layers_have_an_order() -> None:
    assert set(TopologicalSorter(INWARD).static_order()) == set(INWARD)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_exists_and_lies_further_in(name: str) -> None:
    imported = inward(name)
    assert imported <= set(MODULES)
    assert {package_of(each) for each in imported} <= INWARD[package_of(name)] | {package_of(name)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert set(TopologicalSorter({name: inward(name) for name in MODULES}).static_order()) == set(MODULES)


def definitions(body: list[ast.stmt]) -> Iterator[str]:
    """Names of the classes, constants and types that a module defines, also those for types only."""
    for node in body:
        match node:
            case ast.ClassDef(name):
                yield name
            case ast.AnnAssign(ast.Name(name)) | ast.Assign([ast.Name(name)]) | ast.TypeAlias(ast.Name(name)):
                yield name
            case ast.If(_, inner):
                yield from definitions(inner)


def test_no_two_classes_or_constants_share_a_name() -> None:
    named = Counter(each for name in MODULES for each in definitions(tree(MODULES[name]).body))
    assert len(named) > 200
    assert [each for each, count in named.items() if count > 1] == []


def test_the_errors_are_drawn_as_the_tree_that_they_are() -> None:
    drawn = [each for each in str(errors.__doc__).split("::", 1)[1].splitlines() if each.startswith("    ")]
    above: list[str] = []
    parents: dict[str, str] = {}
    for line in drawn:
        branch, name = re.match(r"    ([│├└─ ]*)(\w+)", line).groups()  # type: ignore[union-attr]
        above[len(branch) // 4 :] = [name]
        parents[name] = above[-2] if len(above) > 1 else "Exception"
    raised = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert parents == {each.__name__: each.__base__.__name__ for each in raised if each.__base__ is not None}


@pytest.mark.parametrize("name", sorted(STANDARD_LIBRARY_ONLY))
def test_what_every_function_can_afford_imports_the_standard_library_only(name: str) -> None:
    assert outward(name) == set()


@pytest.mark.parametrize("package", [*INWARD])
def test_a_package_says_what_it_is_for_and_exports_nothing(package: str) -> None:
    (docstring,) = tree(PACKAGE / package / "__init__.py").body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("boto3", {"aws.fast_session"}),
        ("snapshot_restore_py", {"aws.snapstart"}),
        ("pydantic", {name for name in MODULES if package_of(name) == "schemas"}),
        ("pydantic_core", {"schemas.instants"}),
        (
            "aws_lambda_powertools",
            {
                "schemas.base",
                "entrypoints.deadline",
                "entrypoints.log_lines",
                "entrypoints.telemetry",
                "aws.amazon_roots",
            },
        ),
        (
            "mypy_boto3_dynamodb",
            {name for name in MODULES if package_of(name) == "storage"}
            | {
                "aws.clients",
                "entrypoints.composition",
                "entrypoints.provisioning",
            },
        ),
    ],
)
def test_a_library_is_known_in_few_places(library: str, users: set[str]) -> None:
    assert {name for name in MODULES if library in outward(name)} <= users


def test_the_package_never_imports_a_handler_or_a_test() -> None:
    outside = {"functions", "handler", "local", "ops", "tools", "tests"}
    assert {top for name in MODULES for top in outward(name)} & outside == set()


def test_handlers_import_nothing_of_each_other() -> None:
    for path in HANDLERS:
        assert {name.split(".")[0] for name in imports(path)} & {"functions", "handler", "tests"} == set()


@pytest.mark.parametrize("name", MODULES)
def test_no_module_of_the_package_reads_the_environment_or_the_arguments(name: str) -> None:
    assert {"os", "sys", "environ", "getenv"} & {each.split(".")[-1] for each in imports(MODULES[name])} == set()
    named = {node.attr for node in ast.walk(tree(MODULES[name])) if isinstance(node, ast.Attribute)}
    assert named & {"environ", "getenv", "argv"} == set()


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_has_at_most_sixty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize("path", [*HANDLERS, *MODULES.values()], ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_no_function_has_over_forty_lines(path: Path) -> None:
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
    assert [each.name for each in functions if (each.end_lineno or 0) - each.lineno >= 40] == []


def test_only_handlers_read_the_environment_and_all_of_them_do() -> None:
    assert {path.name for path in HANDLERS} == {"handler.py"}
    readers = {path.parent.name for path in HANDLERS if "os" in set(imports(path))}
    assert {path.parent.name for path in HANDLERS} == readers


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
    assert run(program, json.dumps([*MODULES])) == ""


def test_importing_what_every_function_can_afford_loads_no_third_party_package() -> None:
    """Each module in turn, as if it were the first: what one has loaded is forgotten before the next."""
    program = """
import importlib, json, sys
LIBRARIES = {"boto3", "botocore", "pydantic", "aws_lambda_powertools"}
for name in json.loads(sys.argv[1]):
    for loaded in [each for each in sys.modules if each.split(".")[0] in {"inventory", *LIBRARIES}]:
        del sys.modules[loaded]
    importlib.import_module(f"inventory.{name}")
    if found := LIBRARIES & set(sys.modules):
        print(name, *found)
"""
    assert run(program, json.dumps(sorted(STANDARD_LIBRARY_ONLY))) == ""


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
