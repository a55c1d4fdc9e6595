"""The page about deployment: its parameters and outputs are those of the template."""

from __future__ import annotations

from tests.support.pages import prose, rows, section
from tests.support.sam_template import load_template

NAME = "docs/deployment.md"


def test_every_template_parameter_stands_in_the_table_with_its_default() -> None:
    documented = {row[0]: row[1] for row in rows(section(NAME, "Parameters"))[1:]}
    assert documented == {name: str(each.get("Default", "")) for name, each in load_template()["Parameters"].items()}


def test_every_choice_of_a_deployment_preference_is_named() -> None:
    choices = load_template()["Parameters"]["DeploymentPreference"]["AllowedValues"]
    assert [each for each in choices if f"`{each}`" not in section(NAME, "Parameters")] == []


def test_every_output_stands_in_the_table() -> None:
    assert {row[0] for row in rows(section(NAME, "Outputs"))[1:]} == set(load_template()["Outputs"])


def test_as_many_alarms_roll_a_deployment_back_as_the_page_says() -> None:
    preference = load_template()["Globals"]["Function"]["DeploymentPreference"]
    _, alarms, _ = preference["Alarms"]["Fn::If"]
    assert len(alarms) == 5
    assert "if one of five alarms goes off" in prose(section(NAME, "Upgrade"))
