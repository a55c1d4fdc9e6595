"""Pictures for the pages, written by hand as SVG: they need no library, and a change of theirs can be read.

Colours are chosen so that each stands out on white and on GitHub's dark background; texts take the grey between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 760
OURS: Final = "#2f81f7"
OTHERS: Final = "#8b949e"
TEXT: Final = "#7d8590"

_LABELS: Final = 172
_FIGURES: Final = 56
_ROW: Final = 26
_BAR: Final = 16
_TITLE: Final = 34
_FONT: Final = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


class Bar(NamedTuple):
    """One horizontal bar; ``ours`` gives it the colour that stands out."""

    label: str
    value: float
    ours: bool = False


class Bars(NamedTuple):
    """Bars under one title and on one scale, with a line across them where the value is 1."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """In pixels."""
        return _TITLE + _ROW * len(self.bars) + _BAR


def picture(panels: Sequence[Bars], *, description: str) -> str:
    """Panels of bars below one another; ``description`` is for those who can't see them."""
    height = sum(panel.height for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"',
        f'  role="img" font-family="{escape(_FONT)}" font-size="13">',
        f"<title>{escape(description)}</title>",
    ]
    top = 0
    for panel in panels:
        lines += _panel(panel, top)
        top += panel.height
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Bars, top: int) -> list[str]:
    room = WIDTH - _LABELS - _FIGURES
    scale = room / max(bar.value for bar in panel.bars)
    one = _LABELS + scale
    first, last = top + _TITLE, top + _TITLE + _ROW * len(panel.bars)
    lines = [_text(0, top + 18, panel.title, weight="600")]
    for place, bar in enumerate(panel.bars):
        y = first + place * _ROW
        length = bar.value * scale
        colour = OURS if bar.ours else OTHERS
        lines += [
            _text(_LABELS - 8, y + 13, bar.label, anchor="end", weight="600" if bar.ours else "400"),
            f'<rect x="{_LABELS}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
            _text(_LABELS + length + 6, y + 13, f"{bar.value:.2f}", weight="600" if bar.ours else "400"),
        ]
    lines.append(
        f'<line x1="{one:.1f}" y1="{first - 6}" x2="{one:.1f}" y2="{last}" stroke="{TEXT}" stroke-dasharray="3 3"/>'
    )
    return lines


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{TEXT}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )
