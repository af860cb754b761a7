"""The application's own record of documents: each is entered once for each key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["Documents"]

_TABLE = """
    CREATE TABLE IF NOT EXISTS documents (
        officer TEXT NOT NULL,
        key TEXT NOT NULL,
        title TEXT NOT NULL,
        question TEXT NOT NULL,
        request_id TEXT,
        entered_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ')),
        PRIMARY KEY (officer, key)
    )
"""
_ENTER = """
    INSERT INTO documents (officer, key, title, question) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET key = key RETURNING *
"""
_TIE = "UPDATE documents SET request_id = ? WHERE officer = ? AND key = ?"
_FIND = "SELECT * FROM documents WHERE officer = ? AND key = ?"
_OF = """
    SELECT key, title, request_id, entered_at FROM documents WHERE officer = ? ORDER BY rowid DESC
"""


class Documents:
    """A table of documents. Each belongs to an officer and is hidden from the others."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._do(_TABLE)

    def enter(self, officer: str, key: str, title: str, question: str) -> dict[str, Any]:
        """The document of ``key``: as it was entered first, or entered now.

        ``question`` is kept as it is asked. A key stands for one body, so that one made anew, by a
        later release with other instructions, would be refused.
        """
        (document,) = self._do(_ENTER, officer, key, title, question)
        return document

    def tie(self, officer: str, key: str, request_id: str) -> None:
        """Note which request answers it; one key is always the same request."""
        self._do(_TIE, request_id, officer, key)

    def find(self, officer: str, key: str) -> dict[str, Any] | None:
        """One document with its question."""
        return next(iter(self._do(_FIND, officer, key)), None)

    def of(self, officer: str) -> list[dict[str, Any]]:
        """All documents of an officer, the newest first, without their questions."""
        return self._do(_OF, officer)

    def _do(self, statement: str, *values: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement, values)]
