"""The grammar of a fault, the same on the command line, in TOML and over HTTP.

    WHAT[@RATE][;OPTION=VALUE]...          529@0.2;retry_after=5;from=10s;for=20s
    MODEL=WHAT[@RATE][;OPTION=VALUE]...    claude-opus-5-5=529@0.2    *=latency;first_content_ms=800

WHAT is a status or a fault's name, RATE the share of requests from 0 to 1, MODEL a model or ``*``.
Every error is a :class:`~failsoft.errors.SettingError` that quotes the fault and says what is
allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from failsoft.chaos.simulator.behaviour import KINDS, STATUS, Fault, Kind, kind_of
from failsoft.chaos.simulator.latency import parse_latency, write_number
from failsoft.errors import SettingError

__all__ = [
    "OPTIONS",
    "Option",
    "format_fault",
    "parse_assignment",
    "parse_assignments",
    "parse_fault",
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)(ms|s|m)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_HEADER = re.compile(r"([A-Za-z0-9-]+):\s*([\x20-\x7e]*)")


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("must be a duration such as 20s, 500ms or 2m")
    return float(found[1]) * _UNITS[found[2]]


def _whole(low: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isdecimal() and text.isascii()) or int(text) < low:
            raise ValueError(f"must be a whole number, {low} or more")
        return int(text)

    return read


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("must be a number above 0")
    return number


def _page_status(text: str) -> int:
    if text not in {"200", *(str(status) for status in range(400, 600))}:
        raise ValueError("must be 200 or a status from 400 to 599")
    return int(text)


def _word(text: str) -> str:
    if not re.fullmatch(r"\w+", text, re.ASCII):
        raise ValueError("must be one word of letters, digits and underscores")
    return text


def _line(text: str) -> str:
    if not text.isprintable() or not text:
        raise ValueError("must be some printable text")
    return text


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError("must be NAME:VALUE")
    return found[1].lower(), found[2].strip()


@dataclass(frozen=True, slots=True)
class Option:
    """An option's field in :class:`.Fault`, how it is read, and its meaning in one line."""

    field: str
    read: Callable[[str], Any]
    doc: str


OPTIONS: Final[dict[str, Option]] = {
    "from": Option("starts", _duration, "when the fault begins, after it was set"),
    "for": Option("lasts", _duration, "how long it goes on; without it, for ever"),
    "after": Option("after", _whole(0), "contents sent before it strikes"),
    "between_events_ms": Option(
        "between_events_ms", parse_latency, "wait between two contents, in milliseconds"
    ),
    "burst": Option("burst", _whole(1), "requests that may come at once"),
    "bytes": Option("bytes", _whole(1), "bytes in a piece"),
    "code": Option("code", _word, "`error.details.error_code` of the body"),
    "every_ms": Option("every_ms", _positive, "milliseconds between two pieces or pings"),
    "first_content_ms": Option(
        "first_content_ms", parse_latency, "wait before anything is sent, in milliseconds"
    ),
    "header": Option("headers", _header, "a reply header `NAME:VALUE`; may be repeated"),
    "message": Option("message", _line, "`error.message` of the body"),
    "per_second": Option("per_second", _positive, "requests a second that the limit allows"),
    "retry_after": Option("retry_after", _duration, "seconds in the `retry-after` header"),
    "status": Option("status", _page_status, "status of the page"),
    "tokens": Option("tokens", _whole(1), "the largest prompt that is let through"),
    "type": Option("type", _word, "`error.type`"),
}
_ALWAYS = ("from", "for")


def parse_fault(text: str, *, where: str = "fault") -> Fault:
    """Read one fault. ``where`` opens the message of the SettingError that a wrong one raises."""
    return _parse(text, f"{where} {text!r}")


def parse_assignment(text: str) -> tuple[str, Fault]:
    """Read ``MODEL=FAULT`` into the model (or ``*``) and the fault."""
    where = f"--fault {text!r}"
    model, equals, fault = (part.strip() for part in text.partition("="))
    if not (model and equals and fault) or ";" in model:
        raise SettingError(where, "must be MODEL=FAULT, for example 'claude-opus-5-5=529@0.2'")
    return model, _parse(fault, where)


def parse_assignments(texts: Iterable[str]) -> dict[str, tuple[Fault, ...]]:
    """Read many ``MODEL=FAULT``; the faults of one model keep their order."""
    faults: dict[str, tuple[Fault, ...]] = {}
    for text in texts:
        model, fault = parse_assignment(text)
        faults[model] = (*faults.get(model, ()), fault)
    return faults


def _parse(text: str, where: str) -> Fault:
    head, *options = (part.strip() for part in text.split(";"))
    name, at, rate = head.partition("@")
    kind = kind_of(name)
    if kind is None:
        names = ", ".join(known for known in KINDS if known != STATUS)
        raise SettingError(
            where, f"{name!r} is no fault: give a status from 400 to 599 or one of {names}"
        )
    fields: dict[str, Any] = {OPTIONS[o].field: value for o, value in kind.options.items()}
    fields |= _read_options(options, kind, name, where)
    return Fault(name=name, rate=_read_rate(rate, where) if at else 1.0, **fields)


def _read_rate(text: str, where: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= 1:
        raise SettingError(where, f"the rate after @ must be a number from 0 to 1; it is {text!r}")
    return rate


def _read_options(options: list[str], kind: Kind, name: str, where: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for text in options:
        key, _, value = (part.strip() for part in text.partition("="))
        if key not in kind.options and key not in _ALWAYS:
            allowed = ", ".join((*kind.options, *_ALWAYS))
            raise SettingError(where, f"{name} has no option {key!r}; it takes {allowed}")
        option = OPTIONS[key]
        try:
            read = option.read(value)
        except ValueError as error:
            raise SettingError(where, f"option {key} {error}; it is {value!r}") from None
        if key == "header":
            read = (*fields.get(option.field, ()), read)
        elif option.field in fields:
            raise SettingError(where, f"option {key} is given twice")
        fields[option.field] = read
    return fields


def format_fault(fault: Fault) -> str:
    """Write a fault in the grammar above; :func:`parse_fault` reads it back to an equal one."""
    kind = kind_of(fault.name)
    known = kind.options if kind else {}
    defaults = {"from": 0.0, "for": math.inf, **known}
    parts = [fault.name if fault.rate == 1 else f"{fault.name}@{write_number(fault.rate)}"]
    for key, default in defaults.items():
        value = getattr(fault, OPTIONS[key].field)
        if key == "header":
            parts += (f"header={name}:{text}" for name, text in value)
        elif value != default:
            parts.append(f"{key}={_written(value)}")
    return ";".join(parts)


def _written(value: Any) -> str:
    return write_number(value) if isinstance(value, float) else str(value)
