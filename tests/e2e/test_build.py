"""What `sam build` makes of functions and layers, as Lambda would load it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from local.deployment import host_architecture
from tests.support.sam_template import load_template, resources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import LocalStack

FUNCTIONS = resources("AWS::Serverless::Function")
HANDLER_SIZE_MAX_BYTES = 250 * 1024 * 1024  # Lambda's own limit, unzipped
LAYERS_SIZE_MAX_BYTES = 6_000_000  # ours, zipped: it is fetched and unpacked at each cold start

DEPENDENCIES = {"arm64": "DependenciesArm64Layer", "x86_64": "DependenciesX86Layer"}
ELF_MACHINES = {"arm64": 183, "x86_64": 62}
IN_NO_LAYER = {"aws_xray_sdk", "boto3", "botocore", "dateutil", "s3transfer", "urllib3"}
"""What the runtime has by itself, and the X-Ray SDK, which quadruples a cold start."""
LOADED_BY_NO_REQUEST = (
    "aws_xray_sdk",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser.envelopes",
    "aws_lambda_powertools.utilities.parser.models",
    "pydantic.v1",
)
"""Parts of libraries that cost a tenth of a cold start or more, and that nothing here needs."""

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
print(*sorted(sys.modules))
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


def layers_of(function: str) -> list[str]:
    """By their names in the template; of the two for either kind of processor, this machine's."""
    return [
        DEPENDENCIES[host_architecture()] if "Fn::If" in each else each["Ref"]
        for each in FUNCTIONS[function]["Properties"]["Layers"]
    ]


def zipped_size_bytes(directory: Path, archive: Path) -> int:
    """As `sam deploy` packs it; without the libraries of a build machine that is not Linux, which are not deployed."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
        for each in sorted(directory.rglob("*")):
            if each.is_file() and (each.suffix != ".so" or each.name.endswith("-linux-gnu.so")):
                packed.write(each, each.relative_to(directory.parent))
    return archive.stat().st_size


def modules_of(function: str, stack: LocalStack) -> tuple[str, set[str]]:
    """Load a handler as Lambda does; return where our package came from, and the names of all modules."""
    layers = [layer(stack, name) for name in layers_of(function)]
    loaded = subprocess.run(  # noqa: S603  our own interpreter
        [
            *(sys.executable, "-I", "-S", "-c", LOAD_AS_LAMBDA_DOES, site_packages()),
            *map(str, [stack.places.build_dir / function, *layers]),
        ],
        env=environment_of(function),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert loaded.returncode == 0, loaded.stderr
    origin, modules = loaded.stdout.splitlines()
    return origin, set(modules.split())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_from_its_layers_and_the_runtime_and_only_what_it_needs(
    function: str, local_stack: LocalStack
) -> None:
    origin, modules = modules_of(function, local_stack)

    assert origin.startswith(str(layer(local_stack, "InventoryLayer")))
    assert ("aws_lambda_powertools" in modules) == bool(set(layers_of(function)) & set(DEPENDENCIES.values()))
    assert {name for name in modules if name.startswith(LOADED_BY_NO_REQUEST)} == set()


@pytest.mark.parametrize("name", [*DEPENDENCIES.values(), "InventoryLayer"])
def test_every_module_of_a_layer_has_its_bytecode(name: str, local_stack: LocalStack) -> None:
    modules = list(layer(local_stack, name).rglob("*.py"))
    assert len(modules) > 10
    uncompiled = [
        each for each in modules if not (each.parent / "__pycache__" / f"{each.stem}.cpython-313.pyc").exists()
    ]
    assert not uncompiled


@pytest.mark.parametrize("architecture", DEPENDENCIES)
def test_the_dependencies_hold_the_compiled_parts_of_one_architecture_and_nothing_that_the_runtime_has(
    architecture: str, local_stack: LocalStack
) -> None:
    packages = layer(local_stack, DEPENDENCIES[architecture])
    # Outside of Linux the build machine's own libraries lie beside them, to run the functions there.
    compiled = [each.read_bytes()[:20] for each in packages.rglob("*.so") if each.name.endswith("-linux-gnu.so")]
    assert [head[:4] for head in compiled] == [b"\x7fELF"]
    assert [int.from_bytes(head[18:20], "little") for head in compiled] == [ELF_MACHINES[architecture]]
    assert {each.name for each in packages.iterdir()} & IN_NO_LAYER == set()


@pytest.mark.parametrize("architecture", DEPENDENCIES)
def test_both_layers_of_a_request_are_small_enough_to_start_with(
    architecture: str, local_stack: LocalStack, tmp_path: Path
) -> None:
    size_bytes = sum(
        zipped_size_bytes(layer(local_stack, name), tmp_path / f"{name}.zip")
        for name in (DEPENDENCIES[architecture], "InventoryLayer")
    )
    assert size_bytes <= LAYERS_SIZE_MAX_BYTES


def test_the_inventory_layer_is_our_package_and_nothing_else(local_stack: LocalStack) -> None:
    assert [each.name for each in layer(local_stack, "InventoryLayer").iterdir()] == ["inventory"]


def test_the_page_of_the_api_comes_in_a_layer_of_its_own_and_in_no_other(local_stack: LocalStack) -> None:
    packages = layer(local_stack, "SwaggerUiLayer") / "swagger_ui"
    assert {each.name for each in packages.iterdir()} == {"swagger-ui-bundle.js.gz", "swagger-ui.css.gz"}
    assert b"SwaggerUIBundle" in gzip.decompress((packages / "swagger-ui-bundle.js.gz").read_bytes())
    everywhere = [
        each
        for name in (*DEPENDENCIES.values(), "InventoryLayer")
        for each in layer(local_stack, name).rglob("*")
        if each.suffix in {".js", ".css", ".gz"}
    ]
    assert everywhere == []
    users = [name for name, each in FUNCTIONS.items() if {"Ref": "SwaggerUiLayer"} in each["Properties"]["Layers"]]
    assert users == ["DescribeApiFunction"]


def test_functions_and_layers_stay_far_below_lambdas_limit(local_stack: LocalStack) -> None:
    size_bytes = sum(
        each.stat().st_size
        for name in (*FUNCTIONS, *DEPENDENCIES.values(), "InventoryLayer", "SwaggerUiLayer")
        for each in (local_stack.places.build_dir / name).rglob("*")
        if each.is_file()
    )
    assert size_bytes < HANDLER_SIZE_MAX_BYTES / 4
    assert load_template()["Globals"]["Function"]["Runtime"] == "python3.13"
