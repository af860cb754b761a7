"""The truth table: every decision failsoft knows, each row once.

A row says what a signal means (category and reason) and what may be done about it. Rows are data:
classification picks one by its name, :func:`verdict_for` builds a verdict from it, and
:func:`truth_table` prints them all. The **name** of a row is stable and unique. The **reason** is
what verdicts, metrics and logs carry; it is the row's name, except where two rows share a reason
because only the decision differs (a timer that ran its full period, and one cut short, say). Where
the table knows no finer reason than its category, the reason is the category's own name.

:class:`Table` holds a provider's own words and what they mean; each provider fills one.
"""

from __future__ import annotations

import re
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

__all__ = [
    "REASONS",
    "ROWS",
    "CodePattern",
    "Sentence",
    "Table",
    "TruthRow",
    "WaitSource",
    "truth_table",
    "verdict_for",
]

# same, model, provider: may the same target, the next model, another provider be tried
_TABLE: Final = """
name              | category · reason                 | same       | model         | provider      | breaker  | fault    | scope   | sent  | wait    | signal
overloaded        | transient · overloaded            | yes        | yes           | yes           | counts   | provider | target  | no    | header  | 529, 498, `overloaded_error`
server_error      | transient · server_error          | yes        | yes           | yes           | counts   | provider | target  | maybe | header  | 500, 502, 424, 520 to 524, `api_error`, empty or HTML 5xx
unavailable       | transient · unavailable           | yes        | yes           | yes           | counts   | provider | target  | no    | header  | 503
connection        | transient · connection            | yes        | no            | yes           | counts   | network  | host    | maybe | none    | connect timeout, refused, DNS
hung_up           | transient · connection            | yes        | yes           | yes           | counts   | network  | host    | maybe | none    | reset or closed before the reply's head, on a connection that stood
stream_cut        | transient · stream_cut            | yes        | yes           | yes           | counts   | network  | target  | maybe | none    | stream ended without its terminal event, protocol or read error after the reply's head
conflict          | transient · conflict              | once       | no            | no            | no       | operator | target  | maybe | header  | 409
saturated         | transient · saturated             | own_queue  | no            | no            | no       | operator | target  | no    | none    | pool timeout, bulkhead or its queue full
all_open          | transient · all_open              | never      | no            | no            | no       | provider | target  | no    | none    | all targets open or benched past the deadline (category of what opened them)
requests          | rate_limited · requests           | after_wait | other_family  | yes           | bench    | operator | family  | no    | limit   | 429 with a stated wait, acceleration limit, 402 of requests in flight
tokens            | rate_limited · tokens             | after_wait | other_family  | yes           | bench    | operator | family  | no    | limit   | 429 with a stated wait, of a limit on tokens
rate_limited      | rate_limited · rate_limited       | after_wait | yes           | yes           | bench    | operator | family  | no    | none    | 429 without a stated wait (benched when met again)
upstream          | timeout · upstream                | once       | yes           | yes           | counts   | provider | target  | maybe | header  | 504, `timeout_error`, 408
no_answer         | timeout · no_answer               | never      | yes           | yes           | counts   | provider | target  | maybe | none    | own first-content or idle timer after its full period, read timeout
no_answer_short   | timeout · no_answer               | never      | yes           | yes           | no       | user     | target  | maybe | none    | own first-content or idle timer, shortened by the caller's limit
no_answer_opened  | timeout · no_answer               | never      | yes           | yes           | no       | provider | target  | maybe | none    | no content yet when its target's breaker opened by timeouts, and another may be called
deadline          | timeout · deadline                | never      | no            | no            | no       | user     | target  | maybe | none    | a shorter limit of the caller's
deadline_passed   | timeout · deadline                | never      | no            | no            | no       | provider | target  | maybe | none    | deadline passed (or the last verdict's category)
billing           | auth_error · billing              | never      | no            | yes           | park     | operator | account | no    | message | 429 spend limit or quota by the day, 402, 400 usage limit or credit balance, `insufficient_quota` and kin
authentication    | auth_error · authentication       | never      | no            | yes           | park_key | operator | account | no    | none    | 401, no key
permission        | auth_error · permission           | never      | no            | yes           | no       | operator | target  | no    | none    | 403, 451
suspended         | auth_error · suspended            | never      | no            | no            | park     | operator | account | no    | none    | organization disabled or on hold
connection_setup  | auth_error · connection_setup     | once       | no            | yes           | counts   | operator | host    | no    | none    | TLS certificate error, a proxy's 407, a captive portal's 511, 421, 426, a redirect to another origin
wrong_address     | auth_error · wrong_address        | never      | no            | yes           | counts   | operator | host    | no    | none    | 404 that names no model, 405, 410, a redirect in a circle
model_unavailable | permanent · model_unavailable     | never      | yes           | yes           | park     | operator | target  | no    | none    | 404 for a model, `model_not_found`
bad_request       | permanent · bad_request           | never      | no            | no            | no       | operator | target  | no    | none    | other 400, 415, 422 without policy reason, 431
too_large         | permanent · too_large             | never      | no            | no            | no       | user     | target  | no    | none    | 413, too-large codes
context_too_long  | permanent · context_too_long      | never      | larger_window | larger_window | no       | user     | target  | no    | none    | "prompt is too long", `context_length_exceeded`
window_exceeded   | permanent · context_too_long      | never      | larger_window | no            | no       | user     | target  | maybe | none    | `stop_reason: model_context_window_exceeded` (text usable)
not_implemented   | permanent · not_implemented       | never      | no            | yes           | no       | operator | target  | no    | none    | 501
bad_call          | permanent · bad_call              | never      | no            | no            | no       | operator | target  | no    | none    | `TypeError`, `ValueError` before sending
content_policy    | content_policy · content_policy   | never      | no            | no            | no       | user     | target  | maybe | none    | 400 or 422 with a content or policy reason, output blocked by a content filter
refusal           | content_policy · refusal          | never      | opt_in        | no            | no       | user     | target  | maybe | none    | `stop_reason: refusal`, `finish_reason: content_filter`
bad_reply         | unknown · bad_reply               | once       | yes           | yes           | counts   | provider | target  | maybe | none    | 200 with HTML, cut JSON, no events
empty_answer      | unknown · empty_answer            | never      | yes           | yes           | no       | provider | target  | maybe | none    | a whole answer without a visible character, where text is shown
thought_only      | permanent · thought_only          | never      | no            | no            | no       | operator | target  | maybe | none    | `max_tokens` spent on thought alone, where text is shown
edge              | unknown · edge                    | once       | yes           | yes           | counts   | network  | host    | no    | header  | 401, 403 with a page in place of the API's own body
unknown           | unknown · unknown                 | once       | yes           | yes           | counts   | provider | target  | maybe | header  | anything else, with a status of 500 or more, or none
unknown_status    | unknown · unknown                 | never      | yes           | yes           | no       | provider | target  | maybe | none    | anything else, with a status below 500
cancelled         | unknown · cancelled               | never      | no            | no            | no       | user     | target  | maybe | none    | cancelled, client gone, KeyboardInterrupt, 499: not a failure
success           | unknown · success                 | never      | no            | no            | no       | user     | target  | maybe | none    | `end_turn`, `max_tokens`, `stop_sequence`, `tool_use`, `pause_turn`: not a failure
"""  # noqa: E501 - a table is read in lines


class WaitSource(StrEnum):
    """Where a row looks for the wait that the provider asked for."""

    NONE = "none"
    HEADER = "header"
    """``retry-after-ms``, else ``retry-after``, else a delay in the body."""
    LIMIT = "limit"
    """The same, but first the latest reset of an exhausted limit; else the error's message."""
    MESSAGE = "message"
    """A date in the error's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRow:
    """One row. ``sent`` is what holds once the evidence proves it; unproven it is ``maybe``."""

    name: str
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


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _row(line: str) -> TruthRow:
    name, meaning, same, model, provider, breaker, fault, scope, sent, wait, _ = _cells(line)
    category, _, reason = meaning.partition(" · ")
    return TruthRow(
        name=name,
        category=ErrorCategory(category),
        reason=reason,
        retry_same=RetrySame(same),
        next_model=NextModel(model),
        other_provider=OtherProvider(provider),
        breaker=BreakerEffect(breaker),
        fault=Fault(fault),
        scope=BenchScope(scope),
        sent=Sent(sent),
        wait=WaitSource(wait),
    )


_HEAD, *_LINES = _TABLE.strip().splitlines()

ROWS: Final[Mapping[str, TruthRow]] = MappingProxyType({row.name: row for row in map(_row, _LINES)})
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
    """Print the rows as a Markdown table, in the order of :data:`REASONS`."""
    head = _cells(_HEAD)
    rows = (head, ["---"] * len(head), *map(_cells, _LINES))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePattern:
    """A family of codes, known by a part of the code; read under these statuses (empty: any)."""

    pattern: re.Pattern[str]
    row: str
    statuses: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Words of an error's message; read under these statuses and only where no code is given."""

    pattern: re.Pattern[str]
    row: str
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One provider's vocabulary. Values are names of rows, but ``types``: HTTP statuses.

    ``codes`` name one cause. ``types`` are broad: each says no more than the status it goes with,
    and counts where the status itself is missing or says something else.
    """

    codes: Mapping[str, str]
    code_patterns: tuple[CodePattern, ...]
    types: Mapping[str, int]
    sentences: tuple[Sentence, ...]
    statuses: Mapping[int, str]
    stops: Mapping[str, str]
