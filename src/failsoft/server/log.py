"""Structured logs: one JSON object a line, on standard error, without any prompt or answer."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from failsoft.classify.redact import redact
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    CacheLookedUp,
    Event,
    FaultInjected,
    RequestStarted,
    StoreChanged,
)

__all__ = ["LOGGING", "JsonFormatter", "log_event", "log_simulated"]

_log = logging.getLogger("failsoft.events")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_FORMS: dict[type[Event], tuple[str, list[str]]] = {}
_SEVERITIES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
# Those that have a line of their own are among them.
_QUIET = (RequestStarted, AttemptStarted, CacheLookedUp, StoreChanged)

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
        name, fields = _form(type(event))
        told = {field: getattr(event, field) for field in fields}
        if simulated:
            told["simulated"] = True
        # `Logger.log` would look for the line of code it is called from: twice the time.
        record = logging.LogRecord(_log.name, level, "", 0, name, (), None)
        record.fields = told
        _log.handle(record)


def _form(kind: type[Event]) -> tuple[str, list[str]]:
    """The name of an event in a line, and its fields; the line has its own time."""
    form = _FORMS.get(kind)
    if form is None:
        name = _CAPITAL.sub("_", kind.__name__).lower()
        fields = [field for field in kind.__dataclass_fields__ if field != "at"]
        form = _FORMS[kind] = name, fields
    return form


def _level(event: Event) -> int:
    if isinstance(event, AttemptFinished):
        # The line of its request says the same of one that answered.
        return logging.WARNING if event.category else logging.DEBUG
    return logging.DEBUG if isinstance(event, _QUIET) else logging.INFO


class JsonFormatter(logging.Formatter):
    """``time``, ``severity``, ``logger``, ``event`` and its own fields, empty ones left out."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds"),
            "severity": _SEVERITIES.get(record.levelno) or record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", {})
        line |= {name: value for name, value in fields.items() if value not in ("", None, {})}
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return to_json(line, fallback=str, inf_nan_mode="null").decode()
