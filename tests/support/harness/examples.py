"""How many random examples a property test tries: by ``HYPOTHESIS_PROFILE``, so that the fast tests stay fast."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

_SHARES: Final = {"default": 0.25, "thorough": 1.0, "explore": 32.0}
"""By profile, the share of the thorough number of examples."""

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE") or "default"
_EXAMPLES_MIN: Final = 5
_EXAMPLES: Final = 100
"""Of a test that names no number, in the thorough profile."""


def load_profile() -> None:
    """Make the profile count for every property test.

    Each run of ``default`` and ``thorough`` tries the same examples; ``explore`` looks for new ones.
    """
    settings.register_profile(
        PROFILE, derandomize=PROFILE != "explore", database=None, deadline=None, max_examples=_share_of(_EXAMPLES)
    )
    settings.load_profile(PROFILE)


def examples(thorough: int) -> settings:
    """Settings of a test that tries this many examples in the thorough profile, and its share of them in others."""
    return settings(max_examples=_share_of(thorough))


def _share_of(thorough: int) -> int:
    return max(_EXAMPLES_MIN, round(thorough * _SHARES[PROFILE]))
