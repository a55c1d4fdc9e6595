"""The page for stock controllers: its pictures, and the names of what it speaks of."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import pytest

from tests.e2e.screenshots import DOCS_PICTURE, PICTURES, SHAPES, VIEWS
from tests.support.pages import page
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

STOCK_CONTROLLERS = "docs/stock-controllers.md"
OF_VIEWS = {f"{view}-{shape}.png" for view in VIEWS for shape in SHAPES}
APP = PROJECT_ROOT / "functions" / "describe_api" / "app"
BYTES_MAX = 150_000


def shown_on(name: str) -> dict[str, str]:
    """The pictures of a page, by file name, with what is read out in their place."""
    found = {path: alt for alt, path in re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", page(name))}
    return found | dict(re.findall(r'<img src="pictures/([^"]+)" width="\d+" alt="([^"]*)">', page(name)))


def test_the_pictures_are_those_that_the_command_takes() -> None:
    assert {each.name for each in PICTURES.iterdir()} == OF_VIEWS | {DOCS_PICTURE.name}


def test_each_picture_of_a_view_is_shown_and_has_words_for_who_does_not_see_it() -> None:
    shown = shown_on(STOCK_CONTROLLERS)
    assert shown.keys() == OF_VIEWS
    assert all(shown.values())


MENU = re.search(r"const MENU = \{([^}]*)\}", (APP / "main.js").read_text(encoding="utf-8"))


def test_every_view_of_the_menu_is_named_in_bold() -> None:
    assert MENU is not None
    names = re.findall(r'"(\w+)"', MENU[1])
    assert len(names) == 5
    assert [name for name in names if f"**{name}**" not in page(STOCK_CONTROLLERS)] == []


def test_every_button_that_is_named_is_on_the_page() -> None:
    scripts = "".join(each.read_text(encoding="utf-8") for each in APP.glob("*.js"))
    named = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", page(STOCK_CONTROLLERS))
    assert len(named) > 8
    built = {"Book 30 counts", "Damage"}  # from figures and from the business's reasons
    assert {each for each in named if each not in built and f'"{" ".join(each.split())}' not in scripts} == set()


@pytest.mark.parametrize("picture", sorted(PICTURES.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_as_wide_as_its_window(picture: Path) -> None:
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < BYTES_MAX
    view, _, shape = picture.stem.rpartition("-")
    if view in VIEWS:
        assert struct.unpack_from(">II", content, 16) == SHAPES[shape][:2]
