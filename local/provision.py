"""The command behind `make provision`: one of the operators' commands, to the local stack or to one in AWS."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from local.command import Parser, run
from local.errors import LocalStackError
from local.places import Places
from local.target import FunctionError, explained, find_target

if TYPE_CHECKING:
    from collections.abc import Sequence


def _carry_out(arguments: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m local.provision", description=__doc__)
    parser.add_argument("--stack")
    wanted = parser.parse(arguments)
    target = find_target(Places.from_environment(), wanted.stack)
    try:
        answer = target.invoke("ProvisionFunctionName", _payload())
    except FunctionError as error:
        raise LocalStackError(explained(error)) from None
    print(json.dumps(answer))
    return 0


def _payload() -> dict[str, object]:
    """Read the variable ``PAYLOAD``, which make hands on as it was given; as an argument the shell would read it too.

    Raises:
        LocalStackError: it is no JSON object.
    """
    try:
        payload = json.loads(os.environ.get("PAYLOAD", ""))
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise LocalStackError(
            'which command? for example: make provision PAYLOAD="$(cat events/provision-issue-token.json)"'
        )
    return payload


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run(
        partial(_carry_out, arguments),
        failed=1,
        interrupted_means="the command may have been carried out; most may be repeated.",
    )


if __name__ == "__main__":
    sys.exit(main())
