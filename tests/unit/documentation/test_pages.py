"""What holds for every page: links and anchors, make targets and files that it names, its size and its words."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import PAGES, anchors, links, page, prose, target_of
from tests.support.sam_template import PROJECT_ROOT, resources

PACKAGE = "layers/inventory/inventory"
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
FOLDERS = "docs|events|functions|layers|local|ops|tests|tools"
PACKAGES = "adjusting|api|aws|domain|entrypoints|integrity|queries|schemas|storage"
FIRST_LINE = re.compile(r"\A# .+\n\n(?:!.*\n\n)?After this page you ")

RIDDLES = [
    r"be(?:nt|nds?)",
    r"dead ends?",
    r"hand(?:s|ed) (?:out|over|back)",
    r"is not so",
    r"nor (?:does|is|do)",
    r"of one moment",
    r"patience",
    r"tries",
    r"untold",
    r"whoever",
    r"to whom",
    r"what nobody can",
    r"and be it",
    r"mends? itself",
]
"""What would need a second reading: there is a word of the field for each."""

each_page = pytest.mark.parametrize("name", PAGES)


@each_page
def test_every_link_leads_to_a_file_and_a_section_that_exist(name: str) -> None:
    for link in links(name):
        file, anchor = target_of(name, link)
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(file.relative_to(PROJECT_ROOT).as_posix()), link


@each_page
def test_every_make_target_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"`make (?:-s )?([a-z][a-z-]*)", page(name)))
    named |= set(re.findall(r"(?:^\$ |\$\()make (?:-s )?([a-z][a-z-]*)", page(name), re.MULTILINE))
    assert named <= TARGETS


def test_every_make_target_is_named_on_a_page() -> None:
    everything = "\n".join(map(page, PAGES))
    helped = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert helped
    assert {target for target in helped if not re.search(rf"\bmake (?:-s )?{target}\b", everything)} == set()


@each_page
def test_every_file_that_is_named_exists(name: str) -> None:
    assert {each for each in files_named(page(name)) if not (PROJECT_ROOT / each).exists()} == set()


def files_named(text: str) -> set[str]:
    """Paths in back-quotes, from the project's folder on; those of the package are named from the package on."""
    named = set(re.findall(rf"`((?:(?:{FOLDERS}|\.ci)/|(?:{PACKAGES})/)[\w./-]*)(?:::\w+)?`", text))
    named |= set(re.findall(r"`([\w-]+\.(?:ya?ml|toml|md))`", text))
    return {f"{PACKAGE}/{each}" if re.match(rf"(?:{PACKAGES})/", each) else each for each in named}


def test_files_are_found_in_a_text() -> None:
    text = "`template.yaml`, `domain/rules.py`, `tests/unit/test_x.py::test_y` and `docs/`; not `a/b` or domain/x.py"
    assert files_named(text) == {"template.yaml", f"{PACKAGE}/domain/rules.py", "tests/unit/test_x.py", "docs/"}


@pytest.mark.parametrize("name", [each for each in PAGES if each.startswith("docs/")])
def test_a_page_begins_with_what_its_reader_can_do_after_it(name: str) -> None:
    assert FIRST_LINE.match(page(name))


def test_the_readme_leads_to_every_page() -> None:
    reached = {target_of("README.md", link)[0] for link in links("README.md")}
    assert {name for name, path in PAGES.items() if path not in reached} == {"README.md"}


def test_the_readme_is_one_screen_and_a_walk() -> None:
    assert PAGES["README.md"].stat().st_size <= 8 * 1024


@each_page
def test_no_page_names_an_address_of_a_package_index(name: str) -> None:
    assert not re.search(r"pypi|npmjs|/simple/", page(name), re.IGNORECASE)


@each_page
def test_no_page_speaks_in_riddles(name: str) -> None:
    assert re.findall(rf"\b(?:{'|'.join(RIDDLES)})\b", prose(page(name)), re.IGNORECASE) == []


def test_every_alarm_that_is_named_exists() -> None:
    """All of them are in the runbook, which has tests of its own; the change log names former ones too."""
    pages = "\n".join(page(name) for name in PAGES if name != "CHANGELOG.md")
    named = set(re.findall(r"`(\w+Alarm)`", pages))
    assert named
    assert named <= set(resources("AWS::CloudWatch::Alarm"))
