"""A failure in, a Verdict out: the one place that looks at status codes, bodies and exceptions.

:func:`classify` reads the evidence (:mod:`evidence`), picks a row of the truth table by a
provider's vocabulary (:mod:`decide`) and adds what only this failure has: a wait, a request id,
whether anything was sent. Every decision is in :mod:`rows`, every provider's words in a table.
"""

from __future__ import annotations

from failsoft.classify.classifier import classify, is_cancellation
from failsoft.classify.redact import redact
from failsoft.classify.retry_after import exhausted_wait
from failsoft.classify.truth_table import REASONS, truth_table, verdict_for
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
from failsoft.classify.wire_errors import (
    BadReply,
    ReplyFailed,
    Stopped,
    StreamCut,
    StreamFailed,
    TimedOut,
    Timer,
    WireFailure,
)

__all__ = [
    "REASONS",
    "BadReply",
    "BenchScope",
    "BreakerEffect",
    "ErrorCategory",
    "Fault",
    "NextModel",
    "OtherProvider",
    "ReplyFailed",
    "RetrySame",
    "Sent",
    "Stopped",
    "StreamCut",
    "StreamFailed",
    "TimedOut",
    "Timer",
    "Verdict",
    "WireFailure",
    "classify",
    "exhausted_wait",
    "is_cancellation",
    "redact",
    "truth_table",
    "verdict_for",
]
