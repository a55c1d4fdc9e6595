"""An independent engine decides requests as IAM documents it: npm's `@cloud-copilot/iam-simulate`, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ops.project import PROJECT_ROOT
from tests.iam.deployed import ACCOUNT
from tests.iam.requests import ENCLOSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.iam.deployed import Deployed
    from tests.iam.requests import Request

FOLDER: Final = PROJECT_ROOT / ".iam-simulator"
INSTALLED: Final = (FOLDER / ".installed").exists() and shutil.which("node") is not None
NOT_INSTALLED: Final = "the IAM simulation did not run: `make iam-simulator` installs its engine, and needs npm"

ALLOWED: Final = "Allowed"
DENIED: Final = "ImplicitlyDenied"
DENIED_EXPLICITLY: Final = "ExplicitlyDenied"

ADMINISTRATOR: Final = "Administrator"
"""A principal of the account whom its own policy allows everything."""

_EVERYTHING: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_PROGRAM: Final = Path(__file__).with_name("decide.mjs")

# The engine's list does not give this key for this action, although AWS's page on transactions uses it there.
_MAY_BE_IGNORED: Final = {("dynamodb:ConditionCheckItem", ENCLOSING)}


class Decision(NamedTuple):
    """What IAM would say to a request."""

    request: Request
    outcome: str

    @property
    def is_allowed(self) -> bool:
        return self.outcome == ALLOWED


def decide(requests: Sequence[Request], stack: Deployed) -> list[Decision]:
    """Let the engine decide each request with the stack's roles and resource policies, in their order."""
    policies = {function.role: stack.policies_of(function.role) for function in stack.functions.values()}
    asked = {
        "account": ACCOUNT,
        "policies": policies | {ADMINISTRATOR: [{"name": "everything", "policy": _EVERYTHING}]},
        "resourcePolicies": stack.resource_policies,
        "requests": [
            (each.principal, each.action, each.resource, dict(each.context), _policy_holder(each.resource))
            for each in requests
        ],
    }
    done = subprocess.run(  # noqa: S603  our own program and arguments
        [shutil.which("node") or "node", str(_PROGRAM)],
        cwd=FOLDER,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return [_decision(request, answer) for request, answer in zip(requests, answers, strict=True)]


def _policy_holder(resource: str) -> str:
    """Whose resource policy counts: an index has that of its table."""
    return resource.partition("/index/")[0]


def _decision(request: Request, answer: dict[str, Any]) -> Decision:
    """Take an answer, if the engine understood the request: each of its condition keys must have counted."""
    assert answer["decision"] in {ALLOWED, DENIED, DENIED_EXPLICITLY}, f"{request}: {answer}"
    assert {(request.action, key) for key in answer["ignored"]} <= _MAY_BE_IGNORED, f"{request}: {answer}"
    return Decision(request, answer["decision"])
