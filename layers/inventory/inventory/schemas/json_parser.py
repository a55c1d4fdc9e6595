"""Parses JSON text from any source, and keeps every number exact. Standard library only.

The standard library's parser does the work. This module adds limits and strictness. A number with a point or an
exponent becomes a ``Decimal``, never a double.
"""

from __future__ import annotations

import json
import re
from decimal import MIN_EMIN, Decimal, InvalidOperation
from typing import Final

type JSONValue = dict[str, JSONValue] | list[JSONValue] | str | int | float | Decimal | bool | None
"""A parsed JSON value. A ``float`` occurs only in a direct invocation's payload, which another parser read."""

DEPTH_MAX: Final = 100
"""Levels of nested arrays and objects."""

DIGITS_MAX: Final = 4300
"""Digits of one integer: Python's own limit against slow conversions, also for numbers with an exponent."""

# Possessive quantifiers: with backtracking, a long string would take gigabytes of memory.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_STRINGS_AND_BRACKETS: Final = re.compile(rf"{_STRING}|[\[{{\]}}]", re.DOTALL)


class TinyNumber(Decimal):
    """A number that is nearer to zero than a ``Decimal`` can be. Its value is an approximation, its text is exact.

    It only serves to refuse the number, which is not zero and not an integer. No code computes with it.
    """

    __slots__ = ("_literal",)
    _literal: str

    @classmethod
    def from_literal(cls, literal: str) -> TinyNumber:
        """Make one from a literal that is not zero and has too low an exponent for a ``Decimal``."""
        number = cls(_SMALLEST.copy_negate() if literal.startswith("-") else _SMALLEST)
        number._literal = literal
        return number

    def __str__(self) -> str:
        """Give the literal."""
        return self._literal


_SMALLEST: Final = Decimal(f"1e{MIN_EMIN}")


class InvalidJSON(ValueError):
    """The bytes are not JSON. ``position`` counts characters from 0, or bytes if they are not UTF-8."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position


class _InvalidLiteral(Exception):
    """A number or a name that is not allowed. The parser does not give its position."""

    def __init__(self, message: str, literal: str) -> None:
        super().__init__(message, literal)
        self.message = message
        self.literal = literal


def parse_json(body: bytes) -> JSONValue:
    """Parse UTF-8 JSON text. A byte order mark is ignored; the last one of duplicate keys counts.

    The time grows with the length of the body only: no number is expanded to more digits than its literal has.

    Raises:
        InvalidJSON: the text is not JSON, is nested deeper than ``DEPTH_MAX``, or has a number that is too long.
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
    """Find the first ``literal`` outside of strings. It can be megabytes long."""
    position = text.find(literal)
    for string in _STRINGS.finditer(text):
        if position < string.start():
            break
        if position < string.end():
            position = text.find(literal, string.end())
    return position


def _check_depth(text: str) -> None:
    """Refuse deep nesting, which the recursive parser could not handle."""
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
        # The exponent has 18 digits or more. No mantissa in a body is long enough to balance that.
        mantissa, _, exponent = literal.lower().partition("e")
        if not (digits := Decimal(mantissa)):
            return digits
        if exponent.startswith("-"):
            return TinyNumber.from_literal(literal)
        raise _InvalidLiteral("Number too long", literal) from None
    if number and number.adjusted() >= DIGITS_MAX:
        raise _InvalidLiteral("Number too long", literal)
    return number


def _constant(name: str) -> None:
    raise _InvalidLiteral(f"{name} is not JSON", name)
