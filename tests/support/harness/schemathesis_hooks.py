"""What Schemathesis can't know from the document. It loads this file by its path, from ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

if TYPE_CHECKING:
    from schemathesis import HookContext, Response
    from schemathesis.core.failures import Failure

EXAMPLE_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@schemathesis.hook
def before_load_schema(_context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Let the examples name a variant that exists."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            for example in (each for media in content.values() for each in media["examples"].values()):
                if example["value"].get("variant_id") == EXAMPLE_ID:
                    example["value"]["variant_id"] = os.environ["VARIANT_ID"]


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, _case: object, response: Response) -> bool:
    """Let pass what no schema can say.

    It is whether a key was used before, whether a cursor is one of this list, and whether a text shows anything.
    """
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    return any(
        problem["type"] != "idempotency_key_reused"
        and problem["loc"] != ["query", "cursor"]
        and not str(problem.get("ctx", {}).get("error")).startswith("must have at least one visible character")
        for problem in response.json()["detail"]
    )
