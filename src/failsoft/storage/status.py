"""Whether a store works, and what the operator can do if it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

__all__ = ["StoreHealth", "StoreStatus"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """Whether a store works. ``problem`` is one line for the operator, empty when it does.

    ``since`` is the epoch second of the last change; ``None`` where there was none yet.
    ``set_aside`` is where a damaged file is now, in whose place a new one was begun.
    """

    name: str
    up: bool
    problem: str
    since: float | None
    set_aside: str = ""


class StoreHealth:
    """Keeps the status of a store, and logs each change once: ``NAME_down`` and ``NAME_up``.

    ``clock`` gives epoch seconds; ``fields`` say in the log which file or server it is; ``level``
    is that of ``NAME_down``. Written in one thread at a time, read in any.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], float],
        fields: Mapping[str, str],
        level: int = logging.ERROR,
    ) -> None:
        self.status = StoreStatus(name=name, up=True, problem="", since=None)
        self._clock = clock
        self._fields = dict(fields)
        self._level = level

    def works(self) -> bool:
        """It works; whether that is a change."""
        before = self.status
        if not before.up:
            self.status = replace(before, up=True, problem="", since=self._clock())
            _log.warning("%s_up", before.name, extra={"fields": self._fields})
        return not before.up

    def fails(self, problem: str) -> bool:
        """It does not work, for this reason; whether that is a change."""
        before = self.status
        since = self._clock() if before.up else before.since
        self.status = replace(before, up=False, problem=problem, since=since)
        if before.up:
            fields = {"problem": problem}
            _log.log(self._level, "%s_down", before.name, extra={"fields": fields})
        return before.up

    def set_aside(self, place: str) -> None:
        """A damaged file is at ``place`` now."""
        self.status = replace(self.status, set_aside=place)
