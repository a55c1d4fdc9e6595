"""The glossary is in the order of the alphabet, and each word of the field is in it."""

from __future__ import annotations

from tests.support.pages import rows, section

WORDS = [word for word, _ in rows(section("docs/glossary.md", "Glossary"))[1:]]
OF_THE_FIELD = {
    "adjustment",
    "stock item",
    "quantity on hand",
    "location",
    "variant",
    "SKU",
    "stock count",
    "variance",
    "transfer",
    "reversal",
    "reason code",
    "idempotency key",
    "replay",
    "compare-and-set",
    "dead-letter queue",
    "redrive",
    "throttle",
    "back-off",
    "cold start",
    "hash chain",
    "head hash",
    "proof",
    "audit",
    "tamper evidence",
}


def test_words_are_in_the_order_of_the_alphabet_and_stand_once() -> None:
    assert sorted(set(WORDS), key=str.casefold) == WORDS


def test_each_word_of_the_field_is_explained() -> None:
    assert set(WORDS) >= OF_THE_FIELD
