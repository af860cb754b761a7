"""What is done from time to time: signs of life, what the dead left behind, what is too old."""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["UNSEEN_IDS", "forget_old", "give_sign", "interrupt", "seen"]

# A run whose process was killed may have given out ids that were never written. What follows, its
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


def give_sign(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """Say that an owner lives."""
    connection.execute(_SIGN, (owner, now))


def seen(connection: sqlite3.Connection) -> list[tuple[str, float]]:
    """Every owner with the time of its last sign."""
    return connection.execute(_SEEN).fetchall()


def interrupt(connection: sqlite3.Connection, owner: str, now: float) -> None:
    """End what an owner has left running, and strike the owner off."""
    connection.execute(_INTERRUPT, (now, now, UNSEEN_IDS, owner))
    for table in ("owners", "cancels", "followers"):
        connection.execute(f"DELETE FROM {table} WHERE owner = ?", (owner,))  # noqa: S608 - our own three names


def forget_old(connection: sqlite3.Connection, *, oldest: float, now: float, most: int) -> bool:
    """Delete what ended before ``oldest``, at most so many at once; whether there was any.

    Their events go along.
    """
    connection.execute("DELETE FROM followers WHERE until <= ?", (now,))
    return connection.execute(_OLD, (oldest, most)).rowcount > 0
