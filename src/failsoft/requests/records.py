"""What the log of requests keeps, and what it says when asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failsoft.errors import FailsoftError

__all__ = [
    "Conflict",
    "Ending",
    "Events",
    "Intent",
    "Known",
    "LogDownError",
    "Opened",
    "Record",
    "RequestState",
    "StoreStatus",
    "fresh",
]


class LogDownError(FailsoftError):
    """The request log cannot be read now; the message is the operator's line."""


class RequestState(StrEnum):
    """How far a request is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether this run is over."""
        return self not in (RequestState.QUEUED, RequestState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What somebody asks for.

    ``scope`` is who asks (tenant and user), opaque here; ``key`` the idempotency key, normalized;
    ``fingerprint`` that of the body.
    """

    id: str
    scope: str
    key: str | None
    fingerprint: bytes
    stream: bool
    route: str
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A request as the log has it. All times are epoch seconds.

    ``run`` counts from 1; ``attempt`` is 0 before the first. ``status`` and ``body`` are the result
    of the run: its HTTP status and JSON. ``first_id`` is the first event id of this run, always
    above any that was given out before; ``last_id`` the last known over all runs (0 before any;
    after a run whose process was killed, a number above all that it can have given out).
    ``shown_run`` is the latest run that gave out text (0: none did).
    """

    id: str
    scope: str
    key: str | None
    fingerprint: bytes
    stream: bool
    route: str
    locale: str
    state: RequestState
    run: int
    owner: str
    created_at: float
    updated_at: float
    ended_at: float | None
    attempt: int
    retry_at: float | None
    status: int | None
    body: bytes | None
    retryable: bool
    first_id: int
    last_id: int
    shown_run: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The caller is to run it. ``new`` is false for a further run of a request that is known."""

    record: Record
    new: bool


@dataclass(frozen=True, slots=True)
class Known:
    """It runs or has ended. ``ours``: this process runs it."""

    record: Record
    ours: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key is known with another body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended. ``retryable``: the same key may start another run.

    ``story`` is what happened in it, as :mod:`failsoft.telemetry.story` writes it.
    """

    state: RequestState
    retryable: bool
    status: int | None
    body: bytes | None
    story: bytes = b""


@dataclass(frozen=True, slots=True)
class Events:
    """Frames as they went out, end to end; the id of the last one; the record at that moment."""

    data: bytes
    last_id: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """Whether the log works. ``problem`` is one line for the operator, empty when it does.

    ``since`` is the epoch second of the last change; ``None`` where there was none yet.
    """

    name: str
    up: bool
    problem: str
    since: float | None


def fresh(intent: Intent, *, owner: str, now: float) -> Record:
    """The record of a request that was never heard of."""
    return Record(
        id=intent.id,
        scope=intent.scope,
        key=intent.key,
        fingerprint=intent.fingerprint,
        stream=intent.stream,
        route=intent.route,
        locale=intent.locale,
        state=RequestState.QUEUED,
        run=1,
        owner=owner,
        created_at=now,
        updated_at=now,
        ended_at=None,
        attempt=0,
        retry_at=None,
        status=None,
        body=None,
        retryable=False,
        first_id=1,
        last_id=0,
        shown_run=0,
    )
