"""The statements of the request log in SQLite, one method a question.

Everything here runs in the writer's thread: rows, chunks of many runs written with few statements,
server-sent events end to end, and periodic work (heartbeats, runs of dead processes, expiry).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from itertools import chain
from typing import Any, Final

from failsoft.request_log.contract import (
    FOLLOW_SECONDS,
    Conflict,
    Ending,
    Events,
    Intent,
    Known,
    Opened,
    Record,
    RequestState,
    fresh,
)
from failsoft.request_log.unwritten import Part, Tail

__all__ = [
    "UNSEEN_IDS",
    "Chunk",
    "Rows",
    "delete_old",
    "frames_after",
    "heartbeat",
    "interrupt",
    "seen",
    "write_chunks",
]


Chunk = tuple[str, int, int, bytes]
"""Request, run, id of the last event, frames."""

# At every statement the thread lets go of the interpreter, and a busy event loop is slow to give it
# back; besides, a chunk costs a third less so.
_TOGETHER: Final = 32


def write_chunks(connection: sqlite3.Connection, owner: str, chunks: Sequence[Chunk]) -> None:
    """Write the chunks of those runs that ``owner`` still runs; the others have no place."""
    for start in range(0, len(chunks), _TOGETHER):
        part = chunks[start : start + _TOGETHER]
        connection.execute(_statement(len(part)), (*chain.from_iterable(part), owner))


@cache
def _statement(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?)"] * count)
    return f"""
        INSERT OR IGNORE INTO events (request, run, last, data)
        SELECT number, run, column3, column4 FROM (VALUES {rows}) CROSS JOIN requests
        WHERE id = column1 AND run = column2 AND owner = ? AND ended_at IS NULL
    """  # noqa: S608 - nothing but question marks


_ID: Final = re.compile(rb"^id: (\d+)$", re.MULTILINE)


def frames_after(data: bytes, event_id: int) -> bytes:
    """What comes after an event. Every frame has one ``id`` line and ends with a blank one."""
    for found in _ID.finditer(data):
        if int(found[1]) > event_id:
            before = data.rfind(b"\n\n", 0, found.start())
            return data if before < 0 else data[before + 2 :]
    return b""


_NAMES: Final = tuple(field.name for field in fields(Record))
_COLUMNS: Final = ", ".join(
    "max(last_id, coalesce((SELECT max(last) FROM events"
    " WHERE request = requests.number AND run = requests.run), 0))"
    if name == "last_id"
    else name
    for name in _NAMES
)

_INSERT: Final = f"""
    INSERT INTO requests ({", ".join(_NAMES)}) VALUES ({", ".join("?" for _ in _NAMES)})
    ON CONFLICT (scope, key) WHERE key IS NOT NULL DO NOTHING
"""  # noqa: S608 - our own names
_FROM: Final = f"SELECT {_COLUMNS} FROM requests"  # noqa: S608 - our own names
_BY_KEY: Final = f"{_FROM} WHERE scope = ? AND key = ?"
_BY_ID: Final = f"{_FROM} WHERE id = ? AND (ended_at IS NULL OR ended_at > ?)"
_AGAIN: Final = """
    UPDATE requests
    SET state = 'queued', run = :run, owner = :owner, stream = :stream, route = :route,
        locale = :locale, updated_at = :now, ended_at = NULL, attempt = 0, retry_at = NULL,
        status = NULL, body = NULL, retryable = 0, first_id = :first_id, last_id = :last_id
    WHERE id = :id
"""
_PROGRESS: Final = """
    UPDATE requests
    SET state = CASE WHEN :attempt > 0 THEN 'running' ELSE state END, attempt = :attempt,
        retry_at = :retry_at, updated_at = :now, last_id = max(last_id, :last_id),
        shown_run = CASE WHEN :shown THEN :run ELSE shown_run END
    WHERE id = :id AND run = :run AND owner = :owner AND ended_at IS NULL
"""
_END: Final = """
    UPDATE requests
    SET state = :state, retryable = :retryable, status = :status, body = :body,
        updated_at = :now, ended_at = :now, retry_at = NULL, attempt = max(attempt, :attempt),
        last_id = max(last_id, :last_id),
        shown_run = CASE WHEN :shown THEN :run ELSE shown_run END
    WHERE id = :id AND run = :run AND owner = :owner AND ended_at IS NULL
"""
_EVENTS: Final = """
    SELECT last, data FROM events
    WHERE request = (SELECT number FROM requests WHERE id = ?) AND run = ? AND last > ?
    ORDER BY last
"""
_STORY: Final = """
    INSERT OR REPLACE INTO stories (request, run, data)
    SELECT number, ?, ? FROM requests WHERE id = ?
"""
_FOLLOW: Final = """
    INSERT INTO followers (request, owner, until) VALUES (?, ?, ?)
    ON CONFLICT (request, owner) DO UPDATE SET until = excluded.until
"""
_FOLLOWED: Final = "SELECT 1 FROM followers WHERE request = ? AND owner <> ? AND until > ? LIMIT 1"


class Rows:
    """The rows, in the name of one owner. Every method runs within a transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        owner: str,
        clock: Callable[[], float],
        retention: float,
        store_text: bool,
    ) -> None:
        self._connection = connection
        self._do = connection.execute
        self._owner = owner
        self._clock = clock
        self._retention = retention
        self._store_text = store_text

    def open(self, intent: Intent) -> Opened | Known | Conflict:
        """See :meth:`~failsoft.request_log.contract.RequestLog.open`."""
        record = fresh(intent, owner=self._owner, now=self._clock())
        if self._insert(record):
            return Opened(record, new=True)
        known = _record(self._do(_BY_KEY, (intent.scope, intent.key)).fetchone())
        if known.ended_at is not None and known.ended_at <= self._oldest:
            self._do("DELETE FROM requests WHERE id = ?", (known.id,))
            self._insert(record)
            return Opened(record, new=True)
        if known.fingerprint != intent.fingerprint:
            return Conflict()
        if known.state.ended and known.retryable:
            return Opened(self._again(known, intent), new=False)
        return Known(known, ours=known.owner == self._owner and not known.state.ended)

    def write(self, parts: Sequence[Part]) -> None:
        """Write what runs have sent; what has ended or is another's now takes nothing."""
        for part in parts:
            if part.moved:
                self._do(_PROGRESS, self._given(part.tail))
        chunks = [(p.tail.request, p.tail.run, p.last, p.data) for p in parts if p.count]
        write_chunks(self._connection, self._owner, chunks)

    def end(self, tail: Tail, ending: Ending) -> bool:
        """End a run. One without a row was never entered, and no one else can have ended it."""
        answered = ending.state is RequestState.DONE
        values = {
            "state": ending.state.value,
            "retryable": ending.retryable,
            "status": ending.status,
            # A notice in place of an answer is text of our own.
            "body": None if answered and not self._store_text else ending.body,
        }
        if self._do(_END, {**self._given(tail), **values}).rowcount:
            if ending.story:
                self._do(_STORY, (tail.run, ending.story, tail.request))
            return True
        return self._do("SELECT 1 FROM requests WHERE id = ?", (tail.request,)).fetchone() is None

    def renew(self, request: str, run: int) -> bool:
        """Heartbeat, and whether that run is ours still. What has no row was never entered."""
        heartbeat(self._connection, self._owner, self._clock())
        row = self._do(
            "SELECT run, owner, ended_at FROM requests WHERE id = ?", (request,)
        ).fetchone()
        return row is None or row == (run, self._owner, None)

    def find(self, request: str, scope: str | None) -> Record | None:
        """A record; ``None`` where it is another scope's. No scope: any."""
        row = self._do(_BY_ID, (request, self._oldest)).fetchone()
        record = _record(row) if row else None
        return record if record and scope in (None, record.scope) else None

    def events(self, request: str, run: int, after: int) -> Events | None:
        """The frames of a run after an id, and the record."""
        record = self.find(request, None)
        if record is None:
            return None
        chunks = self._do(_EVENTS, (request, run, after)).fetchall()
        if not chunks:
            return Events(b"", after, record)
        first, *others = [data for _, data in chunks]
        data = b"".join([frames_after(first, after), *others])
        return Events(data, chunks[-1][0], record)

    def cancel(self, request: str, scope: str) -> Record | None:
        """Ask the owner of what still runs to cancel it."""
        record = self.find(request, scope)
        if record and not record.state.ended:
            wanted = (record.owner, request, record.run)
            self._do("INSERT OR IGNORE INTO cancels (owner, request, run) VALUES (?, ?, ?)", wanted)
        return record

    def has_cancels(self) -> bool:
        """Whether a run of this owner is to be cancelled."""
        row = self._do("SELECT 1 FROM cancels WHERE owner = ? LIMIT 1", (self._owner,)).fetchone()
        return row is not None

    def take_cancels(self) -> list[tuple[str, int]]:
        """Take the requests and runs of this owner that are to be cancelled."""
        return self._do(
            "DELETE FROM cancels WHERE owner = ? RETURNING request, run", (self._owner,)
        ).fetchall()

    def follow(self, request: str) -> None:
        """Say that a reader here follows it."""
        self._do(_FOLLOW, (request, self._owner, self._clock() + FOLLOW_SECONDS))

    def followed(self, request: str) -> bool:
        """Whether a reader elsewhere follows it."""
        return self._do(_FOLLOWED, (request, self._owner, self._clock())).fetchone() is not None

    @property
    def _oldest(self) -> float:
        return self._clock() - self._retention

    def _insert(self, record: Record) -> bool:
        return self._do(_INSERT, [getattr(record, name) for name in _NAMES]).rowcount == 1

    def _again(self, known: Record, intent: Intent) -> Record:
        values = {
            "id": known.id,
            "run": known.run + 1,
            "owner": self._owner,
            "stream": intent.stream,
            "route": intent.route,
            "locale": intent.locale,
            "now": self._clock(),
            "first_id": known.last_id + 1,
            "last_id": known.last_id,
        }
        self._do(_AGAIN, values)
        record = self.find(known.id, None)
        assert record is not None  # noqa: S101 - written a line above
        return record

    def _given(self, tail: Tail) -> dict[str, Any]:
        return {
            "id": tail.request,
            "run": tail.run,
            "owner": self._owner,
            "attempt": tail.attempt,
            "retry_at": tail.retry_at,
            "last_id": tail.last_id,
            "shown": tail.shown,
            "now": self._clock(),
        }


def _record(row: tuple[Any, ...]) -> Record:
    values = dict(zip(_NAMES, row, strict=True))
    values["state"] = RequestState(values["state"])
    values["stream"] = bool(values["stream"])
    values["retryable"] = bool(values["retryable"])
    return Record(**values)


# A run whose process was killed may have sent ids that were never written. What follows, its
# last event and the next run, is far enough above them that no reader takes it for one it has seen.
UNSEEN_IDS: Final = 100_000

_SIGN: Final = """
    INSERT INTO owners (owner, seen_at) VALUES (?, ?)
    ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at
"""
# An owner that was taken for dead and is not may have rows without being listed itself.
_SEEN: Final = """
    SELECT owner, seen_at FROM owners
    UNION ALL
    SELECT DISTINCT owner, 0 FROM requests
    WHERE ended_at IS NULL AND owner NOT IN (SELECT owner FROM owners)
"""
_INTERRUPT: Final = """
    UPDATE requests
    SET state = 'interrupted', retryable = 1, updated_at = ?, ended_at = ?, retry_at = NULL,
        last_id = ? + max(last_id, coalesce((
            SELECT max(last) FROM events
            WHERE request = requests.number AND run = requests.run), 0))
    WHERE owner = ? AND ended_at IS NULL
"""
# Requests lie in the order they came: the first are the oldest. Some of them may run still, or have
# been asked for again; a window wide enough to see past those needs no index by age.
_OLD: Final = """
    DELETE FROM requests WHERE number IN (
        SELECT number FROM (SELECT number, ended_at FROM requests ORDER BY number LIMIT 1000)
        WHERE ended_at <= ? LIMIT ?)
"""


def heartbeat(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """Record that an owner lives."""
    connection.execute(_SIGN, (owner, now))


def seen(connection: sqlite3.Connection) -> list[tuple[str, float]]:
    """Every owner with the time of its last heartbeat."""
    return connection.execute(_SEEN).fetchall()


def interrupt(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """End what an owner has left running, and strike the owner off."""
    connection.execute(_INTERRUPT, (now, now, UNSEEN_IDS, owner))
    for table in ("owners", "cancels", "followers"):
        connection.execute(f"DELETE FROM {table} WHERE owner = ?", (owner,))  # noqa: S608 - our own three names


def delete_old(connection: sqlite3.Connection, *, oldest: float, now: float, most: int) -> bool:
    """Delete what ended before ``oldest``, at most so many at once; whether there was any.

    Their events go along.
    """
    connection.execute("DELETE FROM followers WHERE until <= ?", (now,))
    return connection.execute(_OLD, (oldest, most)).rowcount > 0
