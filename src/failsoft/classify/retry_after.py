"""How long the provider asked us to wait, in seconds.

``retry-after-ms`` > ``retry-after`` (seconds, decimal seconds or an HTTP date) > the latest reset
of a limit that its own header says is exhausted. A date in the past is 0; rubbish and negative
values are ignored. Dates are measured against the reply's own ``Date``, so that a wrong clock here
does not matter; ``now`` (seconds since the epoch) is used only where the reply has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final

from failsoft.classify.evidence import LIMIT_PREFIX

__all__ = ["exhausted_limits", "exhausted_wait", "header_wait", "message_wait"]

_LONGEST: Final = 366 * 86_400.0
"""A stated wait beyond a year is a mistake of the sender's and is ignored like other rubbish."""

_DECIMAL = re.compile(r"\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}", re.ASCII)
_LIMIT_HEADER = re.compile(LIMIT_PREFIX + r"(.+)-remaining")
_ACCESS_DATE = re.compile(
    r"(?i)(?:access|reset|resume|renew|again|until|after)\w*[^\d]{0,20}"
    r"(\d{4}-\d\d-\d\d)(?:(?:\s+at\s+|[t ])(\d\d:\d\d(?::\d\d)?))?"
)


def header_wait(headers: Mapping[str, str], *, now: float) -> float | None:
    """``retry-after-ms``, else ``retry-after``; header names are lower case."""
    milliseconds = _decimal(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _sane(milliseconds / 1000)
    value = headers.get("retry-after", "").strip()
    seconds = _decimal(value)
    if seconds is not None:
        return _sane(seconds)
    return _until(_http_date(value), headers, now)


def exhausted_wait(headers: Mapping[str, str], *, now: float) -> float | None:
    """The latest RFC 3339 reset among the limits that are exhausted; names are lower case."""
    names = (f"anthropic-ratelimit-{name}-reset" for name in exhausted_limits(headers))
    waits = [_until(_rfc3339(headers.get(name, "")), headers, now) for name in names]
    return max((wait for wait in waits if wait is not None), default=None)


def exhausted_limits(headers: Mapping[str, str]) -> Iterator[str]:
    """The limits (``requests``, ``input-tokens`` …) of which nothing remains."""
    for name, value in headers.items():
        if not name.startswith(LIMIT_PREFIX):  # which most are not
            continue
        match = _LIMIT_HEADER.fullmatch(name)
        if match and _decimal(value) == 0:
            yield match[1]


def message_wait(message: str, headers: Mapping[str, str], *, now: float) -> float | None:
    """The date in "You will regain access on 2026-12-01 at 00:00 UTC." and the like."""
    match = _ACCESS_DATE.search(message)
    if match is None:
        return None
    return _until(_rfc3339(f"{match[1]}T{match[2] or '00:00'}Z"), headers, now)


def _decimal(text: str) -> float | None:
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def _sane(seconds: float) -> float | None:
    return seconds if isfinite(seconds) and seconds <= _LONGEST else None


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
