"""Structured logs: one JSON object a line, on standard error, without any prompt or answer."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from threading import get_ident
from typing import Any, NamedTuple

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
_SEVERITIES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
# Some have a line of their own: that of its request says the same of an attempt that answered.
_QUIET = (RequestStarted, AttemptStarted, AttemptFinished, CacheLookedUp, StoreChanged)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "failsoft.server.logging.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"failsoft": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
}


def log_event(event: Event, *, simulated: bool = False) -> None:
    """Log one event of the engine; a subscriber."""
    form = _FORMS.get(type(event)) or _form(type(event))
    level = form.level
    if isinstance(event, AttemptFinished) and event.category:
        level = logging.WARNING
    if _log.isEnabledFor(level):
        told = dict(zip(form.fields, form.values(event), strict=True))
        if simulated or isinstance(event, FaultInjected):
            told["simulated"] = True
        _log.handle(_record(form.name, level, event.at, told))


def log_simulated(event: Event) -> None:
    """Log one event of what goes wrong on purpose, marked as that; a subscriber."""
    log_event(event, simulated=True)


def _record(name: str, level: int, at: float, told: Mapping[str, Any]) -> logging.LogRecord:
    """What ``Logger.makeRecord`` makes, in half the time: most of it is always the same."""
    common = _common(name, level, get_ident(), os.getpid())
    record = object.__new__(logging.LogRecord)
    record.__dict__ = own = common.copy()
    own["relativeCreated"] += (at - own["created"]) * 1000
    own["created"] = at
    own["msecs"] = float(int(at % 1 * 1000))
    own["fields"] = told
    return record


@lru_cache(100)
def _common(name: str, level: int, _thread: int, _process: int) -> dict[str, Any]:
    """What the records of one event have in common, in one thread of one process."""
    return vars(logging.LogRecord(_log.name, level, "", 0, name, (), None))


class _Form(NamedTuple):
    """How the events of one type are logged."""

    name: str
    level: int
    fields: tuple[str, ...]
    values: Callable[[Event], tuple[Any, ...]]


_FORMS: dict[type[Event], _Form] = {}


def _form(kind: type[Event]) -> _Form:
    fields = tuple(field for field in kind.__dataclass_fields__ if field != "at")
    form = _FORMS[kind] = _Form(
        name=_CAPITAL.sub("_", kind.__name__).lower(),
        level=logging.DEBUG if kind in _QUIET else logging.INFO,
        fields=fields,  # ``at`` is the line's own time
        values=attrgetter(*fields),
    )
    return form


class JsonFormatter(logging.Formatter):
    """``time``, ``severity``, ``logger``, ``event`` and its own fields, empty ones left out."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03}+00:00",
            "severity": _SEVERITIES.get(record.levelno) or record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in fields.items() if value or value == 0}
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return to_json(line, fallback=str, inf_nan_mode="null").decode()


@lru_cache(2)
def _second(at: int) -> str:
    """A second since the epoch as it is written; most lines are of the same as the one before."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"
