"""The format of tokens, and what a token is good for."""

from __future__ import annotations

import hmac
import math
import re
import sys
from copy import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from inventory.domain.api_tokens import (
    Grant,
    Token,
    Unauthenticated,
    WrongBusiness,
    authorize,
    digest_of,
    mint,
    token_id_of,
    well_formed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01")
OTHER_BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02")
NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DIGEST = sha256(b"a token").digest()
TOKEN = Token(
    id=token_id_of(DIGEST),
    digest=DIGEST,
    subject="till 4",
    business_ids=frozenset({BUSINESS}),
    scopes=frozenset({"adjustments:write"}),
    issued_at=NOW - timedelta(days=1),
    expires_at=None,
    revoked_at=None,
)
# The CRC-32 of thirty zeros is 2,011,552,642, which is 2C8GjS in base62; that of the other one, 8,816,593, is short.
KNOWN = "dz_" + "0" * 30 + "2C8GjS"
KNOWN_PADDED = "dz_" + "0" * 27 + "405" + "00azb7"


def test_a_token_is_a_prefix_thirty_random_characters_and_their_checksum() -> None:
    assert re.fullmatch(r"dz_[0-9A-Za-z]{36}", mint())


def test_a_minted_token_is_well_formed() -> None:
    assert well_formed(mint())


def test_no_two_tokens_are_alike() -> None:
    assert len({mint() for _ in range(100)}) == 100


@pytest.mark.parametrize("text", [KNOWN, KNOWN_PADDED])
def test_the_checksum_is_six_digits_of_base62_that_count_0_to_9_then_a_to_z_in_upper_then_in_lower_case(
    text: str,
) -> None:
    assert well_formed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dz_",
        KNOWN[:-1],
        KNOWN + "0",
        KNOWN.replace("dz_", "DZ_"),
        "dz_1" + KNOWN[4:],
        KNOWN[:-1] + "0",
        KNOWN + "\n",
        f"{KNOWN}, {KNOWN}",
        "dz_" + "é" * 30 + KNOWN[-6:],
        "dz_" + "\udc80" * 36,
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    assert not well_formed(text)


def test_a_token_id_is_the_first_half_of_the_sha_256_digest() -> None:
    assert token_id_of(digest_of(KNOWN)) == sha256(KNOWN.encode()).hexdigest()[:32]


def test_the_digest_is_not_shown_with_a_token() -> None:
    assert repr(DIGEST) not in repr(TOKEN)


def test_a_valid_token_is_granted_its_business_within_its_scopes() -> None:
    assert authorize(TOKEN, DIGEST, BUSINESS, NOW) == Grant(TOKEN.id, BUSINESS, "till 4", TOKEN.scopes, None)


def test_a_token_that_is_not_stored_is_unknown() -> None:
    assert authorize(None, DIGEST, BUSINESS, NOW) == Unauthenticated("unknown")


def test_a_token_that_shares_only_the_id_is_unknown() -> None:
    twin = DIGEST[:16] + bytes(16)
    assert token_id_of(twin) == TOKEN.id
    assert authorize(TOKEN, twin, BUSINESS, NOW) == Unauthenticated("unknown")


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Mock(wraps=hmac.compare_digest)
    monkeypatch.setattr("inventory.domain.api_tokens.hmac.compare_digest", compare)
    authorize(TOKEN, DIGEST, BUSINESS, NOW)
    compare.assert_called_once_with(DIGEST, DIGEST)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (TICK, Grant(TOKEN.id, BUSINESS, "till 4", TOKEN.scopes, NOW + TICK)),
        (timedelta(0), Unauthenticated("expired")),
        (timedelta(microseconds=-1), Unauthenticated("expired")),
    ],
)
def test_a_token_is_valid_until_the_instant_of_its_expiry(left: timedelta, expected: Grant | Unauthenticated) -> None:
    assert authorize(replace(TOKEN, expires_at=NOW + left), DIGEST, BUSINESS, NOW) == expected


@pytest.mark.parametrize("ago", [timedelta(days=1), timedelta(0), timedelta(seconds=-1)])
def test_a_revoked_token_is_invalid_even_when_revoked_by_a_later_clock(ago: timedelta) -> None:
    assert authorize(replace(TOKEN, revoked_at=NOW - ago), DIGEST, BUSINESS, NOW) == Unauthenticated("revoked")


@pytest.mark.parametrize("business_id", [OTHER_BUSINESS, None])
def test_a_valid_token_is_foreign_to_other_businesses_and_to_malformed_ids(business_id: UUID | None) -> None:
    assert authorize(TOKEN, DIGEST, business_id, NOW) == WrongBusiness(TOKEN.id)


def test_an_expired_token_is_refused_before_its_business_is_looked_at() -> None:
    expired = replace(TOKEN, expires_at=NOW)
    assert authorize(expired, DIGEST, OTHER_BUSINESS, NOW) == Unauthenticated("expired")


def test_a_token_can_not_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 characters, each of 62 and each from the system's own source of secrets: 178 bits."""
    drawn: list[int] = []

    def choice(alphabet: str) -> str:
        drawn.append(len(set(alphabet)))
        return alphabet[len(drawn) % len(alphabet)]

    monkeypatch.setattr("inventory.domain.api_tokens.secrets.choice", choice)
    mint()

    assert sum(math.log2(size) for size in drawn) > 178


def steps(call: Callable[[], object]) -> int:
    """The instructions of our own code that a call takes: what a clock could measure, without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("place", [0, 1, 15, 16, 31])
def test_the_same_steps_are_taken_wherever_a_digest_differs(place: int) -> None:
    other = bytes(byte ^ (position == place) for position, byte in enumerate(DIGEST))
    nowhere = bytes(byte ^ 255 for byte in DIGEST)

    taken = {steps(partial(authorize, TOKEN, each, BUSINESS, NOW)) for each in (other, nowhere)}

    assert len(taken) == 1
    assert taken != {0}


def test_the_same_steps_are_taken_wherever_a_checksum_differs() -> None:
    token = mint()
    wrong = {token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :] for place in range(33, 39)}

    assert len({steps(partial(well_formed, each)) for each in wrong}) == 1
