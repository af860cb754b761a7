"""Structured logs: one JSON object a line, on standard error, without any prompt or answer."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from failsoft.classify.redact import redact
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    CacheLookedUp,
    Event,
    FaultInjected,
    RequestStarted,
)

__all__ = ["LOGGING", "JsonFormatter", "log_event", "log_simulated"]

_log = logging.getLogger("failsoft.events")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_QUIET = (RequestStarted, AttemptStarted, CacheLookedUp)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "failsoft.server.log.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"failsoft": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
}


def log_event(event: Event) -> None:
    """Log one event of the engine; a subscriber."""
    _write(event, simulated=isinstance(event, FaultInjected))


def log_simulated(event: Event) -> None:
    """Log one event of what goes wrong on purpose, marked as that; a subscriber."""
    _write(event, simulated=True)


def _write(event: Event, *, simulated: bool) -> None:
    level = _level(event)
    if _log.isEnabledFor(level):
        name = _CAPITAL.sub("_", type(event).__name__).lower()
        # The line has its own time.
        names = (field for field in event.__dataclass_fields__ if field != "at")
        told = {name: getattr(event, name) for name in names}
        if simulated:
            told["simulated"] = True
        _log.log(level, name, extra={"fields": told})


def _level(event: Event) -> int:
    if isinstance(event, AttemptFinished) and event.category:
        return logging.WARNING
    return logging.DEBUG if isinstance(event, _QUIET) else logging.INFO


class JsonFormatter(logging.Formatter):
    """``time``, ``severity``, ``logger``, ``event`` and its own fields, empty ones left out."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "severity": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", {})
        line |= {name: value for name, value in fields.items() if value not in ("", None, {})}
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, default=str)
