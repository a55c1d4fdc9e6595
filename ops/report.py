"""The subcommand `report`: units lost and found by reason, as a table on the terminal and as a picture."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from ops.command import Command
from ops.errors import CommandError
from ops.http_api import REASONS_REPORT, TIMEOUT_S, Api
from ops.verify import api_address, given_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_CODE = "(none)"
BAR_CELLS = 24
_WIDTH, _ROW_HEIGHT, _BAR_HEIGHT, _MARGIN = 720, 44, 18, 96


class Reason(BaseModel):
    """The sums of one reason code, in units; ``reversed_*`` is what reversals in the period took back of such rows."""

    model_config = ConfigDict(frozen=True)

    reason_code: str | None
    adjustments: int
    units_in: int
    units_out: int
    reversed_in: int
    reversed_out: int

    @property
    def label(self) -> str:
        """What it is called for people."""
        return self.reason_code or NO_CODE

    @property
    def found(self) -> int:
        """Units that came in and stayed in."""
        return self.units_in - self.reversed_in

    @property
    def lost(self) -> int:
        """Units that went out and stayed out."""
        return self.units_out - self.reversed_out


class Answer(BaseModel):
    """A report as far as it has come: one answer of the API."""

    model_config = ConfigDict(frozen=True)

    data: list[Reason]
    rows: int
    complete: bool
    next_cursor: str | None


def answers(api: Api, asked: dict[str, str]) -> Iterator[Answer]:
    """Ask until every row of the period is counted; each answer has the sums of all before it.

    Raises:
        CommandError: the API answered something else than a report.
    """
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(REASONS_REPORT, **asked, **cursor)
        try:
            report_so_far = Answer.model_validate(answer.body)
        except ValidationError:
            raise CommandError(f"the service answered {answer}: {_explanation(answer.body)}") from None
        yield report_so_far
        if report_so_far.next_cursor is None:
            return
        cursor = {"cursor": report_so_far.next_cursor}


def _explanation(body: object) -> str:
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list):
        return "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in detail)
    return str(detail["message"]) if isinstance(detail, dict) else "no report"


def table(reasons: Sequence[Reason]) -> Table:
    """Draw a report for a terminal, those with the most units first."""
    drawn = Table(title_justify="left", caption_justify="left")
    for name in ("reason", "changes", "units in", "units out", "in, reversed", "out, reversed", "net"):
        drawn.add_column(name, justify="left" if name == "reason" else "right")
    drawn.add_column("lost | found")
    most = max((max(each.found, each.lost, 1) for each in reasons), default=1)
    for each in reasons:
        figures = (each.adjustments, each.units_in, each.units_out, each.reversed_in, each.reversed_out)
        net = f"{each.found - each.lost:+,}"
        drawn.add_row(each.label, *(f"{figure:,}" for figure in figures), net, _bar(each, most))
    return drawn


def _bar(reason: Reason, most: int) -> str:
    """Both bars of one reason, on a scale that all share."""
    lost, found = (round(max(0, units) / most * BAR_CELLS / 2) for units in (reason.lost, reason.found))
    return f"{'█' * lost:>{BAR_CELLS // 2}}|{'█' * found}"


def picture(reasons: Sequence[Reason], title: str) -> str:
    """Draw a report as SVG: lost to the left, found to the right."""
    most = max((max(each.found, each.lost, 1) for each in reasons), default=1)
    middle = _WIDTH // 2
    height = 40 + _ROW_HEIGHT * len(reasons)
    box = f'viewBox="0 0 {_WIDTH} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>',
    ]
    for place, each in enumerate(reasons):
        top = 40 + place * _ROW_HEIGHT
        lost, found = (max(0, units) / most * (middle - _MARGIN) for units in (each.lost, each.found))
        bar_top, text_at = top + 16, top + 16 + _BAR_HEIGHT - 5
        lines += [
            f'<text x="{middle}" y="{top + 12}" text-anchor="middle">{escape(each.label)}</text>',
            f'<rect x="{middle - lost:.1f}" y="{bar_top}" width="{lost:.1f}" height="{_BAR_HEIGHT}" fill="#b3261e"/>',
            f'<rect x="{middle}" y="{bar_top}" width="{found:.1f}" height="{_BAR_HEIGHT}" fill="#1a6b35"/>',
            f'<text x="{middle - lost - 6:.1f}" y="{text_at}" text-anchor="end">−{each.lost:,}</text>',
            f'<text x="{middle + found + 6:.1f}" y="{text_at}">+{each.found:,}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _summed(api: Api, asked: dict[str, str]) -> Answer:
    console = Console(stderr=True)
    with console.status("counting …") as status:
        for answer in answers(api, asked):
            status.update(f"{answer.rows:,} rows counted …")
    return answer


@click.command("report", cls=Command, interrupted_means="nothing was changed.")
@click.option("--url", metavar="ADDRESS", callback=api_address, required=True, help="The stack's output ApiUrl.")
@click.option("--business", metavar="ID", callback=given_id, required=True, help="A business of the token's.")
@click.option("--from", "begin", metavar="INSTANT", help="Count rows from this instant on (ISO 8601 with offset).")
@click.option("--to", "end", metavar="INSTANT", help="Count rows before this instant.")
@click.option("--location", metavar="ID", callback=given_id, help="Count one location only.")
@click.option("--variant", metavar="ID", callback=given_id, help="Count one variant only.")
@click.option("--sku", metavar="SKU", help="Count the variant with this SKU only.")
@click.option("--svg", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture too.")
def reasons_report(url: str, business: str, svg: Path | None, **period: str | None) -> int:
    """Show the units lost and found by reason in a period.

    The token comes from the variable TOKEN: everybody on a machine can see the arguments of a command.
    """
    token = os.environ.get("TOKEN", "")
    if not token:
        raise CommandError("TOKEN= is missing: a token with the scope adjustments:read")
    names = {"begin": "from", "end": "to", "location": "location_id", "variant": "variant_id", "sku": "sku"}
    asked = {names[name]: value for name, value in period.items() if value}
    with httpx.Client(timeout=TIMEOUT_S) as http:
        try:
            whole = _summed(Api.of(url, http, token=token, business_id=business), asked)
        except httpx.HTTPError as error:
            raise CommandError(f"{url} can't be reached: {error or type(error).__name__}") from None
    reasons = sorted(whole.data, key=lambda each: -max(each.found, each.lost))
    Console().print(table(reasons))
    click.echo(f"{whole.rows:,} rows counted")
    if svg is not None:
        title = f"Units lost and found by reason, {period['begin'] or 'the beginning'} to {period['end'] or 'now'}"
        svg.write_text(picture(reasons, title), encoding="utf-8")
        click.echo(f"drawn: {svg}")
    return 0
