"""The functions as they run on Lambda: what `sam build` leaves, laid out as Lambda does, with its own variables."""

from __future__ import annotations

import platform
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from tests.support.sam_template import PROJECT_ROOT, load_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILD: Final = PROJECT_ROOT / ".aws-sam" / "build"
_DEPENDENCIES: Final = (
    "DependenciesArm64Layer" if platform.machine() in ("arm64", "aarch64") else "DependenciesX86Layer"
)

LAMBDA_VARIABLES: Final[Mapping[str, str]] = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_FUNCTION_NAME": "a-function",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/a-function",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/28/[$LATEST]0123456789abcdef0123456789abcdef",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_REGION": "eu-central-1",
    "AWS_SESSION_TOKEN": "x" * 1_000,
    "LANG": "en_US.UTF-8",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LAMBDA_TASK_ROOT": "/var/task",
    "TZ": ":UTC",
    "_HANDLER": "handler.handler",
}
"""What Lambda sets beside the credentials: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""


@contextmanager
def functions() -> Iterator[dict[str, dict[str, str]]]:
    """Name of a function to its own variables and ``PYTHONPATH``, on a copy of what was built, without bytecode.

    Lambda mounts all layers at one place, and neither code nor layers can be written: the bytecode of the layers is
    built, that of a handler is made at each start.

    Raises:
        FileNotFoundError: nothing was built; ``make build`` does.
    """
    with TemporaryDirectory() as folder:
        layers, code = Path(folder) / "opt", Path(folder) / "task"
        for layer in (_DEPENDENCIES, "InventoryLayer", "SwaggerUiLayer"):
            shutil.copytree(BUILD / layer / "python", layers, dirs_exist_ok=True)
        found = {}
        for name, (logical_id, variables) in _built().items():
            shutil.copytree(BUILD / logical_id, code / name, ignore=shutil.ignore_patterns("__pycache__"))
            found[name] = variables | {"PYTHONPATH": f"{code / name}:{layers}", "PYTHONDONTWRITEBYTECODE": "1"}
        yield found


def _built() -> dict[str, tuple[str, dict[str, str]]]:
    """Name of each function to its logical id and the variables that are texts in the template."""
    template: dict[str, Any] = load_template()
    of_all = template["Globals"]["Function"]["Environment"]["Variables"]
    found = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            of_one = properties.get("Environment", {}).get("Variables", {})
            variables = {name: value for name, value in (of_all | of_one).items() if isinstance(value, str)}
            found[Path(properties["CodeUri"]).name] = logical_id, variables
    return found
