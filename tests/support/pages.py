"""The documentation's pages: their sections, tables, code blocks, links and anchors."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES: Final = {
    path.relative_to(PROJECT_ROOT).as_posix(): path
    for path in [PROJECT_ROOT / "README.md", PROJECT_ROOT / "CHANGELOG.md", *sorted(PROJECT_ROOT.glob("docs/*.md"))]
}
"""Path from the project's folder to file."""


@cache
def page(name: str) -> str:
    """The text of a page: ``README.md``, ``docs/api.md``."""
    return PAGES[name].read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """What stands under a heading of a page, up to the next heading of whatever level."""
    headed = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", _without_code_headings(page(name)), _BLOCK)
    assert headed, f"{name} has no section {title!r}"
    return headed[1]


def rows(text: str) -> list[list[str]]:
    """Cells of every table row in a text, heads included, with the back-quotes around a whole cell taken off."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def code(text: str, language: str) -> list[str]:
    """The code blocks of a language in a text."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, _BLOCK)


def prose(text: str) -> str:
    """A text without its code blocks, each white space one blank."""
    return " ".join(re.sub(r"^ *```.*?^ *```$", "", text, flags=_BLOCK).split())


def anchors(name: str) -> set[str]:
    """What a link into a page can name, as GitHub makes it from the headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^ *```.*?^ *```$", "", page(name), flags=_BLOCK), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def links(name: str) -> list[str]:
    """The targets of a page's links and images, but for those to other hosts."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page(name))
    return [each for each in targets if not each.startswith("https://")]


def target_of(name: str, link: str) -> tuple[Path, str]:
    """The file that a link of a page leads to, and the anchor in it."""
    file, _, anchor = link.partition("#")
    return (PAGES[name].parent / file).resolve() if file else PAGES[name], anchor


def _without_code_headings(text: str) -> str:
    """The text, with comments in its code that look like headings made none."""
    return re.sub(r"^ *```.*?^ *```$", lambda block: block[0].replace("\n#", "\n #"), text, flags=_BLOCK)


_BLOCK: Final = re.MULTILINE | re.DOTALL
