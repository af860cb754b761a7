"""What a process holds, of ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "usage_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Resident memory in MB, open descriptors, and how many of them are TCP connections."""

    memory_mb: float
    descriptors: int
    connections: int


def usage_of(pid: int) -> Usage | None:
    """Look now; None where there is no ``/proc`` or no such process."""
    place = Path("/proc") / str(pid)
    try:
        pages = int((place / "statm").read_text().split()[1])
        held = list(_held(place))
        connected = _connected(place)
    except (OSError, ValueError, IndexError):
        return None
    return Usage(
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000,
        descriptors=len(held),
        connections=sum(each in connected for each in held),
    )


def _held(place: Path) -> Iterator[str]:
    for each in (place / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


def _connected(place: Path) -> set[str]:
    """Sockets with another side, as their descriptors are called."""
    found = set()
    for table in ("tcp", "tcp6"):
        for row in (place / "net" / table).read_text().splitlines()[1:]:
            fields = row.split()
            if not fields[2].endswith(":0000"):
                found.add(f"socket:[{fields[9]}]")
    return found
