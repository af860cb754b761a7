"""The faults of a simulated model: their names, their options, and how they are written.

    WHAT[@RATE][;OPTION=VALUE]...          529@0.2;retry_after=5;from=10s;for=20s
    MODEL=WHAT[@RATE][;OPTION=VALUE]...    claude-opus-5-5=529@0.2    gpt-*=503    *=hang@0.01

WHAT is a status or a fault's name, RATE the share of requests from 0 to 1, MODEL a model's name, or
its beginning and ``*``.
The grammar is the same on the command line, in TOML and over HTTP. Every error is a
:class:`~failsoft.errors.SettingError` that quotes the fault and says what is allowed.

A model's behaviour is a list of faults: its latency and its rate limit are entries of that list
too. The tables here are the only place where a name is defined; the simulator and the documentation
follow them, and tests compare them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

from failsoft.errors import SettingError

__all__ = [
    "KINDS",
    "OPTIONS",
    "STATUS",
    "Kind",
    "Latency",
    "Option",
    "SimulatedFault",
    "check_model",
    "format_fault",
    "kind_of",
    "parse_assignment",
    "parse_assignments",
    "parse_fault",
    "parse_latency",
    "write_number",
]

_FORM = re.compile(r"(uniform|lognormal)\(([^,()]+),([^,()]+)\)")
_WANTED = "milliseconds (300), uniform(LOW,HIGH) or lognormal(MEDIAN,SIGMA)"


@dataclass(frozen=True, slots=True)
class Latency:
    """``fixed``: ``first`` ms. ``uniform``: from ``first`` to ``second`` ms.

    ``lognormal``: median ``first`` ms, ``second`` the sigma of its logarithm (0.5 is a usual one).
    """

    shape: Literal["fixed", "uniform", "lognormal"] = "fixed"
    first: float = 0.0
    second: float = 0.0

    def draw(self, rng: Random) -> float:
        """One latency in seconds."""
        if self.shape == "uniform":
            return rng.uniform(self.first, self.second) / 1000
        if self.shape == "lognormal":
            return self.first * math.exp(rng.gauss(0, self.second)) / 1000
        return self.first / 1000

    def __str__(self) -> str:
        if self.shape == "fixed":
            return write_number(self.first)
        return f"{self.shape}({write_number(self.first)},{write_number(self.second)})"


def write_number(number: float) -> str:
    """Write a number so that it reads back exactly: 300, 0.5."""
    return repr(number).removesuffix(".0")


def parse_latency(text: str) -> Latency:
    """Read ``300``, ``uniform(50,200)``, ``lognormal(400,0.5)``; ValueError says what is wanted."""
    found = _FORM.fullmatch(text.replace(" ", ""))
    try:
        if found is None:
            return _checked(Latency("fixed", float(text)))
        shape: Literal["uniform", "lognormal"] = "uniform" if found[1] == "uniform" else "lognormal"
        return _checked(Latency(shape, float(found[2]), float(found[3])))
    except ValueError:
        raise ValueError(f"must be {_WANTED}") from None


def _checked(latency: Latency) -> Latency:
    numbers_are_sane = all(0 <= n < math.inf for n in (latency.first, latency.second))
    if not numbers_are_sane or (latency.shape == "uniform" and latency.second < latency.first):
        raise ValueError
    return latency


STATUS: Final = "400-599"
_STATUSES: Final = range(400, 600)

_NO_LATENCY: Final = Latency()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFault:
    """One thing that may happen to a request.

    ``rate`` is the share of requests it strikes. ``starts`` and ``lasts`` are seconds, counted from
    the moment the fault was set. ``after`` counts contents (text, thinking or tool input deltas)
    sent before it strikes. The rest belongs to single kinds; see :data:`KINDS`.
    """

    name: str
    rate: float = 1.0
    starts: float = 0.0
    lasts: float = math.inf
    after: int | None = None
    retry_after: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    code: str | None = None
    message: str | None = None
    type: str = "overloaded_error"
    status: int = 502
    tokens: int | None = None
    per_second: float = 1.0
    burst: int = 1
    bytes: int = 16
    every_ms: float = 50.0
    done: str = "no"
    first_content_ms: Latency = _NO_LATENCY
    between_events_ms: Latency = _NO_LATENCY

    def active(self, age: float) -> bool:
        """Whether its window is open ``age`` seconds after it was set."""
        return self.starts <= age < self.starts + self.lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A fault's meaning in one line, and the options it takes with their defaults."""

    doc: str
    options: Mapping[str, Any] = field(default_factory=dict)


_AFTER_3 = {"after": 3}
_ERROR = {"type": "overloaded_error"}
_REPLY = {"retry_after": None, "header": (), "code": None, "message": None}

KINDS: Final[Mapping[str, Kind]] = {
    STATUS: Kind(doc="the status with the API's own error body for it", options=_REPLY),
    "bad_key": Kind(doc="401, `invalid x-api-key`"),
    "close": Kind(
        doc="the connection is closed (FIN) without the end of the chunked body", options=_AFTER_3
    ),
    "content_filter": Kind(
        doc="400, `Output blocked by content filtering policy`; with `after`, an `error` event "
        "in a stream",
        options={"after": None},
    ),
    "context_limit": Kind(
        doc="400, `prompt is too long`; with `tokens`, only for prompts estimated above it",
        options={"tokens": None},
    ),
    "credit_balance": Kind(doc="400, `Your credit balance is too low`"),
    "cut": Kind(doc="the connection is reset (RST) in the middle of the body", options=_AFTER_3),
    "cut_json": Kind(doc="200 whose JSON breaks off in the middle"),
    "empty": Kind(doc="200 without a body, or a stream without events"),
    "eof": Kind(
        doc="the body ends properly, but too early: no `message_stop` or `finish_reason`, or half "
        "the JSON",
        options={**_AFTER_3, "done": "no"},
    ),
    "error_body": Kind(doc="200 whose body is an error", options=_ERROR),
    "error_event": Kind(
        doc="an `error` event in a stream; the error's status for a plain request",
        options={**_AFTER_3, **_ERROR, "done": "no"},
    ),
    "hang": Kind(doc="nothing is ever answered, the connection stays open"),
    "healthy": Kind(doc="nothing goes wrong: of the faults after it only `latency` counts"),
    "html": Kind(
        doc="an HTML page from something in between; `status` may be 200, too",
        options={"status": 502},
    ),
    "latency": Kind(
        doc="waits before the first content and between events; the faults after it still count",
        options={"first_content_ms": _NO_LATENCY, "between_events_ms": _NO_LATENCY},
    ),
    "pause_turn": Kind(doc="200 with `stop_reason: pause_turn`", options={"after": 10}),
    "ping_only": Kind(
        doc="a stream of pings without content; silence for a plain request",
        options={"every_ms": 1000.0},
    ),
    "rate_limit": Kind(
        doc="an enforced limit (token bucket): 429 with `retry-after` once it is spent, "
        "`anthropic-ratelimit-requests-*` on every reply",
        options={"per_second": 1.0, "burst": 1},
    ),
    "refusal": Kind(doc="200 with `stop_reason: refusal`", options={"after": 0}),
    "reset": Kind(doc="the connection is reset (RST) before any reply"),
    "slow_drip": Kind(
        doc="a good reply, a few bytes at a time", options={"bytes": 16, "every_ms": 50.0}
    ),
    "spend_limit": Kind(doc="429, `enforced_spend_limit_reached`, without `retry-after`"),
    "stall": Kind(doc="the body stops, the connection stays open", options=_AFTER_3),
    "suspended": Kind(doc="400, `organization_on_hold`"),
    "unknown_model": Kind(doc="404 for the model"),
    "usage_limit": Kind(doc="400, `You have reached your specified API usage limits`"),
    "window_exceeded": Kind(
        doc="200 with `stop_reason: model_context_window_exceeded`", options={"after": 10}
    ),
}


def kind_of(name: str) -> Kind | None:
    """The kind of a fault's name (or of a status); None for a name that is none."""
    if name.isdecimal() and name.isascii() and int(name) in _STATUSES:
        return KINDS[STATUS]
    return None if name == STATUS else KINDS.get(name)


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


def _yes_or_no(text: str) -> str:
    if text not in {"yes", "no"}:
        raise ValueError("must be yes or no")
    return text


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError("must be NAME:VALUE")
    return found[1].lower(), found[2].strip()


@dataclass(frozen=True, slots=True)
class Option:
    """An option's field in :class:`.SimulatedFault`, how it is read, and what it means."""

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
    "code": Option(
        "code", _word, "`error.details.error_code` of the body, `error.code` in Chat Completions"
    ),
    "done": Option(
        "done", _yes_or_no, "whether Chat Completions end with `[DONE]` all the same, as vLLM's do"
    ),
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


def parse_fault(text: str, *, where: str = "fault") -> SimulatedFault:
    """Read one fault. ``where`` opens the message of the SettingError that a wrong one raises."""
    return _parse(text, f"{where} {text!r}")


def parse_assignment(text: str) -> tuple[str, SimulatedFault]:
    """Read ``MODEL=FAULT`` into the model (or a beginning and ``*``) and the fault."""
    where = f"--fault {text!r}"
    model, equals, fault = (part.strip() for part in text.partition("="))
    if not (model and equals and fault) or ";" in model:
        raise SettingError(where, "must be MODEL=FAULT, for example 'claude-opus-5-5=529@0.2'")
    check_model(model, where=where)
    return model, _parse(fault, where)


def check_model(model: str, *, where: str) -> None:
    """Raise SettingError if there is a ``*`` in a model's name that is not its end."""
    if "*" in model[:-1]:
        raise SettingError(where, f"* may only end a model's name, as in 'gpt-*'; it is {model!r}")


def parse_assignments(texts: Iterable[str]) -> dict[str, tuple[SimulatedFault, ...]]:
    """Read many ``MODEL=FAULT``; the faults of one model keep their order."""
    faults: dict[str, tuple[SimulatedFault, ...]] = {}
    for text in texts:
        model, fault = parse_assignment(text)
        faults[model] = (*faults.get(model, ()), fault)
    return faults


def _parse(text: str, where: str) -> SimulatedFault:
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
    return SimulatedFault(name=name, rate=_read_rate(rate, where) if at else 1.0, **fields)


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


def format_fault(fault: SimulatedFault) -> str:
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
