"""What `verify` checks, in order: each check is one sentence that holds or does not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin
from uuid import uuid4

from ops.http_api import ADJUSTMENTS, LEVELS, Answer, Api
from ops.project import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGE: Final = 2
HUGE: Final = -1_000_000_000
"""More than any stock item that somebody verifies on may hold."""
AT_ONCE: Final = 4
_INDEX_LOOKS: Final = 20
_INDEX_PAUSE_S: Final = 0.5
_KEPT_DOCUMENT: Final = PROJECT_ROOT / "functions" / "describe_api" / "openapi.json"
_MEMBERS: Final = {
    *("id", "business_id", "variant_id", "location_id", "delta", "correction_reason", "created_at", "created_by"),
    *("quantity_after", "sequence", "reason_code", "reference", "reverses"),
    *("kind", "group_id", "group_line", "group_size", "counted_quantity", "counted_at", "sku", "occurred_at"),
}


class Failed(Exception):
    """A check does not hold; the text says what was found instead."""


class NotRun(Exception):
    """A check needs something that was not given; the text says what."""


@dataclass(slots=True)
class Visit:
    """One run: the caller, the variant, and what was written, so that it can be reversed.

    A request that may write has a key and is noted before it is sent. So it can be sent again if its answer is lost.
    """

    api: Api
    business_id: str
    variant_id: str
    location_id: str | None
    read_only: Api | None = None
    run: str = field(default_factory=lambda: f"verify-{uuid4()}")
    open: dict[str, dict[str, object]] = field(default_factory=dict)
    """Requests, by their keys, that have no final answer yet."""
    created: dict[str, dict[str, Any]] = field(default_factory=dict)
    reversed_ids: set[str] = field(default_factory=set)

    def body(self, quantity_change: object, **fields: object) -> dict[str, object]:
        """Return a body for the variant; a field that is ``...`` is left out."""
        given = {} if self.location_id is None else {"location_id": self.location_id}
        reason = {"reason": "verify-deployed", "reference": self.run}
        members = {"variant_id": self.variant_id, "quantity_change": quantity_change, **reason, **given, **fields}
        return {name: value for name, value in members.items() if value is not ...}

    def create(self, quantity_change: int, key: str, **fields: object) -> Answer:
        """Send an adjustment under a key of this run."""
        return self._send(f"{self.run}-{key}", self.body(quantity_change, **fields))

    def _send(self, key: str, body: dict[str, object]) -> Answer:
        self.open[key] = body
        answer = self.api.post(ADJUSTMENTS, body, key=key)
        if answer.status == 201:
            self.created[key] = answer.body
        if answer.status < 500:
            self.open.pop(key, None)
        return answer

    def reverse(self, adjustment_id: str) -> Answer:
        """Reverse an adjustment."""
        key = f"{self.run}-reversal-{adjustment_id}"
        answer = self.api.post(f"{ADJUSTMENTS}/{adjustment_id}/reversal", {"reason": "verify-deployed"}, key=key)
        if answer.status == 201 or answer.code == "already_reversed":
            self.reversed_ids.add(adjustment_id)
        return answer

    @property
    def first(self) -> dict[str, Any]:
        """The adjustment that the first check of writing made."""
        if not self.created:
            raise NotRun("there is no adjustment to look at")
        return next(iter(self.created.values()))

    def reverse_all(self) -> Iterator[str]:
        """Reverse all that was created, the newest first; yield a text for each that could not be reversed."""
        for key, body in list(self.open.items()):
            # The same request under the same key shows whether it was carried out.
            if (answer := self._send(key, body)).status >= 500:
                yield f"whether the request of key {key} was carried out is not known: {answer}"
        for row in reversed(self.created.values()):
            if row["id"] not in self.reversed_ids and (answer := self.reverse(row["id"])).status != 201:
                yield f"adjustment {row['id']} of {row['delta']:+} is not reversed: {answer}"


def _require(answer: Answer, status: int, code: str = "") -> Any:
    if answer.status != status or (code and code not in answer.code.split()):
        raise Failed(f"{status} {code}".rstrip() + f" was expected, not {answer}")
    return answer.body


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Failed(f"{what} is {found!r}, not {expected!r}")


def document_is_served(visit: Visit) -> None:
    """Anybody may read the API's description, and it is this version's."""
    answer = visit.api.having(authorization=None, x_business_id=None).get("/api/v1/openapi.json")
    if (answer.status, answer.code) == (403, "forbidden"):
        raise NotRun("the stack requires keys, which closes the description")
    _require(answer, 200)
    if answer.content != _KEPT_DOCUMENT.read_bytes():
        raise Failed("another version's description is served")


def unknown_path_is_not_found(visit: Visit) -> None:
    """A path that the API does not have is not found."""
    # Without a token: where it has no route, API Gateway reads the header as a signature of AWS, and complains.
    _require(visit.api.having(authorization=None).get("/api/v1/inventory/nothing"), 404, "not_found")


def headers_are_required(visit: Visit) -> None:
    """A request without token or business is unauthorized."""
    for headers in ({"authorization": None}, {"x_business_id": None}):
        answer = visit.api.having(**headers).post(ADJUSTMENTS, {})
        _require(answer, 401, "unauthorized")
        _same("WWW-Authenticate", answer.headers.get("www-authenticate"), "Bearer")


def bad_tokens_are_alike(visit: Visit) -> None:
    """A malformed token and a mistyped one are unauthorized alike."""
    token = visit.api.headers["Authorization"]
    mistyped = token[:-1] + ("0" if token[-1] != "0" else "1")
    answers = [visit.api.having(authorization=each).post(ADJUSTMENTS, {}) for each in ("Bearer dz_", mistyped)]
    for answer in answers:
        _require(answer, 401, "unauthorized")
    _same("the answer to a mistyped token", answers[1].content, answers[0].content)


def other_business_is_forbidden(visit: Visit) -> None:
    """A business that is not the token's is forbidden, whether it exists or not."""
    for named in (str(uuid4()), "not-a-uuid"):
        _require(visit.api.having(x_business_id=named).post(ADJUSTMENTS, {}), 403, "forbidden")


def invalid_bodies_are_explained(visit: Visit) -> None:
    """An invalid body is answered with where and why, and writes nothing."""
    for body, kind in (
        (b"", "missing"),
        (b"{", "json_invalid"),
        (b"\xff", "json_invalid"),
        (b"[" * 100_000, "json_invalid"),
        ([], "model_attributes_type"),
        (visit.body(0), "value_error"),
        (visit.body(1, reason=" "), "string_too_short"),
        (visit.body("1"), "int_type"),
        (b'{"quantity_change": 5.0000000000000001}', "int_type"),
        (visit.body(1, locationId="x"), "extra_forbidden"),
    ):
        _require(visit.api.post(ADJUSTMENTS, body), 422, kind)


def what_is_unknown_is_not_found(visit: Visit) -> None:
    """An unknown variant, location or adjustment is not found."""
    unknown = str(uuid4())
    _require(visit.create(1, "variant", variant_id=unknown), 404, "variant_not_found")
    _require(visit.create(1, "location", location_id=unknown), 404, "location_not_found")
    _require(visit.api.get(f"{ADJUSTMENTS}/{unknown}"), 404, "adjustment_not_found")


def an_adjustment_is_created(visit: Visit) -> None:
    """An adjustment is created, and its answer is complete."""
    answer = visit.create(CHANGE, "first")
    row = _require(answer, 201)
    _same("the members' names", set(row), _MEMBERS)
    _same("delta", row["delta"], CHANGE)
    _same("business_id", row["business_id"], visit.business_id.lower())
    if not answer.headers.get("x-request-id"):
        raise Failed("there is no x-request-id")


def a_repeated_request_is_replayed(visit: Visit) -> None:
    """The same request under the same key gets the first answer and writes nothing."""
    first = visit.first
    answer = visit.create(CHANGE, "first")
    _same("the answer", _require(answer, 201), first)
    _same("Idempotent-Replayed", answer.headers.get("idempotent-replayed"), "true")


def a_reused_key_is_refused(visit: Visit) -> None:
    """Another request under the same key is refused."""
    first_key = next(iter(visit.created), None)
    if first_key is None:
        raise NotRun("there is no adjustment to look at")
    answer = visit.api.post(ADJUSTMENTS, visit.body(CHANGE + 1), key=first_key)
    _require(answer, 422, "idempotency_key_reused")


def requests_at_once_are_one(visit: Visit) -> None:
    """Requests at once under one key are one adjustment, requests at once under several are several."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        same = list(threads.map(lambda _: visit.create(1, "at-once"), range(AT_ONCE)))
        several = list(threads.map(lambda number: visit.create(1, f"at-once-{number}"), range(AT_ONCE)))
    for answer in same + several:
        _require(answer, 201)
    _same("the number of adjustments under one key", len({each.body["id"] for each in same}), 1)
    _same("the number of sequences under several", len({each.body["sequence"] for each in several}), AT_ONCE)


def an_adjustment_is_read(visit: Visit) -> None:
    """An adjustment is read as it was answered, at the URL that `Location` names."""
    first = visit.first
    _same("the adjustment", _require(visit.api.get(f"{ADJUSTMENTS}/{first['id']}"), 200), first)
    key = next(iter(visit.created))
    for path in (ADJUSTMENTS, f"{ADJUSTMENTS}/"):
        answer = visit.api.post(path, visit.body(CHANGE), key=key)
        _require(answer, 201)
        _same(f"what is at the Location of {path}", _read_at_location(visit, answer), first)


def _read_at_location(visit: Visit, answer: Answer) -> Any:
    """What is at the URL that an answer names. The token is sent to no other service."""
    url = urljoin(answer.url, answer.headers.get("location", ""))
    path = url.removeprefix(visit.api.base_url)
    if path == url:
        raise Failed(f"Location names {url}, which is not of this API")
    return _require(visit.api.get(path), 200)


def adjustments_are_listed(visit: Visit) -> None:
    """The list finds it by its reference, within seconds."""
    expected = {row["id"] for row in visit.created.values()}
    found: set[str] = set()
    for _ in range(_INDEX_LOOKS):
        page = _require(visit.api.get(ADJUSTMENTS, reference=visit.run, variant_id=visit.variant_id), 200)
        found = {row["id"] for row in page["data"]}
        if found == expected:
            return
        time.sleep(_INDEX_PAUSE_S)
    raise Failed(f"{len(found)} of {len(expected)} adjustments are in the list")


def the_level_is_the_balance(visit: Visit) -> None:
    """The level is the balance of the last adjustment."""
    where = {"variant_id": visit.variant_id, "location_id": visit.first["location_id"]}
    (level,) = _require(visit.api.get(LEVELS, **where), 200)["data"]
    last = max(visit.created.values(), key=lambda row: int(row["sequence"]))
    # Another client wrote a later sequence.
    if level["sequence"] == last["sequence"]:
        _same("the quantity", level["quantity"], last["quantity_after"])
    elif level["sequence"] < last["sequence"]:
        raise Failed(f"the level is of sequence {level['sequence']}, before {last['sequence']}")


def stock_is_not_overdrawn(visit: Visit) -> None:
    """More than the quantity on hand is refused, unless the business allows it."""
    answer = visit.create(HUGE, "overdrawn")
    if answer.status == 201 and answer.body["quantity_after"] < 0:
        raise NotRun("the business allows negative stock")
    _same("quantity_change", _require(answer, 409, "insufficient_stock")["detail"]["quantity_change"], HUGE)


def a_stale_quantity_is_refused(visit: Visit) -> None:
    """A change that expects another quantity is refused."""
    _require(visit.create(1, "stale", expected_quantity=-(2**53) + 1), 409, "stale_quantity")


def an_adjustment_is_reversed_once(visit: Visit) -> None:
    """An adjustment can be reversed, once."""
    first = visit.first
    answer = visit.reverse(first["id"])
    reversal = _require(answer, 201)
    _same("what is at the reversal's Location", _read_at_location(visit, answer), reversal)
    _same("delta", reversal["delta"], -first["delta"])
    _same("reverses", reversal["reverses"], first["id"])
    again = visit.api.post(f"{ADJUSTMENTS}/{first['id']}/reversal", {"reason": "again"}, key=f"{visit.run}-again")
    _same("reversed_by", _require(again, 409, "already_reversed")["detail"]["reversed_by"], reversal["id"])
    read = _require(visit.api.get(f"{ADJUSTMENTS}/{first['id']}"), 200)
    _same("reversed_by", read.get("reversed_by"), reversal["id"])


def read_only_token_only_reads(visit: Visit) -> None:
    """A token that may only read reads, and changes nothing."""
    if visit.read_only is None:
        raise NotRun("READ_TOKEN= was not given")
    _require(visit.read_only.get(LEVELS, variant_id=visit.variant_id), 200)
    _require(visit.read_only.post(ADJUSTMENTS, {}), 403, "forbidden")
    _require(visit.read_only.post(f"{ADJUSTMENTS}/{uuid4()}/reversal", {}), 403, "forbidden")


def everything_is_reversed(visit: Visit) -> None:
    """Everything that was created is reversed: the changes of this run add up to nothing."""
    left = list(visit.reverse_all())
    if left:
        raise Failed("; ".join(left))
    if not visit.created:
        raise NotRun("nothing was created")


def the_history_adds_up(visit: Visit) -> None:
    """The whole history of the stock item adds up, row by row."""
    path = f"{LEVELS}/{visit.variant_id}/{visit.first['location_id']}/proof"
    proof = _require(visit.api.get(path), 200)
    while proof["next_cursor"] is not None:
        proof = _require(visit.api.get(path, cursor=proof["next_cursor"]), 200)
    if proof["verified"] is not True:
        raise Failed(f"first problem: {proof['first_problem']}")


CHECKS: Final[tuple[Callable[[Visit], None], ...]] = (
    document_is_served,
    unknown_path_is_not_found,
    headers_are_required,
    bad_tokens_are_alike,
    other_business_is_forbidden,
    read_only_token_only_reads,
    invalid_bodies_are_explained,
    an_adjustment_is_created,
    a_repeated_request_is_replayed,
    a_reused_key_is_refused,
    an_adjustment_is_read,
    requests_at_once_are_one,
    adjustments_are_listed,
    the_level_is_the_balance,
    what_is_unknown_is_not_found,
    stock_is_not_overdrawn,
    a_stale_quantity_is_refused,
    an_adjustment_is_reversed_once,
)
AT_THE_END: Final[tuple[Callable[[Visit], None], ...]] = (everything_is_reversed, the_history_adds_up)
"""Checks that run whatever happened before: nothing is left behind."""
