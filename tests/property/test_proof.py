"""Random histories, tampered with in every way and read during writes: each form is named, and nothing else."""

from __future__ import annotations

import random
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import InvalidCursor
from inventory.domain.model import GENESIS_HASH, StockItemId
from inventory.integrity.chain_check import ChainCheck
from inventory.integrity.proof import Proof, Prover
from inventory.storage.items import adjustment_of, ledger_item
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.builders.tampered_tables import (
    TAMPERINGS,
    ReadTables,
    StoredHistory,
    history,
    stock_item,
    stored_history,
)
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from inventory.storage.items import Item

deltas = st.lists(st.integers(-1_000, 1_000).filter(bool), min_size=1, max_size=12)
page_sizes = st.sampled_from([None, 1, 2, 5])


def proved(read: ReadTables, page_rows: int | None = None, **settings: Any) -> Proof:
    prover = replace(Prover(read, read, sleep=lambda _: None, page_rows=page_rows), **settings)
    return prover.prove(StockItemId(BUSINESS, VARIANT, LOCATION), None, remaining_s=lambda: 1_000.0)


@given(st.lists(st.integers(-1_000, 1_000).filter(bool), max_size=12), page_sizes)
def test_an_untouched_history_is_verified(changes: list[int], page_rows: int | None) -> None:
    rows = history(changes)
    assert proved(ReadTables(stored_history(changes)), page_rows) == Proof(
        variant_id=VARIANT,
        location_id=LOCATION,
        verified=True,
        rows=len(changes),
        sum=sum(changes),
        quantity=sum(changes),
        sequence=len(changes),
        head_hash=rows[-1].hash if rows else GENESIS_HASH,
        first_problem=None,
        next_cursor=None,
    )


@pytest.mark.parametrize("tamper", TAMPERINGS)
@examples(25)
@given(data=st.data(), changes=deltas, page_rows=page_sizes)
def test_every_form_of_tampering_is_found_and_named(
    tamper: str, data: st.DataObject, changes: list[int], page_rows: int | None
) -> None:
    tampered = TAMPERINGS[tamper](stored_history(changes), data.draw(st.integers(0, len(changes) - 1)))
    if tampered is None:
        return
    proof = proved(ReadTables(tampered), page_rows)
    assert (proof.verified, proof.first_problem) == (False, tampered.problem)


@pytest.mark.parametrize("tamper", TAMPERINGS)
@examples(25)
@given(data=st.data(), changes=deltas, rows_max=st.integers(1, 3))
def test_a_proof_in_several_requests_gives_the_result_of_one(
    tamper: str, data: st.DataObject, changes: list[int], rows_max: int
) -> None:
    tampered = TAMPERINGS[tamper](
        stored_history(changes), data.draw(st.integers(0, len(changes) - 1))
    ) or stored_history(changes)
    whole = proved(ReadTables(tampered))
    prover = Prover(ReadTables(tampered), ReadTables(tampered), sleep=lambda _: None, page_rows=1, rows_max=rows_max)
    cursor: str | None = None
    for _ in range(3 * len(changes) + 5):
        proof = prover.prove(StockItemId(BUSINESS, VARIANT, LOCATION), cursor, remaining_s=lambda: 1_000.0)
        cursor = proof.next_cursor
        if cursor is None:
            break
    assert (proof.verified, proof.first_problem) == (whole.verified, whole.first_problem)


class Writers:
    """Others who write before any read, by chance; the index learns of their rows in any order, but after a pause."""

    def __init__(self, chance: random.Random, changes: list[int]) -> None:
        self._chance = chance
        self._to_come = [ledger_item(row) for row in history(changes)]
        self.read = ReadTables(StoredHistory([], None), before_read=self.write)
        for _ in range(chance.randrange(len(changes) + 1)):
            self.append()
        self.read.late.clear()

    def write(self) -> None:
        for _ in range(self._chance.randrange(3)):
            self.append()
        for key in sorted(self.read.late):
            if self._chance.randrange(2):
                self.read.late.discard(key)

    def append(self) -> None:
        if self._to_come:
            item = self._to_come.pop(0)
            self.read.stored.rows.append(item)
            self.read.stored.stock = stock_item(adjustment_of(item))
            self.read.late.add(item["pk"]["S"])

    def pause(self, _: float) -> None:
        self.read.late.clear()


@given(seed=st.integers(0, 2**32), changes=st.lists(st.just(3), min_size=1, max_size=20), page_rows=page_sizes)
def test_writes_between_any_two_reads_are_not_reported(seed: int, changes: list[int], page_rows: int | None) -> None:
    writers = Writers(random.Random(seed), changes)
    at_first = len(writers.read.stored.rows)
    proof = proved(writers.read, page_rows, sleep=writers.pause)
    assert (proof.verified, proof.first_problem) == (True, None)
    assert proof.sequence >= at_first
    assert proof.rows == proof.sequence
    assert proof.sum == proof.quantity == 3 * proof.rows


values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, st.text(max_size=40)),
        st.builds(lambda number: {"N": number}, st.sampled_from(["0", "-1", "1.5", "9" * 38, "1E+30", "", "x"])),
        st.builds(lambda raw: {"B": raw}, st.binary(max_size=4)),
        st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=3), max_size=3)),
        st.sampled_from(
            [{"S": each} for each in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01", "\ud800")]
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda listed: {"L": listed}, st.lists(inner, max_size=2)),
        st.builds(lambda named: {"M": named}, st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    ),
    max_leaves=4,
)
GARBAGE_NAMES = [
    name for name in [*stored_history([1]).rows[0], "reverses", "reference"] if name not in {"pk", "stock_item"}
]
garbage = st.dictionaries(st.sampled_from(GARBAGE_NAMES), values, max_size=4)


@given(found=st.lists(garbage, min_size=1, max_size=4), stock=st.none() | garbage)
def test_no_garbage_in_an_item_raises_an_error(found: list[Item], stock: Item | None) -> None:
    honest = stored_history([1, 2, 3, 4])
    rows = [{**item, **tampered} for item, tampered in zip(honest.rows, found, strict=False)]
    checked = ChainCheck()
    checked.add(rows)
    checked.append_pending(4)
    assert checked.rows == len(rows)

    # An index holds no row whose sort key is not a text, and DynamoDB stores no item with an empty one.
    rows = [item for item in rows if item["created_at"].get("S")]
    proof = proved(ReadTables(StoredHistory(rows, None if stock is None else {**(honest.stock or {}), **stock})))
    assert proof.verified is not None
    assert proof.rows == len(rows)


@given(st.text(max_size=60) | st.binary(max_size=60).map(bytes.hex))
def test_no_forged_cursor_is_accepted(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        Prover(ReadTables(stored_history([1])), ReadTables(stored_history([1]))).prove(
            StockItemId(BUSINESS, VARIANT, LOCATION), cursor, remaining_s=lambda: 1_000.0
        )
