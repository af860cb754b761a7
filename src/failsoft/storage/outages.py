"""Which errors mean that a SQLite file cannot be used, and what to tell the operator."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

__all__ = ["NewerSchemaError", "OutageError", "explain", "is_busy", "is_damage", "is_outage"]

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
_AGAIN: Final = "; it is tried again by itself every few seconds"


class NewerSchemaError(Exception):
    """A later version wrote the file; the arguments are its schema and the newest known one."""


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
    return isinstance(error, BlockingIOError) or _code(error) in _BUSY


def is_damage(error: Exception) -> bool:
    """Whether the content of the file is wrong; SQLite may quote it in bytes that are no text."""
    return _code(error) in _DAMAGE or isinstance(error, UnicodeDecodeError)


def explain(error: Exception, path: Path, what: str, *, lock_wait: float) -> str:
    """One line for the operator: which file, what is wrong, what to do.

    ``what`` names the store; ``lock_wait`` is how many seconds a lock was waited for.
    """
    return f"{what} {path}: {_reason(error, path, lock_wait)}{_AGAIN}"


def _reason(error: Exception, path: Path, lock_wait: float) -> str:
    code = _code(error)
    match code:
        case sqlite3.SQLITE_FULL:
            return "the disk is full: free some space"
        case _ if code in _BUSY:
            return f"locked by another program for more than {lock_wait:g} s: end that program"
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
