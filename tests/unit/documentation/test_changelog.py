"""The change log has the form of Keep a Changelog, and an entry for the version of the project."""

from __future__ import annotations

import re
import tomllib

from tests.support.pages import page
from tests.support.sam_template import PROJECT_ROOT

TITLES = re.findall(r"^## (.*)$", page("CHANGELOG.md"), re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_what_is_not_released_comes_first_and_each_release_has_its_date() -> None:
    first, *releases = TITLES
    assert first == "[Unreleased]"
    assert releases
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", each) for each in releases)


def test_the_projects_version_is_in_it() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [each for each in TITLES if each.startswith(f"[{project['version']}]")]


def test_changes_are_grouped_by_the_kinds_of_keep_a_changelog() -> None:
    assert set(re.findall(r"^### (.*)$", page("CHANGELOG.md"), re.MULTILINE)) <= KINDS
