"""JSON text to Python values without bending a number, for bytes from anywhere.

The standard library's parser does the work; around it stand the limits and the strictness that it lacks. Numbers are
exact: ``5.0`` and ``1e3`` are integers, and what is not exactly an integer stays a ``Decimal``, never a double.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final

type JSONValue = dict[str, JSONValue] | list[JSONValue] | str | int | float | Decimal | bool | None
"""A parsed JSON value; ``float`` occurs only in what another parser read (a direct invocation's payload)."""

DEPTH_MAX: Final = 100
"""Levels of arrays and objects."""

DIGITS_MAX: Final = 4300
"""Digits of one integer: Python's own limit against quadratic conversions, kept for exponents too."""

# Possessive: a pattern that could go back would keep a state for each character, gigabytes for a long string.
_TOKENS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)


class InvalidJSON(ValueError):
    """The bytes are not JSON. ``position`` counts characters (bytes, where they are not UTF-8) from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position


def parse_json(body: bytes) -> JSONValue:
    """Parse UTF-8 JSON text; a byte order mark is ignored, of duplicate keys the last counts.

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
    return value


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive parser meets it."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                if depth > DEPTH_MAX:
                    raise InvalidJSON("Nested too deep", token.start())
            case "]" | "}":
                depth -= 1
            case _:
                pass


def _integer(digits: str) -> int:
    if len(digits) > DIGITS_MAX:
        raise InvalidJSON("Number too long", 0)
    return int(digits)


def _number(literal: str) -> int | Decimal:
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise InvalidJSON("Number too long", 0) from None
    if abs(number.adjusted()) > DIGITS_MAX:
        raise InvalidJSON("Number too long", 0)
    integer = int(number)
    return integer if integer == number else number


def _constant(name: str) -> None:
    raise InvalidJSON(f"{name} is not JSON", 0)
