"""What every request log promises, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from failsoft.requests.records import (
    Conflict,
    Ending,
    Events,
    Intent,
    Known,
    Opened,
    Record,
    StoreStatus,
)

__all__ = ["FOLLOW_SECONDS", "OnCancel", "RequestLog"]

# How long one `follow` is valid: a reader looks ten times a second, so thirty looks may be missed.
FOLLOW_SECONDS = 3.0

OnCancel = Callable[[str, int], None]
"""Called with the id and the run somebody elsewhere asks to cancel."""


class RequestLog(Protocol):
    """Requests and the frames they gave out, shared by all processes of a service.

    Any event loop may ask it; each run is appended to from one. While the log is down, a request
    must be answered all the same: ``open`` gives :class:`Opened` (not durable), ``append`` and
    ``progress`` do nothing for it, ``end`` gives ``True``; what asks for records (``find``,
    ``events``, ``cancel``, ``followed``) raises
    :class:`~failsoft.requests.records.LogDownError`. It recovers by itself. What was opened before
    the outage is held in memory, within bounds, and written after it. A run of which a
    frame had to be dropped keeps none after it: what is read has no gap, but may lack its end.
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
        another fingerprint is :class:`Conflict`. What is older than the retention is as if it were
        not there. A caller cancelled while it waits leaves nothing running behind.
        """
        ...

    def append(
        self, request_id: str, run: int, frame: bytes, event_id: int, *, shown: bool
    ) -> None:
        """Keep one frame; at most 250 ms behind. Returns at once, never raises.

        The frame begins with its ``id`` line and ends with a blank line; ``event_id`` is greater
        than any before. ``shown``: it gives out text.
        """
        ...

    def progress(self, request_id: str, run: int, attempt: int, retry_at: float | None) -> None:
        """Say that it runs, in which attempt, and when (epoch seconds) the next is due."""
        ...

    async def end(self, request_id: str, run: int, ending: Ending) -> bool:
        """End a run, exactly once; everything appended before is committed with it.

        ``False`` where that run had ended already, or is not this process's any more; ``True`` for
        one that was never entered. Nothing is kept of what is appended afterwards.
        """
        ...

    async def find(self, request_id: str, scope: str) -> Record | None:
        """The record; ``None`` where there is none, or it is another scope's."""
        ...

    async def events(self, request_id: str, run: int, after: int) -> Events:
        """Frames of one run with ids above ``after``, and the record, in one consistent read.

        What this process has appended is in it. ``last_id`` is ``after`` where there is nothing
        new. Raises :class:`KeyError` where there is no such record.
        """
        ...

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """Ask the owner to cancel; another process hears of it within 250 ms.

        The record as it is now, ``None`` where there is none or it is another scope's. Does
        nothing to what has ended.
        """
        ...

    async def follow(self, request_id: str) -> None:
        """Say for :data:`FOLLOW_SECONDS` that a reader here follows another process's request.

        May be called at every look: it is written about once a second. Never raises.
        """
        ...

    async def followed(self, request_id: str) -> bool:
        """Whether a reader in another process follows it."""
        ...
