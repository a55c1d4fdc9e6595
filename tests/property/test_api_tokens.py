"""What holds for every token."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain import api_tokens
from inventory.domain.api_tokens import mint, well_formed

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_PARTS = st.text(BASE62, min_size=30, max_size=30)
TOKENS = RANDOM_PARTS.map(lambda text: f"dz_{text}{api_tokens._checksum(text)}")
POSITIONS = st.integers(min_value=3, max_value=38)


@given(TOKENS | st.builds(mint))
def test_every_token_is_well_formed(token: str) -> None:
    assert well_formed(token)


@given(TOKENS, POSITIONS, st.sampled_from(BASE62))
def test_every_token_with_one_mistyped_character_is_malformed(token: str, position: int, character: str) -> None:
    mistyped = token[:position] + character + token[position + 1 :]
    assert well_formed(mistyped) == (mistyped == token)


@given(TOKENS, st.integers(min_value=3, max_value=31))
def test_every_token_with_two_neighbours_swapped_is_malformed(token: str, position: int) -> None:
    swapped = token[:position] + token[position + 1] + token[position] + token[position + 2 :]
    assert well_formed(swapped) == (swapped == token)


@given(st.text(max_size=50) | st.text(BASE62, min_size=36, max_size=36).map("dz_{}".format))
def test_no_text_raises(text: str) -> None:
    assert well_formed(text) in {True, False}
