"""What can go wrong with a model: the names of the faults and the options each of them takes.

A model's behaviour is a list of faults, nothing else: also its latency and its rate limit are
entries of that list. The tables here are the only place where a name is defined; the grammar
(:mod:`.faults`), the acts (:mod:`.acts`) and the documentation follow them, and tests hold them
to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from failsoft.chaos.simulator.latency import Latency

__all__ = ["KINDS", "STATUS", "Fault", "Kind", "kind_of"]

STATUS: Final = "400-599"
_STATUSES: Final = range(400, 600)

_NO_LATENCY: Final = Latency()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
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
        doc="the body ends properly, but too early: no `message_stop`, or half the JSON",
        options=_AFTER_3,
    ),
    "error_body": Kind(doc="200 whose body is an error", options=_ERROR),
    "error_event": Kind(
        doc="an `error` event in a stream; the error's status for a plain request",
        options={**_AFTER_3, **_ERROR},
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
