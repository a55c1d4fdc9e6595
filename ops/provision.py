"""The subcommand `provision`: one of the operators' commands, which register businesses, issue tokens and so on."""

from __future__ import annotations

import json

import click

from ops.command import Command, for_stack
from ops.errors import CommandError, FunctionError
from ops.stacks import explained, find_target


@click.command(cls=Command, interrupted_means="the command may have been carried out; most may be repeated.")
@click.option(
    "--payload",
    metavar="JSON",
    envvar="PAYLOAD",
    show_envvar=True,
    default="",
    help='The command with its fields, such as {"command": "revoke_token", "token_id": …}.',
)
@for_stack
def provision(payload: str, stack: str | None) -> int:
    """Carry out one of the operators' commands, and print its answer."""
    command = _command(payload)
    try:
        answer = find_target(stack).invoke("ProvisionFunctionName", command)
    except FunctionError as error:
        raise CommandError(explained(error)) from None
    click.echo(json.dumps(answer))
    return 0


def _command(payload: str) -> dict[str, object]:
    """Read the command with its fields.

    Raises:
        CommandError: it is no JSON object.
    """
    try:
        command = json.loads(payload)
    except ValueError:
        command = None
    if not isinstance(command, dict):
        raise CommandError(
            'which command? for example: make provision PAYLOAD="$(cat events/provision-issue-token.json)"'
        )
    return command
