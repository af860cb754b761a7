"""What classification says of a failure: whose it is, and what may be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "BenchScope",
    "BreakerEffect",
    "ErrorCategory",
    "Fault",
    "NextModel",
    "OtherProvider",
    "RetrySame",
    "Sent",
    "Verdict",
]


class ErrorCategory(StrEnum):
    """The seven categories; every failure is in exactly one."""

    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    CONTENT_POLICY = "content_policy"
    AUTH_ERROR = "auth_error"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"

    @property
    def retryable(self) -> bool:
        """Whether the person may usefully send the same request again."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorCategory.TRANSIENT,
        ErrorCategory.RATE_LIMITED,
        ErrorCategory.TIMEOUT,
        ErrorCategory.UNKNOWN,
    }
)


class Fault(StrEnum):
    """Whose fault it is: it decides who is informed and which ratio counts it."""

    USER = "user"
    OPERATOR = "operator"
    PROVIDER = "provider"
    NETWORK = "network"


class RetrySame(StrEnum):
    """Whether the same target may be called again within this request."""

    NEVER = "never"
    ONCE = "once"
    YES = "yes"
    AFTER_WAIT = "after_wait"
    OWN_QUEUE = "own_queue"


class NextModel(StrEnum):
    """Whether another model of the same provider and account may be tried."""

    NO = "no"
    YES = "yes"
    OTHER_FAMILY = "other_family"
    LARGER_WINDOW = "larger_window"
    OPT_IN = "opt_in"


class OtherProvider(StrEnum):
    """Whether another provider or account may be tried."""

    NO = "no"
    YES = "yes"
    LARGER_WINDOW = "larger_window"


class BreakerEffect(StrEnum):
    """What the failure does to the target's breaker or its availability."""

    NO = "no"
    COUNTS = "counts"
    BENCH = "bench"
    PARK = "park"
    PARK_KEY = "park_key"


class BenchScope(StrEnum):
    """How far a bench, a park or a counted failure reaches."""

    TARGET = "target"
    FAMILY = "family"
    ACCOUNT = "account"
    HOST = "host"


class Sent(StrEnum):
    """Whether the provider could have begun to work on the request."""

    NO = "no"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision that follows from one failure.

    ``wait_seconds`` is only what the provider itself asked for (``None`` otherwise): a default
    backoff is computed elsewhere, so that the two are never confused. ``internal_detail`` is for
    logs: secrets removed, at most 500 characters, never shown to a person.
    """

    category: ErrorCategory
    reason: str
    retry_same: RetrySame
    try_next_model: NextModel
    try_other_provider: OtherProvider
    breaker: BreakerEffect
    fault: Fault
    wait_seconds: float | None = None
    bench_scope: BenchScope = BenchScope.TARGET
    sent: Sent = Sent.MAYBE
    http_status: int | None = None
    provider_request_id: str | None = None
    internal_detail: str = ""

    def __str__(self) -> str:
        return f"{self.category} · {self.reason}"
