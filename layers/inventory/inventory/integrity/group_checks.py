"""Checks of rows that were made together: groups, transfers, and the reversals of groups."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

from inventory.domain.rules import group_row_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from inventory.domain.model import Adjustment, ReversalLink


def are_of_one_group(first: Adjustment | None, row: Adjustment) -> bool:
    """Whether ``first`` is the first row of a group, and ``row`` the row of that group that it says to be."""
    return (
        first is not None
        and row.group_line is not None
        and (first.group_id, first.group_line) == (first.id, 0)
        and (row.group_id, row.group_size) == (first.id, first.group_size)
        and row.id == group_row_id(first.id, row.group_line)
    )


def is_group(rows: Sequence[Adjustment | None]) -> bool:
    """Whether these are all rows of one group, in their order; None stands for a row that is missing."""
    return all(
        row is not None and row.group_line == line and are_of_one_group(rows[0], row) for line, row in enumerate(rows)
    )


def balances(rows: Sequence[Adjustment | None]) -> bool:
    """Whether each two rows of a transfer take from one place what they add to another."""
    return len(rows) % 2 == 0 and all(_is_move(taken, added) for taken, added in batched(rows, 2, strict=True))


def _is_move(taken: Adjustment | None, added: Adjustment | None) -> bool:
    return (
        taken is not None
        and added is not None
        and taken.kind == added.kind == "transfer"
        and taken.variant_id == added.variant_id
        and taken.location_id != added.location_id
        and taken.delta == -added.delta < 0
    )


def first_reversed(link: ReversalLink, reversal: Adjustment) -> UUID | None:
    """Return the id of the row that the first row of a reversal takes back, if the link is right.

    A group is reversed from its last row to its first. None for a row that is not the first one.
    """
    if reversal.group_size is None:
        return None if link.left_out else link.reversed_id
    if reversal.group_line != 0:
        return None
    lines = range(reversal.group_size + len(link.left_out))
    return next((group_row_id(link.reversed_id, line) for line in reversed(lines) if line not in link.left_out), None)
