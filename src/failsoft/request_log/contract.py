"""What every request log promises, whatever stores it, and the records it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from failsoft.errors import FailsoftError
from failsoft.storage.status import StoreStatus

__all__ = [
    "FOLLOW_SECONDS",
    "NOT_ENTERED",
    "Conflict",
    "Ending",
    "Entry",
    "Events",
    "Intent",
    "Known",
    "LogDownError",
    "OnCancel",
    "Opened",
    "Record",
    "RecordExpiredError",
    "RecordRefusedError",
    "RequestLog",
    "RequestState",
    "fresh",
]


class LogDownError(FailsoftError):
    """The request log cannot be read now; the message is the operator's line."""


class RecordRefusedError(LogDownError):
    """The store works and refuses this record, as it will the next time: it is of another kind."""


class RecordExpiredError(KeyError):
    """There is no such record, or none any more: it may expire between two reads."""


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
    """What a caller asks for.

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
    above any that was sent before; ``last_id`` the last known over all runs (0 before any;
    after a run whose process was killed, a number above all that it can have sent).
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

    ``story`` is what happened in it, as :mod:`failsoft.telemetry.history` writes it.
    """

    state: RequestState
    retryable: bool
    status: int | None
    body: bytes | None
    story: bytes = b""


class Entry:
    """Where one run writes, from when it is opened to its end. It is used from one event loop.

    This one is of a run that the log could not take, and keeps nothing. While the log is down,
    ``append`` and ``progress`` hold what they are given in memory, within bounds, and ``end`` gives
    ``True``: it is written afterwards. A run of which a frame had to be dropped keeps none after
    it: what is read has no gap, but may lack its end.
    """

    durable = False
    """Whether the log has it. If not, its key may be run elsewhere, or again."""

    def append(self, frame: bytes, event_id: int, *, shown: bool) -> None:
        """Keep one frame; at most 250 ms behind. Returns at once, never raises.

        The frame begins with its ``id`` line and ends with a blank line; ``event_id`` is greater
        than any before. ``shown``: it gives out text.
        """

    def progress(self, attempt: int, retry_at: float | None) -> None:
        """Say that it runs, in which attempt, and when (epoch seconds) the next is due."""

    async def end(self, ending: Ending) -> bool:  # noqa: ARG002 - of no use here
        """End the run, exactly once; everything appended before is committed with it.

        ``False`` where it had ended already, or is not this process's any more. Nothing is kept of
        what is appended afterwards.
        """
        return True

    def covers(self) -> bool:
        """Whether no other process can have taken the run over.

        To be asked before text is shown; where it is not so, :meth:`renew` comes first.
        """
        return True

    async def renew(self) -> bool:
        """Give a heartbeat; whether the run is this process's still. Never raises.

        True while the log is down: no process takes anything over without it.
        """
        return True

    async def followed(self) -> bool:
        """Whether a reader in another process follows it. Raises :class:`LogDownError`."""
        return False


NOT_ENTERED = Entry()
"""For every run that the log could not take."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The caller is to run it. ``new`` is false for a further run of a request that is known."""

    record: Record
    new: bool
    entry: Entry = NOT_ENTERED


@dataclass(frozen=True, slots=True)
class Events:
    """Frames as they went out, end to end; the id of the last one; the record at that moment."""

    data: bytes
    last_id: int
    record: Record


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


# How long one `follow` is valid: a reader looks ten times a second, so thirty looks may be missed.
FOLLOW_SECONDS = 3.0

OnCancel = Callable[[str, int], None]
"""Called with the id and the run that another process asks to cancel."""


class RequestLog(Protocol):
    """Requests and the frames they gave out, shared by all processes of a service.

    Any event loop may ask it. While the log is down, a request must be answered all the same:
    ``open`` gives :class:`Opened` with an entry that keeps nothing; what asks for records
    (``find``, ``events``, ``cancel``) raises :class:`LogDownError`. It recovers by itself, but for
    a :class:`RecordRefusedError`.
    """

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        ...

    def start(self, *, on_cancel: OnCancel) -> None:
        """Begin to work, on the running loop; ``on_cancel`` is called on it."""
        ...

    async def aclose(self) -> None:
        """Write what is pending and let go of everything. May be called more than once."""
        ...

    async def open(self, intent: Intent) -> Opened | Known | Conflict:
        """Enter a request; committed when it returns.

        Without a key it is always :class:`Opened`. With one, ``(scope, key)`` is unique over all
        processes and exactly one caller gets :class:`Opened` for a run. After an end that was
        retryable it is opened again as the next run, queued and ours, under the id of the first
        record, asked for as this intent says; otherwise it is :class:`Known`. The same key with
        another fingerprint is :class:`Conflict`. A request older than the retention is as if
        it were not there. A caller cancelled while it waits leaves nothing running behind.
        """
        ...

    async def find(self, request_id: str, scope: str) -> Record | None:
        """The record; ``None`` where there is none, or it is another scope's."""
        ...

    async def events(self, request_id: str, run: int, after: int) -> Events:
        """Frames of one run with ids above ``after``, and the record, in one consistent read.

        What this process has appended is in it. ``last_id`` is ``after`` where there is nothing
        new. Raises :class:`RecordExpiredError` where there is no such record.
        """
        ...

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """Ask the owner to cancel; another process sees it within 250 ms.

        The record as it is now, ``None`` where there is none or it is another scope's. Does
        nothing to what has ended.
        """
        ...

    async def follow(self, request_id: str) -> None:
        """Say for :data:`FOLLOW_SECONDS` that a reader here follows another process's request.

        May be called at every look: it is written about once a second. Never raises.
        """
        ...
