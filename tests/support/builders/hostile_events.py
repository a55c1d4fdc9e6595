"""Strategies for what only an attacker sends: valid events of which any part was mutated, and values of any shape."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, OTHER_BUSINESS, VARIANT
from tests.support.builders.requests import an_api_event
from tests.support.harness.entry_points import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

INJECTIONS = [
    MARK,
    f'{MARK}\n{{"level":"ERROR","message":"{MARK}"}}',
    f"{MARK}\r\nSet-Cookie: a=b",
    f"\x1b[2J\x1b[31m{MARK}\x07",
    f"{MARK}\u2028{MARK}\x85",
    f"{MARK}\ud800",
    f"{MARK}\x00",
    f"${{jndi:{MARK}}} {{{{{MARK}}}}} %s%n ' OR 1=1 --",
    f"STOCK#{BUSINESS}#{VARIANT}",
    f"{BUSINESS}#{ADJUSTMENT}",
    f"{BUSINESS},{OTHER_BUSINESS}",
    f"{BUSINESS}/../{OTHER_BUSINESS}",
    "../../" * 20,
    "*",
    MARK * 2_000,
]
IDS = [str(each) for each in (BUSINESS, OTHER_BUSINESS, VARIANT, LOCATION, ADJUSTMENT)]

any_text = st.text(st.characters(codec=None), max_size=12)
texts = st.sampled_from(INJECTIONS + IDS) | any_text
leaves = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | texts | st.sampled_from([[], {}, "", 0])
)
odd_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)

type Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every member of a document, however deep."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*at, name)
        yield from places(member, (*at, name))


def parent(document: Any, place: Place) -> Any:
    for name in place[:-1]:
        document = document[name]
    return document


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[Any], *, times_max: int = 4) -> Any:
    """A document of which some members are replaced, left out, said twice in another case, or wrapped."""
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(0, times_max))):
        place = draw(st.sampled_from(found)) if (found := list(places(document))) else None
        if place is None:
            return draw(odd_values)
        within, name = parent(document, place), place[-1]
        match draw(st.sampled_from(["set", "text", "drop", "again", "add", "wrap"])):
            case "set":
                within[name] = draw(odd_values)
            case "text":
                within[name] = draw(texts)
            case "drop":
                del within[name]
            case "again" if isinstance(within, dict):
                within[str(name).upper()] = draw(odd_values | st.just(within[name]))
            case "add" if isinstance(within, dict):
                within[draw(texts)] = draw(odd_values)
            case _:
                within[name] = [within[name], draw(odd_values)]
    return document


@st.composite
def bodies(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """The bytes of a request's body: a good one, a mutated one, or none at all."""
    value = draw(mutated(st.just(good), times_max=2))
    try:
        raw = json.dumps(value).encode()
    except ValueError:
        raw = b"null"
    match draw(st.sampled_from(["whole", "whole", "cut", "noise"])):
        case "cut":
            return raw[: draw(st.integers(0, len(raw)))]
        case "noise":
            return raw + draw(st.binary(max_size=4))
        case _:
            return raw


def api_events(good: dict[str, Any], **changes: Any) -> st.SearchStrategy[Any]:
    """Events of the gateway with any body, in base64 or not, and any further headers."""
    return _api_events(bodies(good), changes)


@st.composite
def _api_events(draw: st.DrawFn, sent: st.SearchStrategy[bytes], changes: dict[str, Any]) -> Any:
    body = draw(sent)
    names = st.sampled_from(["Idempotency-Key", "idempotency-KEY", "x-business-id", "authorizer", "X-Amzn-Trace-Id"])
    headers = draw(st.lists(st.tuples(names, texts), max_size=2))
    event = an_api_event(body, headers=headers, **changes)
    match draw(st.sampled_from(["base64", "base64", "text", "bad base64"])):
        case "text":
            event |= {"body": body.decode("utf-8", "replace"), "isBase64Encoded": False}
        case "bad base64":
            event["body"] = base64.b64encode(body).decode() + "="
    return event
