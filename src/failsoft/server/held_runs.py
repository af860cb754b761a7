"""Ended runs with a key that the request log does not have, while it is down."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from failsoft.server.run import Run

__all__ = ["HeldRuns"]

HELD_BYTES: Final = 64 * 1024 * 1024
HELD_SECONDS: Final = 3600.0

Name = tuple[str, str]


class HeldRuns:
    """Held by scope and key, the newest ones within bounds of size and age.

    ``dropped`` counts those that had to go before the log was back. ``clock`` gives monotonic
    seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: OrderedDict[Name, tuple[Run, float, int]] = OrderedDict()
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        """Hold a run that has ended, in place of an earlier run of the same request."""
        name, size = _name_of(run), run.size
        self.remove(name)
        self._runs[name] = run, self._clock(), size
        self._bytes += size
        self._tidy()

    def find(self, name: Name) -> Run | None:
        """The run of that scope and key."""
        self._tidy()
        found = self._runs.get(name)
        return None if found is None else found[0]

    def of_request(self, request_id: str) -> Run | None:
        """The run of that request."""
        self._tidy()
        return next((run for run, _, _ in self._runs.values() if run.record.id == request_id), None)

    def oldest_first(self) -> tuple[Run, ...]:
        """All of them; the first has waited longest for the log."""
        self._tidy()
        return tuple(run for run, _, _ in self._runs.values())

    def remove(self, name: Name, run: Run | None = None) -> None:
        """Hold that name no longer; with ``run`` only if that is the one that is held."""
        found = self._runs.get(name)
        if found is not None and (run is None or run is found[0]):
            del self._runs[name]
            self._bytes -= found[2]

    def _tidy(self) -> None:
        while self._runs:
            name, (_, since, _) = next(iter(self._runs.items()))
            if self._bytes <= HELD_BYTES and self._clock() - since <= HELD_SECONDS:
                return
            self.remove(name)
            self.dropped += 1


def _name_of(run: Run) -> Name:
    return run.record.scope, run.record.key or ""
