"""Connection failures to one host, which concern every target on it."""

from __future__ import annotations

from threading import Lock

from failsoft.config.settings import BreakerSettings

__all__ = ["HostRow"]


class HostRow:
    """Counts connection failures in a row over all targets of one host.

    Kept apart from the targets' own breakers: a reply from any target proves the host alive, while
    a row carried into the breaker of a target nobody calls would never be broken by a success.
    """

    __slots__ = ("_began", "_count", "_lock", "_settings")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._count = 0
        self._began = 0.0
        self._lock = Lock()

    def failed(self, now: float) -> bool:
        """Count a connection failure; whether the host is to be taken for dead."""
        with self._lock:
            if not self._count:
                self._began = now
            self._count += 1
            return self._is_dead(now)

    def dead(self, now: float) -> bool:
        """Whether the host is to be taken for dead."""
        with self._lock:
            return self._is_dead(now)

    def forked(self) -> None:
        """See :meth:`.Gate.forked`."""
        self._lock = Lock()

    def _is_dead(self, now: float) -> bool:
        spanned = now - self._began >= self._settings.failure_span_seconds
        return spanned and self._count >= self._settings.failure_threshold

    def alive(self) -> None:
        """The host has replied, well or not."""
        if self._count:
            with self._lock:
                self._count = 0
