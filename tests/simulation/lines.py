"""A picture of a few curves, as SVG written by hand: panels side by side, each line named at its end."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_PANEL_WIDTH: Final = 400
_HEIGHT: Final = 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 96, 50, 48
_LABEL_DISTANCE: Final = 14


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: a value for each place on the x axis, in the panel's unit."""

    name: str
    values: Sequence[float]
    colour: str
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes, both by powers of two apart; ``ticks`` are the values that the y axis names."""

    title: str
    unit: str
    x_title: str
    places: Sequence[int]
    lines: Sequence[Line]
    ticks: Sequence[float]


def picture(title: str, panels: Sequence[Panel]) -> str:
    """Draw the panels; ``title`` says to who can't see it what it shows."""
    width = _PANEL_WIDTH * len(panels)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}"'
            f' height="{_HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#333">'
        ),
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{_HEIGHT}" rx="6" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * _PANEL_WIDTH} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    right, bottom = _PANEL_WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    least, most = panel.ticks[0], panel.ticks[-1]

    def x(place: float) -> float:
        return _LEFT + (right - _LEFT) * log(place / panel.places[0]) / log(panel.places[-1] / panel.places[0])

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * log(min(max(value, least), most) / least) / log(most / least)

    parts = [
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="600">{escape(panel.title)}</text>',
        f'<text x="{_LEFT}" y="37" fill="#666">{escape(panel.unit)}</text>',
        (
            f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#666">'
            f"{escape(panel.x_title)}</text>"
        ),
    ]
    for tick in panel.ticks:
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#666">{tick:,g}</text>')
    parts += [
        f'<text x="{x(place):.1f}" y="{bottom + 17}" text-anchor="middle" fill="#666">{place}</text>'
        for place in panel.places
    ]
    labels = _apart(sorted(((y(line.values[-1]), line) for line in panel.lines), key=itemgetter(0)))
    for at, line in labels:
        points = " ".join(
            f"{x(place):.1f},{y(value):.1f}" for place, value in zip(panel.places, line.values, strict=True)
        )
        dashes = ' stroke-dasharray="5 4"' if line.is_dashed else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2"{dashes}/>')
        parts.append(f'<text x="{right + 6}" y="{at + 4:.1f}" fill="{line.colour}">{escape(line.name)}</text>')
    return parts


def _apart(labels: list[tuple[float, Line]]) -> list[tuple[float, Line]]:
    """Move names that would lie on one another down, from the highest to the lowest."""
    placed: list[tuple[float, Line]] = []
    for at, line in labels:
        lowest = placed[-1][0] + _LABEL_DISTANCE if placed else at
        placed.append((max(at, lowest), line))
    return placed
