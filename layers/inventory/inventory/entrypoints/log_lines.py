"""The log lines of the service: byte for byte those of Powertools' own formatter, made with less work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import RESERVED_LOG_ATTRS, LambdaPowertoolsFormatter

if TYPE_CHECKING:
    from logging import LogRecord

_OF_EVERY_RECORD: Final = frozenset(RESERVED_LOG_ATTRS)


class LineFormatter(LambdaPowertoolsFormatter):
    """Powertools' formatter for messages that are constant texts of this service, and are no JSON.

    Powertools looks each attribute of a record up in a tuple, tries to parse each message as JSON, and makes an encoder
    for each line. A record with arguments or an exception goes to it unchanged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.json_serializer = json.JSONEncoder(
            ensure_ascii=False, separators=(",", ":"), indent=self.json_indent, default=self.json_default
        ).encode

    def format(self, record: LogRecord) -> str:
        """Write the line of a record."""
        if record.args or record.exc_info:
            return super().format(record)
        line = self.log_format | {
            "level": record.levelname,
            "location": f"{record.funcName}:{record.lineno}",
            "message": record.msg,
            "timestamp": self.formatTime(record),
        }
        for name, value in record.__dict__.items():
            if name not in _OF_EVERY_RECORD:
                line[name] = value
        line["xray_trace_id"] = self._get_latest_trace_id()
        return self.serialize({name: value for name, value in line.items() if value is not None})


def line_logger() -> Logger:
    """Make the logger of a function."""
    return Logger(logger_formatter=LineFormatter())
