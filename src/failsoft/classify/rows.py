"""The truth table: every decision failsoft knows, each row once.

A row says what a signal means (category and reason) and what may be done about it. Rows are data:
classification picks one by its name, :func:`verdict_for` builds a verdict from it, and
:func:`truth_table` prints them all. The **name** of a row is stable and unique. The **reason** is
what verdicts, metrics and logs carry; it is the row's name, except where two rows share a reason
because only the decision differs (a 429 with and without a stated wait, say). Where the table knows
no finer reason than its category, the reason is the category's own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from failsoft.classify.verdict import (
    BenchScope,
    BreakerEffect,
    ErrorCategory,
    Fault,
    NextModel,
    OtherProvider,
    RetrySame,
    Sent,
    Verdict,
)

__all__ = ["REASONS", "ROWS", "Row", "WaitSource", "truth_table", "verdict_for"]


class WaitSource(StrEnum):
    """Where a row looks for the wait that the provider asked for."""

    NONE = "none"
    HEADER = "retry-after"
    LIMIT = "retry-after, else the latest exhausted reset"
    MESSAGE = "date in the message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. ``sent`` is what holds once the evidence proves it; unproven it is ``maybe``."""

    name: str
    signal: str
    category: ErrorCategory
    reason: str
    retry_same: RetrySame
    next_model: NextModel
    other_provider: OtherProvider
    breaker: BreakerEffect
    fault: Fault
    scope: BenchScope
    sent: Sent
    wait: WaitSource


def _row(
    name: str,
    category: str,
    decision: str,
    signal: str,
    *,
    reason: str = "",
    scope: BenchScope = BenchScope.TARGET,
    sent: Sent = Sent.MAYBE,
    wait: WaitSource = WaitSource.NONE,
) -> Row:
    """``decision`` is the five columns R M P B and fault, as the words of their enums."""
    same, model, other, breaker, fault = decision.split()
    return Row(
        name=name,
        signal=signal,
        category=ErrorCategory(category),
        reason=reason or name,
        retry_same=RetrySame(same),
        next_model=NextModel(model),
        other_provider=OtherProvider(other),
        breaker=BreakerEffect(breaker),
        fault=Fault(fault),
        scope=scope,
        sent=sent,
        wait=wait,
    )


_ACCOUNT, _FAMILY, _HOST = BenchScope.ACCOUNT, BenchScope.FAMILY, BenchScope.HOST
_HEADER, _LIMIT, _MESSAGE = WaitSource.HEADER, WaitSource.LIMIT, WaitSource.MESSAGE
_UNSENT = Sent.NO

_TRANSIENT = (
    _row(
        "overloaded",
        "transient",
        "yes yes yes counts provider",
        "529, `overloaded_error`",
        wait=_HEADER,
    ),
    _row(
        "server_error",
        "transient",
        "yes yes yes counts provider",
        "500 502 520 to 524, `api_error`, empty or HTML 5xx",
        wait=_HEADER,
    ),
    _row("unavailable", "transient", "yes yes yes counts provider", "503", wait=_HEADER),
    _row(
        "connection",
        "transient",
        "yes no yes counts network",
        "connect timeout, refused, reset, DNS",
        scope=_HOST,
    ),
    _row(
        "stream_cut",
        "transient",
        "yes yes yes counts network",
        "end of stream without terminal event, protocol or read error mid-stream",
    ),
    _row("conflict", "transient", "once no no no operator", "409", wait=_HEADER),
    _row(
        "saturated",
        "transient",
        "own_queue no no no operator",
        "pool timeout, bulkhead or its queue full",
        sent=_UNSENT,
    ),
    _row(
        "all_open",
        "transient",
        "never no no no provider",
        "all targets open or benched past the deadline (category of what opened them)",
        sent=_UNSENT,
    ),
)

_RATE_LIMITED = tuple(
    _row(
        name,
        "rate_limited",
        f"after_wait {model} yes bench operator",
        signal,
        scope=_FAMILY,
        sent=_UNSENT,
        wait=_LIMIT,
    )
    for name, model, signal in (
        ("requests", "other_family", "429 with a stated wait, acceleration limit"),
        ("tokens", "other_family", "429 with a stated wait, by tokens"),
        ("rate_limited", "yes", "429 without a stated wait"),
    )
)

_TIMEOUT = (
    _row(
        "upstream",
        "timeout",
        "once yes yes counts provider",
        "504, `timeout_error`, 408",
        wait=_HEADER,
    ),
    _row(
        "no_answer",
        "timeout",
        "never yes yes counts provider",
        "own first-content or idle timer after its full period, read timeout",
    ),
    _row(
        "no_answer_short",
        "timeout",
        "never yes yes no user",
        "own first-content or idle timer, shortened by the caller's limit",
        reason="no_answer",
    ),
    _row(
        "deadline",
        "timeout",
        "never no no no user",
        "a shorter limit of the caller's",
    ),
    _row(
        "deadline_passed",
        "timeout",
        "never no no no provider",
        "deadline passed (or the last verdict's category)",
        reason="deadline",
    ),
)

_AUTH = (
    _row(
        "billing",
        "auth_error",
        "never no yes park operator",
        "429 spend limit, 402, 400 usage limit or credit balance, `insufficient_quota` and kin",
        scope=_ACCOUNT,
        sent=_UNSENT,
        wait=_MESSAGE,
    ),
    _row(
        "authentication",
        "auth_error",
        "never no yes park_key operator",
        "401, no key",
        scope=_ACCOUNT,
        sent=_UNSENT,
    ),
    _row("permission", "auth_error", "never no yes no operator", "403", sent=_UNSENT),
    _row(
        "suspended",
        "auth_error",
        "never no no park operator",
        "organization disabled or on hold",
        scope=_ACCOUNT,
        sent=_UNSENT,
    ),
)

_PERMANENT = (
    _row(
        "model_unavailable",
        "permanent",
        "never yes yes park operator",
        "404 for a model, `model_not_found`",
        sent=_UNSENT,
    ),
    _row(
        "bad_request",
        "permanent",
        "never no no no operator",
        "other 404, 405, 410, 415, 422 without policy reason, 431, other 400",
        sent=_UNSENT,
    ),
    _row(
        "too_large",
        "permanent",
        "never no no no user",
        "413, too-large codes",
        sent=_UNSENT,
    ),
    _row(
        "context_too_long",
        "permanent",
        "never larger_window larger_window no user",
        '"prompt is too long", `context_length_exceeded`',
        sent=_UNSENT,
    ),
    _row(
        "window_exceeded",
        "permanent",
        "never larger_window no no user",
        "`stop_reason: model_context_window_exceeded` (text usable)",
        reason="context_too_long",
    ),
    _row("not_implemented", "permanent", "never no yes no operator", "501", sent=_UNSENT),
    _row(
        "tls",
        "permanent",
        "never no yes no operator",
        "TLS certificate error",
        sent=_UNSENT,
    ),
    _row(
        "bad_call",
        "permanent",
        "never no no no operator",
        "`TypeError`, `ValueError` before sending",
        sent=_UNSENT,
    ),
)

_CONTENT = (
    _row(
        "content_policy",
        "content_policy",
        "never no no no user",
        "400 or 422 with a content or policy reason, output blocked by a content filter",
    ),
    _row(
        "refusal",
        "content_policy",
        "never opt_in no no user",
        "`stop_reason: refusal`, `finish_reason: content_filter`",
    ),
)

_UNKNOWN = (
    _row(
        "bad_reply",
        "unknown",
        "once no yes counts provider",
        "200 with HTML, cut JSON, no events",
    ),
    _row(
        "unknown",
        "unknown",
        "once yes yes counts provider",
        "anything else, with a status of 500 or more, or none",
        wait=_HEADER,
    ),
    _row(
        "unknown_status",
        "unknown",
        "never yes yes no provider",
        "anything else, with a status below 500",
        reason="unknown",
    ),
    _row(
        "cancelled",
        "unknown",
        "never no no no user",
        "cancelled, client gone, KeyboardInterrupt, 499: not a failure",
    ),
    _row(
        "success",
        "unknown",
        "never no no no user",
        "`end_turn`, `max_tokens`, `stop_sequence`, `tool_use`, `pause_turn`: not a failure",
    ),
)

ROWS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        row.name: row
        for row in (
            *_TRANSIENT,
            *_RATE_LIMITED,
            *_TIMEOUT,
            *_AUTH,
            *_PERMANENT,
            *_CONTENT,
            *_UNKNOWN,
        )
    }
)
"""Every row by its name."""

REASONS: Final[tuple[str, ...]] = tuple(ROWS)
"""The names that :func:`verdict_for` takes. Stable: names are added, never renamed."""


def verdict_for(reason: str, **facts: Any) -> Verdict:
    """Build the verdict of one row by its name (one of :data:`REASONS`).

    ``facts`` are fields of :class:`Verdict` that the row cannot know or that replace its own:
    ``wait_seconds``, ``http_status``, ``provider_request_id``, ``internal_detail``, ``sent`` …
    Raises :class:`ValueError` for a name that is no row.

    >>> str(verdict_for("overloaded", http_status=529))
    'transient · overloaded'
    """
    row = ROWS.get(reason)
    if row is None:
        raise ValueError(f"no such reason: {reason!r}; use one of {', '.join(REASONS)}")
    decision: dict[str, Any] = {
        "category": row.category,
        "reason": row.reason,
        "retry_same": row.retry_same,
        "try_next_model": row.next_model,
        "try_other_provider": row.other_provider,
        "breaker": row.breaker,
        "fault": row.fault,
        "bench_scope": row.scope,
        "sent": row.sent,
    }
    return Verdict(**(decision | facts))


def truth_table() -> str:
    """Print the rows as a Markdown table, in the order of the categories."""
    head = "| name | signal | category · reason | same | model | provider | breaker | fault "
    lines = [head + "| scope | sent | wait |", "|---" * 11 + "|"]
    for row in ROWS.values():
        cells = (
            row.name,
            row.signal,
            f"{row.category} · {row.reason}",
            row.retry_same,
            row.next_model,
            row.other_provider,
            row.breaker,
            row.fault,
            row.scope,
            row.sent,
            row.wait,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
