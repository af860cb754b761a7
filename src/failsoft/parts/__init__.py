"""The parts on their own: retry, breaker, chain and ladder around code that is not failsoft's.

Each is a thin form over what the engine itself uses: what a failure means is :mod:`classify`'s,
how long to wait, when to open and who is next are :mod:`policy`'s. Nothing is decided here twice.
A plain function and an asynchronous one are told apart by what they are, or by what they return.
"""

from __future__ import annotations

from failsoft.parts.breaker import CircuitBreaker, CircuitStatus
from failsoft.parts.chain import ChainResult, FallbackChain
from failsoft.parts.ladder import Ladder
from failsoft.parts.matching import Which
from failsoft.parts.retry import Retry, RetryAttempt, retry
from failsoft.parts.tries import RetryEvent
from failsoft.policy.circuit import Transition

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
