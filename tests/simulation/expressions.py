"""DynamoDB's expressions, as far as the service writes them. What is not known here fails loudly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    type Item = Mapping[str, Any]
    type Names = Mapping[str, str]
    type Values = Mapping[str, Any]
    type Condition = Callable[[Item | None, Names, Values], bool]

_EXISTENCE: Final = re.compile(r"(attribute_exists|attribute_not_exists)\((\S+)\)")
_EQUALITY: Final = re.compile(r"(\S+) = (:\S+)")
_ASSIGNMENT: Final = re.compile(r"(\S+) = (?:if_not_exists\((\S+), (:\w+)\)|(:\w+))(?:, |$)")


@lru_cache(256)
def condition(expression: str | None) -> Condition:
    """Read a condition: existence of an attribute, equality with a value, and several of those."""
    if expression is None:
        return lambda _item, _names, _values: True
    terms = [_term(each) for each in expression.split(" AND ")]
    if len(terms) == 1:
        return terms[0]
    return lambda item, names, values: all(term(item, names, values) for term in terms)


def _term(text: str) -> Condition:
    if found := _EXISTENCE.fullmatch(text):
        wanted, attribute = found[1] == "attribute_exists", found[2]
        return lambda item, names, _: (item is not None and names.get(attribute, attribute) in item) is wanted
    if found := _EQUALITY.fullmatch(text):
        attribute, value = found.groups()
        return lambda item, names, values: (
            item is not None and item.get(names.get(attribute, attribute)) == values[value]
        )
    raise NotImplementedError(text)


def updated(item: Item | None, key: Item, expression: str, names: Names, values: Values) -> dict[str, Any]:
    """The item as an update leaves it; it makes one where there is none."""
    assignments, removals = _update(expression)
    before = item or key
    after = dict(before)
    for attribute, unless_there, default, value in assignments:
        if unless_there:
            after[names.get(attribute, attribute)] = before.get(names.get(unless_there, unless_there), values[default])
        else:
            after[names.get(attribute, attribute)] = values[value]
    for attribute in removals:
        after.pop(names.get(attribute, attribute), None)
    return after


@lru_cache(256)
def _update(expression: str) -> tuple[tuple[tuple[str, str, str, str], ...], tuple[str, ...]]:
    setting, _, removing = expression.removeprefix("SET ").partition(" REMOVE ")
    assignments = [found.groups(default="") for found in _ASSIGNMENT.finditer(setting)]
    if "".join(found[0] for found in _ASSIGNMENT.finditer(setting)) != setting:
        raise NotImplementedError(expression)
    return tuple((a, b, c, d) for a, b, c, d in assignments), tuple(removing.split(", ") if removing else ())
