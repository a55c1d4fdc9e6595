"""Headers of an API event: found in any case, and all their values count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inventory.api.headers import header

if TYPE_CHECKING:
    from inventory.api.shapes import HeaderEvent


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ({"headers": {"X-Name": "a"}}, "a"),
        ({"headers": {"x-NAME": " a\t"}}, "a"),
        ({"headers": {"x-name": ""}}, ""),
        ({"headers": {"x-name": "a", "X-Name": "b"}}, "a, b"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": {"X-Name": ["b"]}}, "b"),
        ({"headers": {"x-name": "b"}, "multiValueHeaders": {"x-name": ["a", "b"]}}, "a, b"),
        ({"multiValueHeaders": {"x-name": ["a"], "X-Name": ["b"]}}, "a, b"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": None}, "a"),
        ({"headers": {"x-name": "a"}, "multiValueHeaders": {}}, "a"),
        ({"headers": {"x-name-2": "a"}}, None),
        ({"headers": None, "multiValueHeaders": None}, None),
        ({}, None),
    ],
)
def test_a_header_is_found_in_any_case_and_all_its_values_count(event: HeaderEvent, value: str | None) -> None:
    assert header(event, "x-name") == value
