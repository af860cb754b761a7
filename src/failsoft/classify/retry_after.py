"""How long the provider asked us to wait, in seconds.

``retry-after-ms`` > ``retry-after`` > the latest reset of a limit that its own header says is
exhausted > a delay in the body > a sentence of the message. The longest of repeated headers counts.

Each may be decimal seconds, a duration (``6m0s``, ``15ms``), an HTTP date, an RFC 3339 time, or
seconds or milliseconds since the epoch (10 or 13 digits). A ``retry-after`` in the past is 0, a
reset in the past says nothing; negative and unreadable values are ignored, and so are the resets of
a limit of 0 or less. Times are measured against the reply's own ``Date``, so that a wrong clock
here does not matter; ``now`` (seconds since the epoch) is used only where the reply has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

__all__ = [
    "LIMIT_PREFIXES",
    "body_wait",
    "exhausted_resets",
    "exhausted_wait",
    "header_wait",
    "message_wait",
    "sentence_wait",
]

LIMIT_PREFIXES: Final = (
    "anthropic-ratelimit-",
    "x-ratelimit-",
    "ratelimit-",
    "ratelimitbysize-",
)
"""What the headers of a limit begin with, in lower case."""

_LONGEST: Final = 366 * 86_400.0
"""A stated wait beyond a year is a mistake of the sender's and is ignored like other rubbish."""

_DECIMAL = re.compile(r"\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}", re.ASCII)
_EPOCH = re.compile(r"[1-9]\d{9}(?:\.\d{0,9})?", re.ASCII)
_EPOCH_MS = re.compile(r"[1-9]\d{12}", re.ASCII)
_UNITS: Final = {
    "d": 86_400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_PIECE = re.compile(r"(\d{1,15}(?:\.\d{0,15})?)(ms|us|µs|ns|[dhms])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PIECE.pattern}){{1,8}}", re.ASCII)
_LIMIT_STATE = re.compile(r"-(remaining|status)(?=-|$)")
_COMMA = re.compile(r"(?<!day)(?<!Sun)(?<!Mon)(?<!Tue)(?<!Wed)(?<!Thu)(?<!Fri)(?<!Sat),")
"""Between repeated headers; a comma after the name of a day is of an HTTP date."""

_ACCESS_DATE = re.compile(
    r"(?i)(?:access|reset|resume|renew|again|until|after)\w*[^\d]{0,20}"
    r"(\d{4}-\d\d-\d\d)(?:(?:\s+at\s+|[t ])(\d\d:\d\d(?::\d\d)?))?"
)
_SENTENCE = re.compile(
    r"\b(?:retry|try again|wait)(?: (?:about|after|at least|for|in)){0,2} (\d[\d.]{0,15})"
    r"(?: ?(millisecond|second|sec|minute|min|hour)s?\b|((?:[dhms]|ms)(?![a-z])[\d.dhms]{0,30}))",
    re.IGNORECASE | re.ASCII,
)


def header_wait(headers: Mapping[str, str], *, now: float) -> float | None:
    """``retry-after-ms``, else ``retry-after``; header names are lower case."""
    several = (_decimal(value) for value in headers.get("retry-after-ms", "").split(","))
    milliseconds = _longest(several)
    if milliseconds is not None:
        return _sane(milliseconds / 1000)
    values = _COMMA.split(headers.get("retry-after", ""))
    return _longest(_read(value, headers, now) for value in values)


def exhausted_wait(headers: Mapping[str, str], *, now: float) -> float | None:
    """The latest reset among the limits that are exhausted; header names are lower case."""
    values = [headers.get(name, "") for name in exhausted_resets(headers)]
    return _longest(_read(value, headers, now) for value in values) or None


def exhausted_resets(headers: Mapping[str, str]) -> Iterator[str]:
    """The headers that name the resets of the limits of which nothing remains."""
    for name, value in headers.items():
        if not name.startswith(LIMIT_PREFIXES):  # which most are not
            continue
        state = _LIMIT_STATE.search(name)
        if state is None:
            continue
        before, after = name[: state.start()], name[state.end() :]
        spent = value.strip() == "rejected" if state[1] == "status" else _decimal(value) == 0
        if spent and _is_limit(headers.get(f"{before}-limit{after}", "")):
            yield f"{before}-reset{after}"


def _is_limit(value: str) -> bool:
    """Whether something is limited: Azure says 0 and -1 of what it does not measure."""
    return not value.startswith("-") and _decimal(value) != 0


def body_wait(delay: str) -> float | None:
    """A delay that a body names as such, a duration (``45.8s``); 0 says nothing."""
    return _sane(_duration(delay)) or None


def sentence_wait(message: str) -> float | None:
    """The wait in "Please retry after 37 seconds", "try again in 6m0s" and the like."""
    match = _SENTENCE.search(message)
    if match is None:
        return None
    number, unit, more = match.groups()
    if unit is None:
        return body_wait(f"{number}{more.rstrip('.')}")
    unit = unit.lower()
    return body_wait(f"{number}{'ms' if unit == 'millisecond' else unit[0]}")


def message_wait(message: str, headers: Mapping[str, str], *, now: float) -> float | None:
    """The date in "You will regain access on 2026-12-01 at 00:00 UTC." and the like."""
    match = _ACCESS_DATE.search(message)
    if match is None:
        return None
    return _until(_rfc3339(f"{match[1]}T{match[2] or '00:00'}Z"), headers, now)


def _read(text: str, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that one value stands for, whatever its form."""
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return _until(float(text), headers, now)
    if _EPOCH_MS.fullmatch(text):
        return _until(float(text) / 1000, headers, now)
    seconds = _decimal(text)
    if seconds is None:
        seconds = _duration(text)
    if seconds is not None:
        return _sane(seconds)
    moment = _http_date(text)
    return _until(_rfc3339(text) if moment is None else moment, headers, now)


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


def _decimal(text: str) -> float | None:
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def _duration(text: str) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(text))


def _sane(seconds: float | None) -> float | None:
    fits = seconds is not None and isfinite(seconds) and seconds <= _LONGEST
    return seconds if fits else None


def _until(moment: float | None, headers: Mapping[str, str], now: float) -> float | None:
    if moment is None:
        return None
    here = _http_date(headers.get("date", ""))
    return _sane(max(0.0, moment - (now if here is None else here)))


def _http_date(text: str) -> float | None:
    if not text[:1].isalpha():  # every form of RFC 9110 begins with the day's name
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _rfc3339(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
