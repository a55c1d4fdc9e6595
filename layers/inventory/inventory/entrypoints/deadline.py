"""The time that is left of an invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext


def remaining_s(context: LambdaContext) -> Callable[[], float]:
    """Make the function that gives the seconds until Lambda ends the invocation."""
    return lambda: context.get_remaining_time_in_millis() / 1000
