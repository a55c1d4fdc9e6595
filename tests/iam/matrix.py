"""What docs/security.md shows of the decisions: who may do what where, and how many requests were decided."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from ops.project import PROJECT_ROOT
from tests.iam.denials import READS_BY_KEY
from tests.iam.deployed import TABLE
from tests.iam.engine import DENIED_EXPLICITLY
from tests.support.sam_template import load_root

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.iam.deployed import Deployed
    from tests.iam.engine import Decision
    from tests.iam.judgement import Judgement
    from tests.iam.requests import Request

PAGE: Final[Path] = PROJECT_ROOT / "docs/security.md"
ONLY_IN_A_TRANSACTION: Final = "†"
OTHERS: Final = "queues, bus, stream"
_MARKED: Final = re.compile(r"(?<=<!-- permissions -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(page: str, judgement: Judgement, stack: Deployed) -> str:
    """The page with the tables of these decisions in their place."""
    tables = f"\n{permissions(judgement, stack)}\n\n{figures(judgement)}\n\n"
    assert _MARKED.search(page), f"{PAGE.name} has no place for the tables"
    return _MARKED.sub(lambda _: tables, page)


def figures(judgement: Judgement) -> str:
    """How many requests were decided, and how."""
    rows = {
        "what functions and Lambda were seen to do": judgement.needed,
        "what none of them needs": judgement.unneeded,
        "altering the ledger, by each role and by an administrator": judgement.alterations,
        "what the ledger's policy leaves to an administrator": judgement.left,
        "what API Gateway and rules invoke and send to": judgement.deliveries,
        "the same from elsewhere": judgement.forged,
        "together": [each for group in judgement for each in group],
    }
    return _table(["requests", "allowed", "denied", "of these explicitly"], (_counted(*row) for row in rows.items()))


def permissions(judgement: Judgement, stack: Deployed) -> str:
    """Each function with what it may do: on the tables, and elsewhere. Its own log group is left out."""
    allowed = [each.request for each in judgement.needed if each.is_allowed]
    places = _places(stack)
    rows = []
    for function in sorted(stack.functions.values(), key=lambda each: each.name):
        own = [each for each in allowed if each.principal == function.role and not each.action.startswith("logs:")]
        cells = [_cell([each for each in own if _place(each, places) == place]) for place in places]
        rows.append([f"`{function.folder}`", *cells])
    return _table(["function", *places.values()], rows)


def _places(stack: Deployed) -> dict[str, str]:
    """The columns by the ARN of their table, or of its indexes; an empty one for all else."""
    tables = stack.of_type(TABLE)
    found = {}
    for name in (each for each in load_root()["Resources"] if each in tables):
        found[stack.arn(name)] = name.removesuffix("Table")
        if "GlobalSecondaryIndexes" in tables[name]:
            found[f"{stack.arn(name)}/index"] = "its indexes"
    return found | {"": OTHERS}


def _place(request: Request, places: dict[str, str]) -> str:
    table, index, _ = request.resource.partition("/index")
    return table + index if table + index in places else ""


def _cell(requests: list[Request]) -> str:
    """The actions, with the kinds of keys where a table has several and the role tells them apart."""
    actions: dict[str, set[str]] = {}
    enclosed: dict[str, bool] = {}
    for each in requests:
        action = each.action.partition(":")[2]
        told_apart = action not in READS_BY_KEY and not set(each.kinds) <= {"row", "TOKEN"}
        actions.setdefault(action, set()).update(each.kinds if told_apart else ())
        enclosed[action] = enclosed.get(action, True) and each.enclosing == "TransactWriteItems"
    return ", ".join(
        action + "".join(f" `{kind}#`" for kind in sorted(kinds)) + f" {ONLY_IN_A_TRANSACTION}" * enclosed[action]
        for action, kinds in sorted(actions.items())
    )


def _counted(name: str, decisions: list[Decision]) -> list[str]:
    allowed = sum(each.is_allowed for each in decisions)
    explicitly = Counter(each.outcome for each in decisions)[DENIED_EXPLICITLY]
    return [name, *(f"{count:,}" for count in (allowed, len(decisions) - allowed, explicitly))]


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
