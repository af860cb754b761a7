"""failsoft: calls to AI models that fail soft."""

from __future__ import annotations

from failsoft.attempt import Attempt
from failsoft.classify import ErrorCategory, Verdict, classify
from failsoft.config.settings import Settings
from failsoft.engine.answer import (
    Answer,
    DegradationLevel,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamRestart,
    StreamStart,
    StreamStatus,
    StreamText,
)
from failsoft.engine.blocking import BlockingFailsoft
from failsoft.engine.client import Failsoft
from failsoft.engine.deadline import deadline
from failsoft.errors import (
    AIBadRequest,
    AIError,
    AIMisconfigured,
    AIRefused,
    AIUnavailable,
    CircuitOpenError,
    FailsoftError,
    RuleFolderError,
    SettingError,
)
from failsoft.ladder.cache.cache import SemanticCache
from failsoft.ladder.rules.rulebook import RuleBook, RuleMatch
from failsoft.notices import Catalogue, Notice, notice_for
from failsoft.policy.breaker import CircuitState
from failsoft.standalone import (
    ChainResult,
    CircuitBreaker,
    CircuitStatus,
    FallbackChain,
    Ladder,
    RetryEvent,
    retry,
)
from failsoft.wrap import answer_of, wrap

__all__ = [
    "AIBadRequest",
    "AIError",
    "AIMisconfigured",
    "AIRefused",
    "AIUnavailable",
    "Answer",
    "Attempt",
    "BlockingFailsoft",
    "Catalogue",
    "ChainResult",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitState",
    "CircuitStatus",
    "DegradationLevel",
    "ErrorCategory",
    "Failsoft",
    "FailsoftError",
    "FallbackChain",
    "Ladder",
    "Notice",
    "RetryEvent",
    "RuleBook",
    "RuleFolderError",
    "RuleMatch",
    "SemanticCache",
    "SettingError",
    "Settings",
    "StreamDone",
    "StreamError",
    "StreamEvent",
    "StreamInterrupted",
    "StreamRestart",
    "StreamStart",
    "StreamStatus",
    "StreamText",
    "Verdict",
    "answer_of",
    "classify",
    "deadline",
    "notice_for",
    "retry",
    "wrap",
]
