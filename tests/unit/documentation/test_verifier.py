"""The program of docs/integrity.md that verifies an export: it takes what the service writes, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.hash_chain import canonical_members
from inventory.storage.items import adjustment_of
from tests.support.builders.ids import OTHER_VARIANT
from tests.support.builders.tampered_tables import TAMPERINGS, StoredHistory, history, stored_history
from tests.support.pages import code, page

if TYPE_CHECKING:
    from pathlib import Path

    from inventory.domain.model import Adjustment

DELTAS = [10, -3, 5, 7, -2]
N = 2
MEMBERS = {"reason": "Überzählig: 3 Stück, \u2028 “found” 📦", "reference": 'CC "17"', "reason_code": "found"}
# An export holds rows as they are in the table: changes of the stock item or of an item's keys are not in it, and only
# an earlier head hash shows that a chain was cut at its end. (A row that can't be read can't be exported.)
NOT_IN_AN_EXPORT = ("the stock item", "attribute", "shard", "index", "another key", "another stock item")
UNREADABLE = ("taken away", "became")


def verifier() -> str:
    (program,) = code(page("docs/integrity.md"), "python")
    return program


def line(row: Adjustment) -> dict[str, Any]:
    return canonical_members(row) | {"hash": row.hash}


def verify(folder: Path, lines: list[dict[str, Any]], *kept: str) -> subprocess.CompletedProcess[str]:
    (folder / "verify.py").write_text(verifier(), encoding="utf-8")
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines)
    (folder / "export.ndjson").write_text(text, encoding="utf-8")
    # -I and no environment: it may use the standard library only.
    return subprocess.run(  # noqa: S603
        [sys.executable, "-I", "verify.py", "export.ndjson", *kept],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def exported(found: StoredHistory) -> list[dict[str, Any]]:
    return [line(adjustment_of(item)) for item in found.rows]


def test_it_accepts_what_the_service_wrote_and_prints_each_head_hash(tmp_path: Path) -> None:
    rows, others = history(DELTAS, **MEMBERS), history([4], variant_id=OTHER_VARIANT)
    done = verify(tmp_path, [line(row) for row in [*reversed(rows), *others]], rows[1].hash, others[0].hash)
    assert (done.returncode, done.stderr) == (0, "")
    *heads, last = done.stdout.splitlines()
    assert heads == [
        f"{row.business_id} {row.variant_id} {row.location_id} {row.sequence} rows, "
        f"quantity {row.quantity_after}, head hash {row.hash}"
        for row in (rows[-1], others[-1])
    ]
    assert last == f"{len(rows) + len(others)} rows add up"


def test_of_an_empty_file_it_says_that_there_was_nothing(tmp_path: Path) -> None:
    assert verify(tmp_path, []).stdout == "0 rows add up\n"


@pytest.mark.parametrize(
    "tamper", [name for name in TAMPERINGS if not any(part in name for part in (*NOT_IN_AN_EXPORT, *UNREADABLE))]
)
def test_it_fails_on_rows_that_were_altered(tamper: str, tmp_path: Path) -> None:
    honest = stored_history(DELTAS, **MEMBERS)
    tampered = TAMPERINGS[tamper](honest, N)
    assert tampered is not None
    # A row beyond the head is only one more row to an export: only the proof finds it.
    appended = tamper == "a row was inserted past the head"
    done = verify(tmp_path, exported(tampered))
    assert ("WRONG" in done.stderr, done.returncode) == ((False, 0) if appended else (True, 1))


def test_a_hash_that_was_kept_shows_that_a_chain_was_cut_or_written_again_as_a_whole(tmp_path: Path) -> None:
    rows = history(DELTAS, **MEMBERS)
    anew = history(DELTAS, **(MEMBERS | {"reason": "another one"}))
    for tampered in (rows[:-1], anew):
        assert verify(tmp_path, [line(row) for row in tampered]).returncode == 0
        assert "WRONG" in verify(tmp_path, [line(row) for row in tampered], rows[-1].hash).stderr


@pytest.mark.parametrize("member", [name for name in line(history([1])[0]) if name != "sequence"])
def test_no_member_can_be_changed_or_taken_away(member: str, tmp_path: Path) -> None:
    lines = exported(stored_history(DELTAS, **MEMBERS))
    changed = [dict(each) for each in lines]
    value = changed[N][member]
    changed[N][member] = value + 1 if isinstance(value, int) else f"{value} "
    assert verify(tmp_path, changed).returncode != 0
    without = [dict(each) for each in lines]
    del without[N][member]
    assert verify(tmp_path, without).returncode != 0


def test_a_row_of_another_form_is_refused(tmp_path: Path) -> None:
    (row,) = history([1])
    assert verify(tmp_path, [line(replace(row, reason="x"))]).returncode == 1
