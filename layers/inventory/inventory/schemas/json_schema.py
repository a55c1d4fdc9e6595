"""The rules for texts in the words of JSON Schema, for the API's description. Standard library only.

Its regular expressions are ECMA-262's; what is used of them here means the same to Python and Rust. Lengths are code
points after trimming, so ``minLength`` and ``maxLength``, which count what is trimmed too, would not be right.
"""

from __future__ import annotations

from typing import Final

BLANK: Final = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What trimming takes away: Unicode's White_Space."""

CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
"""Unicode's category Cc."""

CONTROL_BUT_TAB_AND_LINE_ENDS: Final = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"


def trimmed_text(length_max: int, *, without: str) -> dict[str, object]:
    """A text of 1 to ``length_max`` code points after trimming, none of them of the class ``without``."""
    inner, edge = f"[^{without}]", f"[^{without}{BLANK}]"
    return {"type": "string", "pattern": f"^[{BLANK}]*{edge}(?:{inner}{{0,{length_max - 2}}}{edge})?[{BLANK}]*$"}


def printable_text(length_max: int) -> dict[str, object]:
    """The same of printable characters; which those are, Unicode's tables say and no readable expression can.

    The format's name says so to whoever knows it: a letter, mark, number, punctuation mark, symbol or the space.
    """
    return trimmed_text(length_max, without=CONTROL) | {"format": "printable"}


def visible_ascii(length_max: int) -> dict[str, object]:
    """A text of 1 to ``length_max`` visible ASCII characters; nothing is trimmed."""
    return {"type": "string", "minLength": 1, "maxLength": length_max, "pattern": "^[!-~]*$"}
