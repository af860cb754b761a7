"""The parts on their own: retry, breaker, chain and ladder around code that is not failsoft's.

Each is a thin form over what the engine itself uses: what a failure means is :mod:`classify`'s,
how long to wait, when to open and who is next are :mod:`policy`'s. Nothing is decided here twice.
Plain and asynchronous functions are known by what they are, or by what they return.
"""

from __future__ import annotations

from failsoft.policy.breaker import Transition
from failsoft.standalone.chain import ChainResult, FallbackChain
from failsoft.standalone.function_breaker import CircuitBreaker, CircuitStatus
from failsoft.standalone.function_ladder import Ladder
from failsoft.standalone.function_retry import Retry, RetryAttempt, RetryEvent, retry
from failsoft.standalone.functions import Which

__all__ = [
    "ChainResult",
    "CircuitBreaker",
    "CircuitStatus",
    "FallbackChain",
    "Ladder",
    "Retry",
    "RetryAttempt",
    "RetryEvent",
    "Transition",
    "Which",
    "retry",
]
