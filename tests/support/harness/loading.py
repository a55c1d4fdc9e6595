"""Handlers as Lambda runs them: every module is called handler.py, so each is loaded by its path under its own name."""

from __future__ import annotations

import importlib.util
import json
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    import pytest

ROOT = Path(__file__).parents[3]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


def load_handler(name: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    """Import functions/<name>/handler.py again, as a cold start with this environment would."""
    _forget_logger(name)
    for variable, value in (CREDENTIALS | {"POWERTOOLS_SERVICE_NAME": name} | environment).items():
        monkeypatch.setenv(variable, value)
    return load_by_path(ROOT / "functions" / name / "handler.py", f"handlers.{name}")


def _forget_logger(service: str) -> None:
    """Powertools keeps a service's logger, with an earlier test's stdout, and a filter for it on each root handler."""
    logging.root.manager.loggerDict.pop(service, None)
    for handler in logging.root.handlers:
        handler.filters = [each for each in handler.filters if getattr(each, "logger", None) != service]


def load_by_path(path: Path, name: str | None = None) -> ModuleType:
    """Import a file that is on no import path."""
    spec = importlib.util.spec_from_file_location(name or path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_event(name: str) -> Any:
    """Read events/<name>.json."""
    return json.loads(_event_text(name))


@cache
def _event_text(name: str) -> str:
    return (ROOT / "events" / f"{name}.json").read_text()


@dataclass
class Context:
    """A LambdaContext, as far as handlers and Powertools read one."""

    remaining_ms: int = 10_000
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:000000000000:function:function"
    aws_request_id: str = "11111111-2222-4333-8444-555555555555"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms
