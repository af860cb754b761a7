"""Sets a damaged SQLite file aside, so that a new one can be begun in its place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from failsoft.storage.sqlite import identity

__all__ = ["alone", "remove_damaged", "set_aside"]


def set_aside(path: Path, which: tuple[int, int] | None) -> Path | None:
    """Rename a damaged file, and say where it is now; ``None`` where another process was first.

    ``which`` is its :func:`~failsoft.storage.sqlite.identity`. Only the latest is kept. Raises
    :class:`OSError`. To be called with no connection of this process open.
    """
    with alone(path.parent):
        if which is None or identity(path) != which:
            return None
        remove_damaged(path)
        place = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
        for end in ("-wal", "-shm", ""):  # the file itself last: until then it is tried again
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).replace(path.with_name(place + end))
    return path.with_name(place)


def remove_damaged(path: Path, *, before: float | None = None) -> None:
    """Delete what was set aside (before an epoch second): there are people's words in it."""
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        with suppress(OSError):
            if before is None or old.stat().st_ctime < before:
                old.unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others from opening a file whose parts are being renamed, where there are such locks.

    Raises :class:`BlockingIOError` where another process is at it.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock  # noqa: PLC0415 - not on every system
    except ImportError:
        yield
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(fd)
