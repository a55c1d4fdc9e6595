"""A UUID in a header is read exactly as pydantic reads one in a body."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from inventory.domain.uuids import parse_uuid

HYPHENATED = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01"
HEX = HYPHENATED.replace("-", "")
PYDANTIC = TypeAdapter(UUID)


def as_pydantic_reads(text: str) -> UUID | None:
    try:
        return PYDANTIC.validate_python(text)
    except ValidationError:
        return None


@pytest.mark.parametrize(
    "text",
    [HYPHENATED, HYPHENATED.upper(), HEX, HEX.upper(), f"{{{HYPHENATED}}}", f"urn:uuid:{HYPHENATED}"],
)
def test_every_usual_spelling_names_the_same_uuid(text: str) -> None:
    assert parse_uuid(text) == as_pydantic_reads(text) == UUID(HYPHENATED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6d1f2b9e",
        f" {HYPHENATED}",
        f"{HYPHENATED}\n",
        f"{HYPHENATED}, {HYPHENATED}",
        f"{{{HEX}}}",
        f"urn:uuid:{HEX}",
        f"URN:UUID:{HYPHENATED}",
        f"{{urn:uuid:{HYPHENATED}}}",
        f"{{{HYPHENATED}",
        f"{HEX[:8]}-{HEX[8:]}",
        "6d1f2b9e0-c55-4b8e-9f5a-2f1d7a3c4e01",
        HYPHENATED.replace("6", "g"),
        HEX[:-2] + "+1",
        HEX[:-1] + "_",
        "٠" * 32,
        "\udc80" * 32,
    ],
)
def test_other_text_is_not_a_uuid(text: str) -> None:
    assert parse_uuid(text) is None
    assert as_pydantic_reads(text) is None


@given(
    st.text("-{}0aAfFg:urnid ", max_size=50) | st.from_regex(r"(urn:uuid:|\{)?[0-9a-fA-F-]{32,36}\}?", fullmatch=True)
)
def test_no_text_is_read_otherwise_than_in_a_body(text: str) -> None:
    assert parse_uuid(text) == as_pydantic_reads(text)
