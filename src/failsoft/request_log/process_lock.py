"""Which processes use the log, and which of them live."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from failsoft.forks import in_every_child

__all__ = ["Owner", "lives", "locks", "owner_name", "remove_stale_lock"]

_NO_LOCKS: Final = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS}


class Owner:
    """This process. It holds a lock on a file of its own name until it dies, however it dies.

    A process that was forked is another one: workers that were forked from one parent with the
    application already made would else wait for each other's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd: int | None = None
        self._begin()
        in_every_child(self._begin)

    def hold(self) -> None:
        """Hold the lock; again, under the same name, where the file has gone. Raises OSError."""
        if self._fd is not None and _is_at(self._fd, self._path):
            return
        self.release()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(fd, shared=False)  # others hold it for no longer than a look
        except OSError as error:
            os.close(fd)
            self._path.unlink(missing_ok=True)
            if error.errno not in _NO_LOCKS:
                raise
            return
        self._fd = fd
        if not _is_at(fd, self._path):  # taken for a dead one's before it was locked
            self.hold()

    def _begin(self) -> None:
        self.release()
        self.name = owner_name()
        self._path = _path(self._folder, self.name)

    def leave(self) -> None:
        """Leave no file: there is nothing of ours left to take over. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let go: a lock file that is still there is a dead owner's from now on."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def locks(folder: Path) -> set[str]:
    """The owners of this host that have a lock file, dead or alive."""
    return {path.stem for path in folder.glob(f"{_host()}:*.lock")}


def remove_stale_lock(folder: Path, name: str) -> None:
    """Remove the lock file of a dead owner."""
    _path(folder, name).unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def lives(folder: Path, name: str, silent: float, *, dead: float) -> bool:
    """Whether an owner lives whose last heartbeat was ``silent`` seconds ago.

    On this host its lock says so exactly and at once; without a lock, an owner is dead after
    ``dead`` seconds.
    """
    host, _, rest = name.partition(":")
    held = _held(_path(folder, name)) if host == _host() else None
    if held is None:
        return silent < dead
    # A child that was forked may hold the lock on behalf of a process that is gone.
    return held and (silent < dead or _runs(int(rest.partition(":")[0])))


def _held(path: Path) -> bool | None:
    """Whether the lock is held; ``None`` where that cannot be known."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        _lock(fd, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(fd)


def _lock(fd: int, *, shared: bool) -> None:
    try:
        from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock  # noqa: PLC0415 - not on every system
    except ImportError as error:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from error
    flock(fd, LOCK_SH | LOCK_NB if shared else LOCK_EX)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _is_at(fd: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def owner_name() -> str:
    """A name that no other process has, nor this one before."""
    return f"{_host()}:{os.getpid()}:{secrets.token_hex(8)}"


def _host() -> str:
    return re.sub(r"[^\w.-]", "-", socket.gethostname())
