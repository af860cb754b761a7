"""Classifies one failure into one verdict.

Evidence is believed in this order: the provider's code → its type → its message (only where there
is no code) → the HTTP status (a 200 says nothing) → the chain of causes → unknown. Cancellation
comes before all of it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import time
from math import isfinite
from typing import Final

from failsoft.classify.bodies import Shape
from failsoft.classify.evidence import Evidence, gather
from failsoft.classify.exceptions import Cause, read_causes, words_of
from failsoft.classify.http_codes import PROVIDERS, RAW_HTTP
from failsoft.classify.redact import redact
from failsoft.classify.retry_after import (
    body_wait,
    exhausted_resets,
    exhausted_wait,
    header_wait,
    message_wait,
    sentence_wait,
)
from failsoft.classify.truth_table import ROWS, Table, TruthRow, WaitSource, verdict_for
from failsoft.classify.untrusted import HOSTILE, attribute
from failsoft.classify.verdict import Sent, Verdict

__all__ = ["classify", "decide", "is_cancellation", "table_for"]


_NO_REPLY: Final = (Shape.EMPTY, Shape.OTHER)
_REDIRECT, _BAD_REQUEST, _SERVER_ERROR = 300, 400, 500
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FORBIDDEN: Final = 403
_REFUSED: Final = frozenset({401, _FORBIDDEN})
_PAYMENT, _NOT_FOUND, _TIMEOUT, _TOO_MANY = 402, 404, 408, 429
_IN_FLIGHT = re.compile(r"(?i)in[-_ ]?flight|concurren|simultaneous|rate[-_ ]?limit")
_BY_THE_DAY = re.compile(r"(?i)per_?(?:day|week|month)|daily_?limit")


def table_for(provider: object) -> Table:
    """The provider's table; that of raw HTTP for a provider without one."""
    return PROVIDERS.get(provider, RAW_HTTP) if isinstance(provider, str) else RAW_HTTP


def decide(evidence: Evidence, table: Table) -> Cause:
    """The row that the evidence leads to; ``unsent`` is known only where causes decided."""
    if evidence.body.shape is Shape.MESSAGE and evidence.error_status is None:
        return Cause(_by_stop(evidence, table))
    status = _status(evidence, table)
    row = (
        _by_limit(evidence, table, status)
        or _by_code(evidence, table, status)
        or _by_message(evidence, table, status)
        or _by_status(evidence, table, status)
    )
    if row is not None:
        return Cause(row)
    return read_causes(evidence.links) or Cause(_by_shape(evidence))


def _by_stop(evidence: Evidence, table: Table) -> str:
    if not evidence.body.stop:
        return "stream_cut"  # an SDK's own account of a stream that just ended
    # A stop reason that is new to us ends an answer that came whole: no failure.
    return table.stops.get(evidence.body.stop, "success")


def _status(evidence: Evidence, table: Table) -> int | None:
    """The status that the type stands for, or the wire's where that is the finer of the two."""
    wire = evidence.error_status
    original = evidence.body.original
    if original is not None and (original >= _SERVER_ERROR or original in (_TIMEOUT, _TOO_MANY)):
        return original  # what the model itself said; its other refusals are not ours to mend
    said = _typed(evidence, table)
    if said is None or wire is None:
        return said or wire
    finer = said in (_BAD_REQUEST, _SERVER_ERROR) and said // 100 == wire // 100
    return wire if finer else said


def _typed(evidence: Evidence, table: Table) -> int | None:
    statuses = (table.types[name] for name in evidence.names if name in table.types)
    return next(statuses, None)


def _by_limit(evidence: Evidence, table: Table, status: int | None) -> str | None:
    """Limits whose status says the opposite of what they are."""
    body = evidence.body
    if status == _TOO_MANY and any(map(_BY_THE_DAY.search, body.quotas)):
        return "billing"
    spent = any(table.codes.get(name) == "billing" for name in evidence.names)
    if status != _PAYMENT or spent or header_wait(evidence.headers, now=0.0) is None:
        return None
    in_flight = any(map(_IN_FLIGHT.search, (*evidence.names, _readable_message(evidence))))
    return "rate_limited" if in_flight else None


def _by_code(evidence: Evidence, table: Table, status: int | None) -> str | None:
    names = evidence.names
    for name in names:
        if name in table.codes:
            return table.codes[name]
    for entry in table.code_patterns:
        if not entry.statuses or (status or _BAD_REQUEST) in entry.statuses:
            for name in names:
                if name not in table.types and entry.pattern.search(name):
                    return entry.row
    return None


def _by_message(evidence: Evidence, table: Table, status: int | None) -> str | None:
    if any(code not in table.types for code in evidence.body.codes):
        return None
    message = _readable_message(evidence)
    for sentence in table.sentences:
        if status in (None, *sentence.statuses) and sentence.pattern.search(message):
            return sentence.row
    return None


def _readable_message(evidence: Evidence) -> str:
    """An error's own words. Pages, and what stands for an answer under a 200, may say anything."""
    shape = evidence.body.shape
    answer = shape is Shape.OTHER and evidence.replied and evidence.error_status is None
    return "" if answer or shape is Shape.HTML else evidence.body.message


def _by_status(evidence: Evidence, table: Table, status: int | None) -> str | None:
    if status is None:
        return None
    if status in _REFUSED and _is_page(evidence, status):
        return "edge"  # a CDN's challenge, a portal: the API itself speaks JSON
    if status == _NOT_FOUND and evidence.body.param == "model":
        return "model_unavailable"
    broken = status >= _SERVER_ERROR and evidence.body.shape in (Shape.EMPTY, Shape.HTML)
    return table.statuses.get(status) or ("server_error" if broken else None)


def _is_page(evidence: Evidence, status: int | None) -> bool:
    """HTML; as the body of a 403 also words that are no JSON ("error code: 1020")."""
    shape, of_reply = evidence.body.shape, evidence.replied or bool(evidence.links)
    words = of_reply and shape is Shape.OTHER and bool(evidence.body.message)
    return shape is Shape.HTML or (words and status == _FORBIDDEN)


def _by_shape(evidence: Evidence) -> str:
    """Nothing is known but, perhaps, that a 200 held no reply, or that a redirect stood."""
    status = evidence.error_status or evidence.status
    if status in _REDIRECTS:
        return "connection_setup"
    if status is None or status < _REDIRECT:
        if evidence.in_stream and evidence.body.nameless:
            return "server_error"  # the request was accepted, and then the provider failed
        page = evidence.body.shape is Shape.HTML
        none = status is not None and evidence.body.shape in _NO_REPLY
        return "bad_reply" if evidence.replied and (page or none) else "unknown"
    return "unknown" if status >= _SERVER_ERROR else "unknown_status"


_CANCELLED = (
    asyncio.CancelledError,
    concurrent.futures.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
)
_CANCELLED_NAMES = frozenset({"Cancelled", "ClientDisconnect", "ClientDisconnected"})
_DETAIL_LIMIT: Final = 500
_WORDS_LIMIT: Final = 1_000
_INVISIBLE = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+"
)


def classify(failure: object, *, provider: str = "http", now: float | None = None) -> Verdict:
    """Say what a failure is and what may be done about it.

    ``failure`` may be anything: a :class:`~failsoft.classify.wire_errors.WireFailure`, an exception
    of an SDK, of a transport or of Python, a reply, a body, a message, a text. ``provider`` selects
    the vocabulary: the name of a preset (``"anthropic"``, ``"openai"``, ``"bedrock"`` …); any other
    name is read as raw HTTP. ``now`` is in seconds since the epoch, the time of the call by
    default, and serves for dates in a reply that has no ``Date`` of its own.

    Pure where ``now`` is given, and total: it raises nothing, whatever it is given. What is no
    failure (a cancellation, a complete message) gets the reason ``cancelled`` or ``success``, and
    nothing is allowed. An error of failsoft's own that carries a verdict gives that verdict back.

    >>> body = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    >>> str(classify(body, provider="anthropic"))
    'transient · overloaded'
    """
    at = time.time() if now is None else now
    try:
        return _verdict(failure, provider, at if isfinite(at) else 0.0)
    except HOSTILE:
        return verdict_for("unknown", internal_detail=_named(failure))


def is_cancellation(failure: object) -> bool:
    """Whether this is no failure at all but a wish to stop: it must be let through.

    >>> is_cancellation(KeyboardInterrupt()), is_cancellation(TimeoutError())
    (True, False)
    """
    return classify(failure, provider="http", now=0.0).reason == "cancelled"


def _verdict(failure: object, provider: str, now: float) -> Verdict:
    if isinstance(failure, BaseException):
        if _cancelled(failure):
            return verdict_for("cancelled", internal_detail=_named(failure))
        carried = attribute(failure, "verdict")
        if isinstance(carried, Verdict):
            return carried
    evidence = gather(failure)
    found = decide(evidence, table_for(provider))
    row = ROWS[_limit(evidence, now) if found.row == "rate_limited" else found.row]
    return verdict_for(
        row.name,
        wait_seconds=_wait(row, evidence, now),
        sent=Sent.NO if found.unsent or _rejected(row, evidence) else Sent.MAYBE,
        http_status=evidence.status,
        provider_request_id=evidence.request_id,
        internal_detail=_detail(evidence),
    )


def _cancelled(failure: BaseException) -> bool:
    if isinstance(failure, BaseExceptionGroup):
        return all(_cancelled(member) for member in failure.exceptions)
    return isinstance(failure, _CANCELLED) or type(failure).__name__ in _CANCELLED_NAMES


def _limit(evidence: Evidence, now: float) -> str:
    """Which limit it was; the plain row where the provider named no wait."""
    if _stated(evidence, now) is None:
        return "rate_limited"
    told = (*exhausted_resets(evidence.headers), *evidence.body.types, evidence.body.message)
    return "tokens" if any("tokens" in words for words in told) else "requests"


def _asked(evidence: Evidence, now: float) -> float | None:
    """The wait that a header or the body names as such."""
    wait = header_wait(evidence.headers, now=now)
    return body_wait(evidence.body.delay) if wait is None else wait


def _stated(evidence: Evidence, now: float) -> float | None:
    wait = header_wait(evidence.headers, now=now)
    if wait is None and evidence.error_status is not None:  # a 200's limits are not the error's
        wait = exhausted_wait(evidence.headers, now=now)
    if wait is None:
        wait = body_wait(evidence.body.delay)
    if wait is None:
        wait = sentence_wait(_readable_message(evidence))
    if wait is None and evidence.headers.get("x-should-retry") == "true":
        return 0.0  # asked to try again, after our own backoff
    return wait


def _wait(row: TruthRow, evidence: Evidence, now: float) -> float | None:
    match row.wait:
        case WaitSource.HEADER:
            return _asked(evidence, now)
        case WaitSource.LIMIT:
            return _stated(evidence, now)
        case WaitSource.MESSAGE:
            return message_wait(evidence.body.message, evidence.headers, now=now)
        case WaitSource.NONE:
            return None


def _rejected(row: TruthRow, evidence: Evidence) -> bool:
    """Whether the reply began with a rejection, so that no work was begun. A 200 proves nothing."""
    status = evidence.status
    return row.sent is Sent.NO and status is not None and status >= _REDIRECT


def _detail(evidence: Evidence) -> str:
    status = "" if evidence.status is None else str(evidence.status)
    names = (*evidence.names, evidence.body.stop or "")
    words = evidence.body.message or " < ".join(map(words_of, evidence.links))
    if len(words) > _WORDS_LIMIT:  # at a space: half a secret would not be known as one
        words = words[:_WORDS_LIMIT].rsplit(None, 1)[0]
    text = " ".join(filter(None, (evidence.source, status, *names, words)))
    return _INVISIBLE.sub(" ", redact(text))[:_DETAIL_LIMIT]


def _named(failure: object) -> str:
    return redact(type(failure).__name__[:_DETAIL_LIMIT])
