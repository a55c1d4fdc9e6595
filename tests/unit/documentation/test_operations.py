"""The page about operation: the operators' commands, and each member of a log line and each metric."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from inventory.aws.amazon_roots import FELL_BACK
from inventory.entrypoints.responses import ERROR_ANSWERS
from inventory.schemas.provisioning import COMMAND_MODELS
from ops.command_line import ops
from tests.support.harness.signals import counted_in_logs, services, written_by
from tests.support.pages import rows, section
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "docs/operations.md"


def test_every_subcommand_of_ops_stands_in_the_table_with_its_options() -> None:
    documented = {
        subcommand: set(re.findall(r"--[a-z-]+", options))
        for _, subcommand, options, _ in rows(section(NAME, "Commands"))[1:]
    }
    assert documented == {
        name: {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
        for name, command in subcommands()
    }


def subcommands() -> Iterator[tuple[str, click.Command]]:
    """Each subcommand by what is typed for it, those of a group by both names."""
    for name, command in ops.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {each}", leaf) for each, leaf in command.commands.items())
        else:
            yield name, command


def test_every_operators_command_stands_in_the_table_with_its_fields() -> None:
    documented = {}
    for command, fields, *_ in rows(section(NAME, "Operators' commands"))[1:]:
        documented[command] = {
            (name, optional == "?") for name, optional in re.findall(r"`?([a-z_]+)`(\??)", f"`{fields}`")
        }
    of_the_code = {
        command: {(name, not field.is_required()) for name, field in model.model_fields.items() if name != "command"}
        for command, model in COMMAND_MODELS.items()
    }
    assert documented == of_the_code


def test_every_metric_is_documented_and_every_one_that_is_documented_is_written() -> None:
    written = {name for service in services() for name in written_by(service)} | {*counted_in_logs(), FELL_BACK}
    errors = {each.__name__ for each in ERROR_ANSWERS}
    text = section(NAME, "Metrics").replace("\n", " ")
    named = {name for name in re.findall(r"`([A-Z]\w+)`", text) if name != "CamelCase"}
    assert named >= written - errors
    assert named <= written
    assert "`InventoryAdjustments/<stack name>`" in text
    assert load_template()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == {
        "Fn::Sub": "InventoryAdjustments/${AWS::StackName}"
    }
