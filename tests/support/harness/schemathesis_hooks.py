"""What Schemathesis can't know from the document. It loads this file by its path, from ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

if TYPE_CHECKING:
    from schemathesis import HookContext, Response
    from schemathesis.core.failures import Failure

TEXT_LENGTHS = {255, 500}
IN_WORDS = (["query", "cursor"], ["query", "sku"], ["query", "as_of"])
"""Parameters with rules that the document gives in words."""
RULES_IN_WORDS = (
    "at most 366 days ago",
    "at most 60 seconds ahead",
    "must be at most 99 lines",
    "must be between the years",
    "must have at least one visible character",
    "must not be from_location_id",
    "must not be given beside variant_id",  # the settings put a variant that exists into any body
    "must not be in two lines",
    "There is nothing to reverse",
)
"""How the errors of bodies begin whose rules the document gives in words."""


schemathesis.openapi.format("printable", st.text(st.characters(exclude_categories=["C", "M", "Z"]), min_size=1))


@schemathesis.hook
def before_load_schema(_context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Let the examples name a variant that exists, and make texts of characters that can be printed.

    The document gives the lengths of texts only, and the rest in words, which Schemathesis can't read.
    """
    for path in raw_schema["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            for example in (each for media in content.values() for each in media["examples"].values()):
                if "variant_id" in example["value"]:
                    example["value"]["variant_id"] = os.environ["VARIANT_ID"]
    _make_printable(raw_schema)


def _make_printable(node: Any) -> None:
    match node:
        case {"type": "string", "maxLength": int(length)} if length in TEXT_LENGTHS and "pattern" not in node:
            node["format"] = "printable"
        case dict():
            for each in node.values():
                _make_printable(each)
        case list():
            for each in node:
                _make_printable(each)


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, _case: object, response: Response) -> bool:
    """Let pass what no schema says: whether a key was used, a cursor is one of this list, parameters go together.

    And requests that are too long for the HTTP server of an emulator.
    """
    if response.status_code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return False
    if isinstance(failure, AcceptedNegativeData) and response.status_code == HTTPStatus.OK:
        # A line that is not valid has its 422 at its place in the answer to a batch in mode `each`.
        return all("line" not in each for each in response.json()["data"])
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    return any(
        problem["type"] != "idempotency_key_reused"
        and problem["loc"] not in IN_WORDS
        and not str(problem.get("ctx", {}).get("error")).startswith(RULES_IN_WORDS)
        for problem in response.json()["detail"]
    )
