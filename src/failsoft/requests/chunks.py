"""What many runs have given out, written with few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final

__all__ = ["Chunk", "write_chunks"]

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
