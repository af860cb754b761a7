"""Reads one request out of a log that others may be writing, and changes nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from failsoft.request_log.contract import LogDownError, RequestState
from failsoft.storage.outages import explain

__all__ = ["Told", "tell_of"]

_REQUEST = """
    SELECT number, state, route, stream, run, created_at, ended_at, attempt
    FROM requests WHERE id = ?
"""
_STORIES = "SELECT run, data FROM stories WHERE request = ? ORDER BY run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A request and the stories of its runs that have ended, by run. Times are epoch seconds."""

    state: RequestState
    route: str
    stream: bool
    run: int
    created_at: float
    ended_at: float | None
    attempt: int
    stories: dict[int, bytes]


def tell_of(path: Path, request_id: str) -> Told | None:
    """The request of that id, ``None`` where the log has none.

    Raises :class:`~failsoft.request_log.contract.LogDownError` where the log cannot be read.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)
        try:
            return _told(connection, request_id)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LogDownError(explain(error, path)) from error


def _told(connection: sqlite3.Connection, request_id: str) -> Told | None:
    row = connection.execute(_REQUEST, (request_id,)).fetchone()
    if row is None:
        return None
    number, state, route, stream, run, created_at, ended_at, attempt = row
    return Told(
        state=RequestState(state),
        route=route,
        stream=bool(stream),
        run=run,
        created_at=created_at,
        ended_at=ended_at,
        attempt=attempt,
        stories=dict(connection.execute(_STORIES, (number,)).fetchall()),
    )
