"""The rules for texts as JSON Schema, for the API's description. Standard library only.

The patterns use the part of ECMA-262 that Python and Rust read in the same way. Lengths count code points after
trimming, so patterns take the place of ``minLength`` and ``maxLength``, which count before it.
"""

from __future__ import annotations

from typing import Final

BLANK: Final = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The characters that trimming removes: Unicode's White_Space."""

CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
"""Unicode's category Cc."""

CONTROL_BUT_TAB_AND_LINE_ENDS: Final = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"

NOT_IN_LABELS: Final = CONTROL + r"\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Controls, line and paragraph separators, bidirectional overrides and isolates."""


def trimmed_text(length_max: int, *, without: str) -> dict[str, object]:
    """Describe a text of 1 to ``length_max`` code points after trimming, without the characters ``without``."""
    inner, edge = f"[^{without}]", f"[^{without}{BLANK}]"
    return {"type": "string", "pattern": f"^[{BLANK}]*{edge}(?:{inner}{{0,{length_max - 2}}}{edge})?[{BLANK}]*$"}


def visible_ascii(length_max: int) -> dict[str, object]:
    """Describe a text of 1 to ``length_max`` visible ASCII characters, which is not trimmed."""
    return {"type": "string", "minLength": 1, "maxLength": length_max, "pattern": "^[!-~]*$"}
