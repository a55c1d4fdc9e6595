"""Invocations without a Lambda function around them."""

from __future__ import annotations

from typing import Any, cast

from inventory.entrypoints.telemetry import Invocation
from tests.support.harness.loading import Context


def an_invocation() -> Invocation:
    """An invocation that logs and counts nothing."""
    return Invocation(cast("Any", Context()), cast("Any", None), cast("Any", None), clock_s=lambda: 0.0)
