"""The introduction, and what parameters and members mean where their model does not say so, by name."""

from typing import Final

INTRODUCTION: Final = """\
Takes manual stock adjustments from many businesses and never loses, duplicates or corrupts one.

**Token and business.** Every request has two headers: `Authorization: Bearer dz_…`, a token that an operator issued,
and `x-business-id`, one of the token's businesses. A token has scopes: `adjustments:write`, `adjustments:read`,
`adjustments:reverse`. Each operation names the one that it needs.

**Idempotency and retries.** Send an `Idempotency-Key` with every change: 1–255 visible ASCII characters, your choice,
unique within the business, remembered for ever. It is taken as written: `"k"` with quotes and `k` are two keys. After a
time-out, 429 or 503 repeat the same request with the same key: it is applied once, and a repeat is answered with the
original answer and `Idempotent-Replayed: true`. The same key with another request is refused (422). Do not repeat other
4xx unchanged: they wrote nothing. Without a key each request is a change of its own.

**Pages.** A list answers `data` and `next_cursor`. Send `next_cursor` back as `cursor`, with the same filters, until it
is null. A page can be short or empty and still have a next one.

**Errors.** 422 lists every field that is not valid: `{"detail": [{"loc", "msg", "type"}]}`. All others are
`{"detail": {"code", "message"}}`, with further facts beside them: go by `code`, which does not change; `message` is for
people. Quote the header `x-request-id` when you ask for help.

**Texts.** White space at both ends of a text is removed before its length is checked. A `reason` has 1–500 characters,
of which one at least can be seen, and no control characters other than tab and line ends. A `reference` has 1–255
characters and no control characters or line separators. Both are kept as they are otherwise.

**Numbers.** A quantity is an integer; `5.0` and `1e3` are taken as the integers that they are, and nothing is ever
rounded. Quantities stay within ±9,007,199,254,740,991, which every JSON reader keeps exact.

**Bodies** are JSON, whatever `Content-Type` says, at most 4.5 MB and not compressed. Unknown fields and parameters are
refused, so that a misspelt one is never ignored. Ignore members of answers that you don't know: some may be added.

**HEAD** is answered like `GET`, without a body, on every path that has `GET`.
"""

WORDS: Final = {
    "active": "Whether it may be adjusted.",
    "code": "What went wrong, for programs. It does not change.",
    "complete": "Whether all rows of the period were counted.",
    "counted_through": "When the count was made that came after.",
    "ctx": "Facts that the message is made of, such as a limit.",
    "cursor": "The `next_cursor` of the page before.",
    "data": "The entries of this page.",
    "detail": "What went wrong.",
    "direction": "The direction that the code is for.",
    "error": "Why the value is refused.",
    "first_problem": "The first place where the history does not add up; null where there is none.",
    "adjustment": "The adjustment that it has become.",
    "group_id": "The group that it belongs to.",
    "id": "Adjustment UUID.",
    "input": "The value as it was sent; left out where it is long, or can't be sent back unchanged.",
    "kind": "What is wrong there.",
    "line": "The first line that was refused, from 0; of a request with lines only.",
    "loc": "Where: `body`, `query`, `path` or `header`, and then the names and positions that lead to the value.",
    "location_id": "Location UUID.",
    "message": "What went wrong, for people.",
    "msg": "What is wrong, for people.",
    "quantity_change": "The change that was asked for.",
    "quantity_on_hand": "The quantity on hand that it was refused for.",
    "content_encoding": "The encoding that the body was sent in.",
    "name": "Its name, for people.",
    "reason": "Required reason for the adjustment.",
    "reason_code": "The category for reports.",
    "reference": "The caller's own document, compared after trimming.",
    "reversed_by": "The adjustment that reversed this one.",
    "sequence": "The adjustment's number: 1, 2, 3 … for each variant at each location.",
    "sku": "The variant's SKU.",
    "status": "As if it had been sent alone.",
    "type": "What is wrong, for programs.",
    "variant_id": "Product variant UUID.",
}
