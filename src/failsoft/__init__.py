"""failsoft: calls to AI models that fail soft.

The public names are loaded at their first use, so that ``import failsoft`` costs little.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failsoft.attempt import Attempt
    from failsoft.classify import ErrorCategory, Verdict, classify
    from failsoft.config.named_sections import (
        NamedProviderSettings,
        RouteSettings,
        TargetSettings,
    )
    from failsoft.config.settings import (
        AlertSettings,
        BreakerSettings,
        BulkheadSettings,
        CacheSettings,
        EffortSettings,
        LinkSettings,
        ProviderSettings,
        RetrySettings,
        ServerSettings,
        Settings,
        TimerSettings,
    )
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
    from failsoft.telemetry import events
    from failsoft.wrap import answer_of, wrap

    __version__: str

# Where each name is; the imports above say the same to type checkers, and a test compares them.
_MODULES = {
    "failsoft.attempt": "Attempt",
    "failsoft.classify": "ErrorCategory Verdict classify",
    "failsoft.config.named_sections": "NamedProviderSettings RouteSettings TargetSettings",
    "failsoft.config.settings": (
        "AlertSettings BreakerSettings BulkheadSettings CacheSettings EffortSettings "
        "LinkSettings "
        "ProviderSettings RetrySettings ServerSettings Settings TimerSettings"
    ),
    "failsoft.engine.answer": (
        "Answer DegradationLevel StreamDone StreamError StreamEvent StreamInterrupted "
        "StreamRestart StreamStart StreamStatus StreamText"
    ),
    "failsoft.engine.blocking": "BlockingFailsoft",
    "failsoft.engine.client": "Failsoft",
    "failsoft.engine.deadline": "deadline",
    "failsoft.errors": (
        "AIBadRequest AIError AIMisconfigured AIRefused AIUnavailable CircuitOpenError "
        "FailsoftError RuleFolderError SettingError"
    ),
    "failsoft.ladder.cache.cache": "SemanticCache",
    "failsoft.ladder.rules.rulebook": "RuleBook RuleMatch",
    "failsoft.notices": "Catalogue Notice notice_for",
    "failsoft.policy.breaker": "CircuitState",
    "failsoft.standalone": (
        "ChainResult CircuitBreaker CircuitStatus FallbackChain Ladder RetryEvent retry"
    ),
    "failsoft.wrap": "answer_of wrap",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


class _Package(ModuleType):
    """Keeps the functions `classify` and `wrap` where the packages that hold them are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in {"classify", "wrap"} and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms

        return version("failsoft")
    if name == "events":
        found: Any = import_module("failsoft.telemetry.events")
    elif name in _MODULE_OF:
        found = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AIBadRequest",
    "AIError",
    "AIMisconfigured",
    "AIRefused",
    "AIUnavailable",
    "AlertSettings",
    "Answer",
    "Attempt",
    "BlockingFailsoft",
    "BreakerSettings",
    "BulkheadSettings",
    "CacheSettings",
    "Catalogue",
    "ChainResult",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitState",
    "CircuitStatus",
    "DegradationLevel",
    "EffortSettings",
    "ErrorCategory",
    "Failsoft",
    "FailsoftError",
    "FallbackChain",
    "Ladder",
    "LinkSettings",
    "NamedProviderSettings",
    "Notice",
    "ProviderSettings",
    "RetryEvent",
    "RetrySettings",
    "RouteSettings",
    "RuleBook",
    "RuleFolderError",
    "RuleMatch",
    "SemanticCache",
    "ServerSettings",
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
    "TargetSettings",
    "TimerSettings",
    "Verdict",
    "__version__",
    "answer_of",
    "classify",
    "deadline",
    "events",
    "notice_for",
    "retry",
    "wrap",
]
