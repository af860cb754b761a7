"""Reads one request out of a log that others may be writing, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from failsoft.request_log.contract import LogDownError, RequestState
from failsoft.storage.outages import explain
from failsoft.storage.times import StoreTimes

__all__ = ["MOST_ALIKE", "Told", "ids_like", "tell_of"]

MOST_ALIKE = 20

_LOCK_WAIT: Final = StoreTimes().lock_wait

_T = TypeVar("_T")

_REQUEST = """
    SELECT number, state, route, stream, run, created_at, ended_at, attempt
    FROM requests WHERE id = ?
"""
_LIKE = "SELECT id FROM requests WHERE substr(id, 1, ?) = ? ORDER BY number DESC LIMIT ?"
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
    return _read(path, lambda connection: _told(connection, request_id))


def ids_like(path: Path, prefix: str) -> list[str]:
    """The newest :data:`MOST_ALIKE` requests whose id begins so; raises as :func:`tell_of` does."""
    wanted = (len(prefix), prefix, MOST_ALIKE)
    return (
        _read(path, lambda connection: [id_ for (id_,) in connection.execute(_LIKE, wanted)]) or []
    )


def _read(path: Path, ask: Callable[[sqlite3.Connection], _T]) -> _T | None:
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_WAIT
        )
        try:
            return ask(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LogDownError(explain(error, path, "request log", lock_wait=_LOCK_WAIT)) from error


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
