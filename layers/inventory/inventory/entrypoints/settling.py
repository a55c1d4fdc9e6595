"""How an operators' command is repeated until it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.domain.errors import Refusal, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.retry_budget import RetryBudget


def settled[T](budget: RetryBudget, attempt: Callable[[], T | None]) -> T:
    """Repeat an attempt to read, decide and write, as long as it gives None because another writer was faster.

    An attempt without an answer may still be applied. After one, an error that is no refusal (a missing permission, for
    example) does not say that the command failed.

    Raises:
        StoreUnavailable: not settled in time.
    """
    outcome_is_unknown = False

    def answered() -> T | None:
        nonlocal outcome_is_unknown
        try:
            return attempt()
        except StoreUnavailable:
            outcome_is_unknown = True
            raise
        except Refusal:
            raise
        except Exception as error:
            if outcome_is_unknown:
                raise StoreUnavailable from error
            raise

    while (answer := budget.retry(answered)) is None:
        budget.next_attempt()
    return answer
