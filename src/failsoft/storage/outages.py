"""Which errors mean that a SQLite file cannot be used, and what to tell the operator."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from failsoft.storage.schema import NewerSchemaError

__all__ = [
    "DROPPING",
    "LOCK_SECONDS",
    "OutageError",
    "explain",
    "is_busy",
    "is_damage",
    "is_outage",
]

# How long a lock that another program holds is waited for, once; then the log is down.
LOCK_SECONDS = 2.0

# The fault of one statement and its values, not of the file.
_STATEMENT: Final = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DENIED: Final = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
DROPPING: Final = "; what is given out meanwhile no longer fits in memory and is lost to the log"
_AGAIN: Final = "; it is tried again by itself every few seconds"


class OutageError(Exception):
    """The file cannot be used; the message is what is wrong and what to do."""


def is_outage(error: Exception) -> bool:
    """Whether it concerns the whole file, rather than one statement."""
    code = _code(error)
    return (
        isinstance(error, OSError | NewerSchemaError | OutageError)
        or (code is not None and code not in _STATEMENT)
        or is_damage(error)
    )


def is_busy(error: Exception) -> bool:
    """Whether another connection holds the lock."""
    return _code(error) in _BUSY


def is_damage(error: Exception) -> bool:
    """Whether the content of the file is wrong, at times so wrong that it cannot even be read."""
    return _code(error) in _DAMAGE or isinstance(error, UnicodeDecodeError)


def explain(error: Exception, path: Path, what: str = "request log") -> str:
    """One line for the operator: which file, what is wrong, what to do."""
    return f"{what} {path}: {_reason(error, path)}{_AGAIN}"


def _reason(error: Exception, path: Path) -> str:
    code = _code(error)
    match code:
        case sqlite3.SQLITE_FULL:
            return "the disk is full: free some space"
        case _ if code in _BUSY:
            return f"locked by another program for more than {LOCK_SECONDS:g} s: end that program"
        case _ if is_damage(error):
            return (
                f"damaged, or no SQLite file ({error}): move it away together with its -wal and "
                "-shm, and a new one is made"
            )
    return _other_reason(error, path, denied=code in _DENIED)


def _other_reason(error: Exception, path: Path, *, denied: bool) -> str:
    if isinstance(error, NewerSchemaError):
        return (
            f"written by a later version (schema {error.args[0]}, this one knows {error.args[1]}): "
            "install that version, or move the file away"
        )
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir it never raises
        return "a directory is in its place: move it away"
    if denied or isinstance(error, PermissionError):
        return f"cannot be written ({error}): give this user the right to write in {path.parent}"
    return f"cannot be used ({error}): check the disk and the folder {path.parent}"


def _code(error: Exception) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
