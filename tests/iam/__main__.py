"""`make iam`: decide everything once more, say what is wrong, and write the tables of docs/security.md."""

from __future__ import annotations

import sys

from tests.iam.deployed import deployed
from tests.iam.judgement import judge, needed_by
from tests.iam.matrix import PAGE, figures, written
from tests.iam.samples import recorded


def main() -> int:
    """Write the page if all is as it should be."""
    stack = deployed()
    judgement = judge(stack, needed_by(recorded().calls, stack))
    sys.stdout.write(f"{figures(judgement)}\n")
    problems = [*judgement.problems, *(f"{each.__name__} goes wrong" for each in recorded().wrong)]
    if problems:
        sys.stderr.writelines(f"{each}\n" for each in problems)
        return 1
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), judgement, stack), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
