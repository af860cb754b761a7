"""The tables of the SQLite request log."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from failsoft.storage.sqlite import make_tables

__all__ = ["VERSION", "prepare"]

VERSION: Final = 2

# What happened in a run, event by event.
_STORIES: Final = (
    """
    CREATE TABLE stories (
        request INTEGER NOT NULL,
        run INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (request, run)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER stories_go_along AFTER DELETE ON requests
    BEGIN DELETE FROM stories WHERE request = old.number; END
    """,
)

# What makes a file of that version one of the next.
_STEPS: Final[Mapping[int, Sequence[str]]] = MappingProxyType({1: _STORIES})

# What a commit costs is the pages it touches. So requests and events lie in the order they came,
# what is written together side by side, and the index by owner holds only what runs. `events` has
# a row a flush and run; `last` is the id of its last event, so that a reader seeks straight to what
# it has not seen.
_TABLES: Final = (
    """
    CREATE TABLE requests (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        scope TEXT NOT NULL,
        key TEXT,
        fingerprint BLOB NOT NULL,
        stream INTEGER NOT NULL,
        route TEXT NOT NULL,
        locale TEXT NOT NULL,
        state TEXT NOT NULL,
        run INTEGER NOT NULL,
        owner TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        ended_at REAL,
        attempt INTEGER NOT NULL,
        retry_at REAL,
        status INTEGER,
        body BLOB,
        retryable INTEGER NOT NULL,
        first_id INTEGER NOT NULL,
        last_id INTEGER NOT NULL,
        shown_run INTEGER NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX requests_key ON requests (scope, key) WHERE key IS NOT NULL",
    "CREATE INDEX requests_running ON requests (owner) WHERE ended_at IS NULL",
    """
    CREATE TABLE events (
        number INTEGER PRIMARY KEY,
        request INTEGER NOT NULL,
        run INTEGER NOT NULL,
        last INTEGER NOT NULL,
        data BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX events_of_run ON events (request, run, last)",
    """
    CREATE TRIGGER events_go_along AFTER DELETE ON requests
    BEGIN DELETE FROM events WHERE request = old.number; END
    """,
    *_STORIES,
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, seen_at REAL NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE cancels (
        owner TEXT NOT NULL,
        request TEXT NOT NULL,
        run INTEGER NOT NULL,
        PRIMARY KEY (owner, request, run)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE followers (
        request TEXT NOT NULL,
        owner TEXT NOT NULL,
        until REAL NOT NULL,
        PRIMARY KEY (request, owner)
    ) WITHOUT ROWID
    """,
)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of the request log, or upgrade those of an earlier version."""
    make_tables(connection, tables=_TABLES, version=VERSION, steps=_STEPS)
