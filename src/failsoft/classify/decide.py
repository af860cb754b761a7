"""From the evidence to a row, in the order in which evidence is believed.

Provider's code → type → message (only where there is no code) → HTTP status (a 200 says nothing)
→ the chain of causes → unknown. Cancellation comes before all of it.
"""

from __future__ import annotations

from typing import Final

from failsoft.classify.anthropic import ANTHROPIC
from failsoft.classify.bodies import Shape
from failsoft.classify.causes import Cause, read_causes
from failsoft.classify.evidence import Evidence
from failsoft.classify.raw_http import RAW_HTTP
from failsoft.classify.tables import Table

__all__ = ["decide", "table_for"]

_TABLES: Final = {"anthropic": ANTHROPIC, "http": RAW_HTTP}
_NO_REPLY: Final = (Shape.EMPTY, Shape.OTHER)
_REDIRECT, _BAD_REQUEST, _SERVER_ERROR = 300, 400, 500


def table_for(provider: object) -> Table:
    """The provider's table; that of raw HTTP for a provider without one."""
    return _TABLES.get(provider, RAW_HTTP) if isinstance(provider, str) else RAW_HTTP


def decide(evidence: Evidence, table: Table) -> Cause:
    """The row that the evidence leads to; ``unsent`` is known only where causes decided."""
    if evidence.body.shape is Shape.MESSAGE and evidence.error_status is None:
        return Cause(_by_stop(evidence, table))
    status = _status(evidence, table)
    row = (
        _by_code(evidence, table, status)
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
    said = _typed(evidence, table)
    if said is None or wire is None:
        return said or wire
    finer = said in (_BAD_REQUEST, _SERVER_ERROR) and said // 100 == wire // 100
    return wire if finer else said


def _typed(evidence: Evidence, table: Table) -> int | None:
    body = evidence.body
    aws = evidence.headers.get("x-amzn-errortype", "").partition(":")[0].lower()
    for name in (*body.codes, *body.types, aws):
        if name in table.types:
            return table.types[name]
    return None


def _by_code(evidence: Evidence, table: Table, status: int | None) -> str | None:
    names = (*evidence.body.codes, *evidence.body.types)
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
        if (status or _BAD_REQUEST) in sentence.statuses and sentence.pattern.search(message):
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
    broken = status >= _SERVER_ERROR and evidence.body.shape in (Shape.EMPTY, Shape.HTML)
    return table.statuses.get(status) or ("server_error" if broken else None)


def _by_shape(evidence: Evidence) -> str:
    """Nothing is known but, perhaps, that a 200 held no reply."""
    status = evidence.error_status or evidence.status
    if status is None or status < _REDIRECT:
        page = evidence.body.shape is Shape.HTML
        none = status is not None and evidence.body.shape in _NO_REPLY
        return "bad_reply" if evidence.replied and (page or none) else "unknown"
    return "unknown" if status >= _SERVER_ERROR else "unknown_status"
