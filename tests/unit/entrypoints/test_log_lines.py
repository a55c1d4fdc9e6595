"""The formatter writes what Powertools' own one writes, byte for byte."""

from __future__ import annotations

import logging
from typing import Any, Final
from uuid import UUID

import pytest
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from inventory.entrypoints.log_lines import LineFormatter

KEYS: Final = {"service": "create_adjustment", "sampling_rate": None, "cold_start": True, "function_name": "f"}

EXTRA: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "texts and numbers": {"code": "created", "attempts": 1, "duration_ms": 1.5, "business_id": None},
    "other characters": {"problem": 'quote " and \u00fc, \u2028, \U0001f4a9'},
    "a value without a JSON form": {"id": UUID(int=7)},
    "nested": {"where": {"key": ["a", 1, None]}},
    "a key of the context": {"service": "another", "cold_start": None},
    "what Powertools fills in": {"exception": "given", "stack_trace": None, "xray_trace_id": "given"},
}


def record(message: str = "adjustment created", *args: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("create", logging.INFO, "telemetry.py", 7, message, args, exc_info, "report_outcome")


def assert_same_line(made: logging.LogRecord) -> None:
    ours, theirs = LineFormatter(), LambdaPowertoolsFormatter(**KEYS)  # type: ignore[arg-type]
    ours.append_keys(**KEYS)
    for _ in range(2):
        assert ours.format(made) == theirs.format(made)
        for formatter in (ours, theirs):
            formatter.clear_state()
            formatter.append_keys(**KEYS, message_id="m-1")


@pytest.mark.parametrize("trace", ["", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"], ids=["", "trace"])
@pytest.mark.parametrize("extra", EXTRA.values(), ids=EXTRA)
def test_the_line_is_the_one_of_powertools(extra: dict[str, Any], trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    made = record()
    made.__dict__.update(extra)

    assert_same_line(made)


def test_so_is_the_line_of_a_record_with_arguments() -> None:
    assert_same_line(record("%s rows", 3))


def test_so_is_the_line_of_an_exception() -> None:
    with pytest.raises(ValueError, match="could not convert") as caught:
        float("not a number")

    assert_same_line(record(error=caught.value))
