"""The rules for texts as JSON Schema, for the API's description. Standard library only.

A schema gives the lengths alone, and the description the rest in words: Unicode's tables define what can be seen or
printed, no short pattern can, and generators trip over long ones. So a text that fits its schema may still be refused.
Lengths count code points after trimming; a client that keeps to them before it is on the safe side.
"""

from __future__ import annotations


def text_of_length(length_max: int) -> dict[str, object]:
    """Describe a text of 1 to ``length_max`` code points."""
    return {"type": "string", "minLength": 1, "maxLength": length_max}


def visible_ascii(length_max: int) -> dict[str, object]:
    """Describe a text of 1 to ``length_max`` visible ASCII characters, which is not trimmed."""
    return text_of_length(length_max) | {"pattern": "^[!-~]*$"}
