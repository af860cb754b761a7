"""The open file of a SQLite request log, as one process holds it. For the writer's thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from failsoft.requests.chores import forget_old, give_sign, interrupt, seen
from failsoft.requests.database import connect, identity, transaction
from failsoft.requests.outage import LOCK_SECONDS, OutageError, is_busy
from failsoft.requests.owners import Owner, bury, lives, locks
from failsoft.requests.rows import Rows

__all__ = ["Book", "Keeping"]

T = TypeVar("T")

# Requests deleted in one transaction: with their events it takes some milliseconds, and nobody
# shall wait long behind it.
_FORGET: Final = 50

_ROOM_BYTES: Final = 256 * 1024

# Between two tries to get the lock: other processes hold it for about a millisecond.
_TRY_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where the log is kept, for how long (seconds), whether with text, and by which clock."""

    path: Path
    retention: float
    store_text: bool
    clock: Callable[[], float]

    @property
    def owners(self) -> Path:
        """The folder of the owners' locks."""
        return self.path.parent / "owners"


class Book:
    """An open file. Every method waits at most ``LOCK_SECONDS`` for a lock.

    Whatever is wrong with the file is raised as it comes; then the book is to be closed.
    """

    def __init__(self, keeping: Keeping, owner: Owner, *, check: bool) -> None:
        self._keeping = keeping
        self._owner = owner
        keeping.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner.hold()
        self._connection = _patiently(lambda: connect(keeping.path, check=check))
        self._file = identity(keeping.path)
        self.rows = Rows(
            self._connection,
            owner=owner.name,
            clock=keeping.clock,
            retention=keeping.retention,
            store_text=keeping.store_text,
        )

    def do(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do it all or nothing, in one transaction. May be done over where a lock is in the way."""

        def once() -> T:
            with transaction(self._connection, writes=writes):
                return work()

        return _patiently(once)

    def give_sign(self) -> None:
        """Say that we live. Raises :class:`OutageError` where the file is not the one we opened."""
        if identity(self._keeping.path) != self._file:
            raise OutageError("removed or replaced while in use")
        self._owner.hold()
        now = self._keeping.clock()
        self.do(lambda: give_sign(self._connection, self._owner.name, now), writes=True)

    def try_room(self) -> None:
        """Write and delete as much as a busy second brings, to see whether there is room for it."""
        blank = "INSERT INTO events (request, run, last, data) VALUES (0, 0, 0, zeroblob(?))"
        self.do(lambda: self._connection.execute(blank, (_ROOM_BYTES,)), writes=True)
        gone = "DELETE FROM events WHERE request = 0"
        self.do(lambda: self._connection.execute(gone), writes=True)

    def recover(self) -> None:
        """End what dead owners have left running; those that live are left alone."""
        now, folder = self._keeping.clock(), self._keeping.owners
        listed = dict.fromkeys(locks(folder), 0.0)  # a lock may outlive a file that was moved away
        listed.update(self.do(lambda: seen(self._connection), writes=False))
        for name, seen_at in listed.items():
            if name != self._owner.name and not lives(folder, name, now - seen_at):
                self._strike_off(name)
                bury(folder, name)

    def forget_old(self) -> bool:
        """Delete some of what is too old; whether there may be more of it."""
        now = self._keeping.clock()
        oldest = now - self._keeping.retention
        return self.do(
            lambda: forget_old(self._connection, oldest=oldest, now=now, most=_FORGET),
            writes=True,
        )

    def take_leave(self) -> None:
        """End what we have left running, and go."""
        self._strike_off(self._owner.name)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _strike_off(self, name: str) -> None:
        now = self._keeping.clock()
        self.do(lambda: interrupt(self._connection, name, now), writes=True)


def _patiently(work: Callable[[], T]) -> T:
    """Try again while somebody else holds a lock, for ``LOCK_SECONDS``."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(_TRY_SECONDS)
