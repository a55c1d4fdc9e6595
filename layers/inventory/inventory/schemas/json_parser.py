"""JSON text to Python values without bending a number, for bytes from anywhere.

The standard library's parser does the work; around it stand the limits and the strictness that it lacks. Numbers are
exact: one that is written with a point or an exponent becomes a ``Decimal``, never a double.
"""

from __future__ import annotations

import json
import re
from decimal import MIN_EMIN, Decimal, InvalidOperation
from typing import Final

type JSONValue = dict[str, JSONValue] | list[JSONValue] | str | int | float | Decimal | bool | None
"""A parsed JSON value; ``float`` occurs only in what another parser read (a direct invocation's payload)."""

DEPTH_MAX: Final = 100
"""Levels of arrays and objects."""

DIGITS_MAX: Final = 4300
"""Digits of one integer: Python's own limit against quadratic conversions, kept for those that an exponent writes."""

# Possessive: a pattern that could go back would keep a state for each character, gigabytes for a long string.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'

_STRINGS: Final = re.compile(_STRING, re.DOTALL)

_STRINGS_AND_BRACKETS: Final = re.compile(rf"{_STRING}|[\[{{\]}}]", re.DOTALL)


class TinyNumber(Decimal):
    """A number nearer to zero than a ``Decimal`` can be: it counts as one almost as near, and is told as it was sent.

    Only so that it is told from zero and from integers; nothing computes with it.
    """

    __slots__ = ("_literal",)
    _literal: str

    @classmethod
    def written(cls, literal: str) -> TinyNumber:
        """Take a literal that is not zero and has too low an exponent for a ``Decimal``."""
        made = cls(_MINUTE.copy_negate() if literal.startswith("-") else _MINUTE)
        made._literal = literal
        return made

    def __str__(self) -> str:
        """Give the literal."""
        return self._literal


_MINUTE: Final = Decimal(f"1e{MIN_EMIN}")


class InvalidJSON(ValueError):
    """The bytes are not JSON. ``position`` counts characters (bytes, where they are not UTF-8) from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position


class _InvalidLiteral(Exception):
    """A number or a name that the parser came upon; where, it does not say."""

    def __init__(self, message: str, literal: str) -> None:
        super().__init__(message, literal)
        self.message = message
        self.literal = literal


def parse_json(body: bytes) -> JSONValue:
    """Parse UTF-8 JSON text; a byte order mark is ignored, of duplicate keys the last counts.

    The time it takes grows with the length of the body alone, whatever the body says: no number is computed here that
    is longer than it is written.

    Raises:
        InvalidJSON: for anything that is not JSON, is nested deeper than ``DEPTH_MAX`` or holds a number too long.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJSON("Invalid UTF-8", error.start) from None
    _check_depth(text)
    try:
        value: JSONValue = json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise InvalidJSON(error.msg, error.pos) from None
    except _InvalidLiteral as error:
        raise InvalidJSON(error.message, _position(text, error.literal)) from None
    return value


def _position(text: str, literal: str) -> int:
    """Find the first ``literal``, which may be megabytes long, that is not part of a string."""
    position = text.find(literal)
    for string in _STRINGS.finditer(text):
        if position < string.start():
            break
        if position < string.end():
            position = text.find(literal, string.end())
    return position


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive parser meets it."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for token in _STRINGS_AND_BRACKETS.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                if depth > DEPTH_MAX:
                    raise InvalidJSON("Nested too deep", token.start())
            case "]" | "}":
                depth -= 1
            case _:
                pass


def _integer(literal: str) -> int:
    if len(literal.removeprefix("-")) > DIGITS_MAX:
        raise _InvalidLiteral("Number too long", literal)
    return int(literal)


def _number(literal: str) -> Decimal:
    try:
        number = Decimal(literal)
    except InvalidOperation:
        # The exponent has 18 digits or more: no mantissa that a body can hold makes up for that.
        mantissa, _, exponent = literal.lower().partition("e")
        if not (digits := Decimal(mantissa)):
            return digits
        if exponent.startswith("-"):
            return TinyNumber.written(literal)
        raise _InvalidLiteral("Number too long", literal) from None
    if number and number.adjusted() >= DIGITS_MAX:
        raise _InvalidLiteral("Number too long", literal)
    return number


def _constant(name: str) -> None:
    raise _InvalidLiteral(f"{name} is not JSON", name)
