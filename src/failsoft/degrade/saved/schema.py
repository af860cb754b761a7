"""The tables of saved answers."""

from __future__ import annotations

import sqlite3
from typing import Final

from failsoft.requests import schema

__all__ = ["prepare"]

# Other tables would get a file of another name: processes of two versions may run side by side.
_VERSION: Final = 1

# Ids and numbers are never used twice: what another process has deleted is not taken for what came
# after. Vectors are apart from the texts: a matrix is read without those.
_TABLES: Final = (
    """
    CREATE TABLE partitions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL UNIQUE,
        scope TEXT NOT NULL,
        route TEXT NOT NULL,
        entries INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        partition INTEGER NOT NULL,
        same BLOB NOT NULL,
        tenant TEXT NOT NULL,
        user TEXT NOT NULL,
        question TEXT NOT NULL,
        response TEXT NOT NULL,
        answered_at REAL NOT NULL,
        seal BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX entries_same ON entries (partition, same)",
    "CREATE INDEX entries_in_order ON entries (partition)",
    "CREATE INDEX entries_of ON entries (tenant, user)",
    """
    CREATE TABLE vectors (
        id INTEGER PRIMARY KEY,
        partition INTEGER NOT NULL,
        answered_at REAL NOT NULL,
        embedder TEXT NOT NULL,
        vector BLOB NOT NULL
    )
    """,
    "CREATE INDEX vectors_in_order ON vectors (partition)",
    """
    CREATE TRIGGER entries_are_counted AFTER INSERT ON entries
    BEGIN UPDATE partitions SET entries = entries + 1 WHERE number = new.partition; END
    """,
    """
    CREATE TRIGGER entries_take_along AFTER DELETE ON entries
    BEGIN
        DELETE FROM vectors WHERE id = old.id;
        UPDATE partitions SET entries = entries - 1 WHERE number = old.partition;
        DELETE FROM partitions WHERE number = old.partition AND entries <= 0;
    END
    """,
)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none. What is deleted is overwritten."""
    connection.execute("PRAGMA secure_delete = ON")
    schema.prepare(connection, tables=_TABLES, version=_VERSION)
