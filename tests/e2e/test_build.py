"""What `sam build` makes of functions and layers, as Lambda would load it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.sam_template import load_template, resources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import LocalStack

FUNCTIONS = resources("AWS::Serverless::Function")
HANDLER_SIZE_MAX_BYTES = 250 * 1024 * 1024  # Lambda's own limit, unzipped

# Runs without site-packages. Of those, only what Lambda's Python has by itself is let through: a dependency that a
# layer lacks can't hide behind this project's environment.
LOAD_AS_LAMBDA_DOES = """
import importlib.machinery, sys
runtime, *paths = sys.argv[1:]
RUNTIME_HAS = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
class Runtime:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and name in RUNTIME_HAS:
            return importlib.machinery.PathFinder.find_spec(name, [runtime])
sys.path[:0] = paths
sys.meta_path.append(Runtime)
import handler
assert callable(handler.handler)
print(sys.modules["inventory"].__file__)
print(*sorted(name.partition(".")[0] for name in sys.modules if "." not in name))
"""


def site_packages() -> str:
    (path,) = [path for path in sys.path if path.endswith("site-packages")]
    return path


def environment_of(function: str) -> dict[str, str]:
    """The variables that the template gives a function, with some value; of an address, none."""
    common = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    own = FUNCTIONS[function]["Properties"].get("Environment", {"Variables": {}})["Variables"]
    return {name: "INFO" if name == "LOG_LEVEL" else "some" for name in common | own} | {
        "AUDIT_SEGMENTS": "24",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DYNAMODB_ENDPOINT": "",
    }


def layer(stack: LocalStack, name: str) -> Path:
    return stack.places.build_dir / name / "python"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_from_its_layers_and_the_runtime_alone(function: str, local_stack: LocalStack) -> None:
    layers = [layer(local_stack, each["Ref"]) for each in FUNCTIONS[function]["Properties"]["Layers"]]
    loaded = subprocess.run(  # noqa: S603  our own interpreter
        [
            *(sys.executable, "-I", "-S", "-c", LOAD_AS_LAMBDA_DOES, site_packages()),
            *map(str, [local_stack.places.build_dir / function, *layers]),
        ],
        env=environment_of(function),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert loaded.returncode == 0, loaded.stderr
    origin, modules = loaded.stdout.splitlines()
    assert origin.startswith(str(layer(local_stack, "InventoryLayer")))
    assert ("aws_lambda_powertools" in modules.split()) == (layer(local_stack, "DependenciesLayer") in layers)
    assert "aws_xray_sdk" not in modules.split(), "the X-Ray SDK quadruples a cold start"


@pytest.mark.parametrize("name", ["DependenciesLayer", "InventoryLayer"])
def test_every_module_of_a_layer_has_its_bytecode(name: str, local_stack: LocalStack) -> None:
    modules = list(layer(local_stack, name).rglob("*.py"))
    assert len(modules) > 10
    uncompiled = [
        each for each in modules if not (each.parent / "__pycache__" / f"{each.stem}.cpython-313.pyc").exists()
    ]
    assert not uncompiled


def test_the_dependencies_serve_both_architectures_and_hold_nothing_that_the_runtime_has(
    local_stack: LocalStack,
) -> None:
    packages = layer(local_stack, "DependenciesLayer")
    compiled = {each.name for each in packages.rglob("*.so")}
    for machine in ("x86_64", "aarch64"):
        assert any(f"cpython-313-{machine}-linux-gnu" in name for name in compiled), machine
    assert not {each.name for each in packages.iterdir()} & {"boto3", "botocore", "urllib3", "s3transfer", "dateutil"}


def test_the_inventory_layer_is_our_package_and_nothing_else(local_stack: LocalStack) -> None:
    assert [each.name for each in layer(local_stack, "InventoryLayer").iterdir()] == ["inventory"]


def test_the_page_of_the_api_comes_in_a_layer_of_its_own_and_in_no_other(local_stack: LocalStack) -> None:
    packages = layer(local_stack, "SwaggerUiLayer") / "swagger_ui"
    assert {each.name for each in packages.iterdir()} == {"swagger-ui-bundle.js.gz", "swagger-ui.css.gz"}
    assert b"SwaggerUIBundle" in gzip.decompress((packages / "swagger-ui-bundle.js.gz").read_bytes())
    everywhere = [
        each
        for name in ("DependenciesLayer", "InventoryLayer")
        for each in layer(local_stack, name).rglob("*")
        if each.suffix in {".js", ".css", ".gz"}
    ]
    assert everywhere == []
    users = [name for name, each in FUNCTIONS.items() if {"Ref": "SwaggerUiLayer"} in each["Properties"]["Layers"]]
    assert users == ["DescribeApiFunction"]


def test_functions_and_layers_stay_far_below_lambdas_limit(local_stack: LocalStack) -> None:
    size_bytes = sum(
        each.stat().st_size
        for name in (*FUNCTIONS, "DependenciesLayer", "InventoryLayer", "SwaggerUiLayer")
        for each in (local_stack.places.build_dir / name).rglob("*")
        if each.is_file()
    )
    assert size_bytes < HANDLER_SIZE_MAX_BYTES / 4
    assert load_template()["Globals"]["Function"]["Runtime"] == "python3.13"
