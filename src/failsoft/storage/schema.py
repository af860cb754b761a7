"""Makes and upgrades the tables of a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = ["NewerSchemaError", "prepare"]


class NewerSchemaError(Exception):
    """A later version wrote the file; the arguments are its schema and the newest known one."""


def prepare(
    connection: sqlite3.Connection,
    *,
    tables: Sequence[str],
    version: int,
    steps: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Make the tables, or upgrade those of an earlier version. Raises :class:`NewerSchemaError`."""
    if _version(connection, version) == version:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection, version)  # another process may have been first
        stages = [tables] if not found else [steps[stage] for stage in range(found, version)]
        for statement in (statement for stage in stages for statement in stage):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _version(connection: sqlite3.Connection, known: int) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise NewerSchemaError(version, known)
    return version
