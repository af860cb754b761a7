"""One attempt of a wrapped client, whichever SDK it is of, and what the SDK would mend itself.

A connection of an event loop that is gone is left for a new one, and a limit of the caller's own is
known as the caller's: neither is a model's failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2

from failsoft.classify.wire_errors import TimedOut, Timer

__all__ = ["CallerLimits", "ClientAttempt", "Passed", "causes"]

# The SDKs' own default.
_CONNECT_SECONDS = 5.0

# The engine's own timer ends an attempt; the limit of its thread's connection is the net under it.
_NET_SECONDS = 1.0

# Idle connections that a pool of the SDK's may have kept from an event loop that is gone.
_MOST_IDLE = 100


class Passed(BaseException):
    """Takes what the caller's own middleware made of a call past the engine, untouched.

    That is a value in place of a reply, or an ``error`` of its own. No model was at fault.
    """

    def __init__(self, value: object = None, error: Exception | None = None) -> None:
        super().__init__(value, error)
        self.value = value
        self.error = error

    def given(self) -> Any:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


class CallerLimits(NamedTuple):
    """The seconds that a caller grants each phase of a call; ``None`` is no limit."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None

    @classmethod
    def of(cls, timeout: float | httpx2.Timeout | None) -> CallerLimits:
        """Those of a timeout as the SDK takes it."""
        if isinstance(timeout, httpx2.Timeout):
            return cls(timeout.connect, timeout.read, timeout.write, timeout.pool)
        return cls(timeout, timeout, timeout, timeout)

    def ended(self, error: BaseException, seconds: float) -> bool:
        """Whether ``error`` is one of these limits, of an attempt that has ``seconds`` itself."""
        for link in causes(error):
            if isinstance(link, httpx2.ConnectTimeout):
                return (self.connect or _CONNECT_SECONDS) < _CONNECT_SECONDS
            if isinstance(link, httpx2.ReadTimeout):
                return self.read is not None and self.read < seconds
            if isinstance(link, httpx2.WriteTimeout):
                return self.write is not None and self.write < seconds
        return False


class ClientAttempt:
    """One attempt, which ``streams`` its answer or not.

    ``seconds`` is the longest silence that the engine waits through, ``max_bytes`` the largest
    answer. ``raised`` are the exceptions of the SDK, or of its arguments: all else is of the
    caller's own middleware or hooks.
    """

    raised: tuple[type[BaseException], ...] = (httpx2.HTTPError, OSError, TypeError, ValueError)

    def __init__(
        self, limits: CallerLimits, seconds: float | None, max_bytes: int, *, streams: bool
    ) -> None:
        self.limits = limits
        self.seconds = float("inf") if seconds is None else seconds
        self.max_bytes = max_bytes
        self.streams = streams
        self._left = _MOST_IDLE

    def net(self) -> httpx2.Timeout:
        """The caller's limits, none far above the engine's: what is in a thread cannot be ended."""
        net, own = self.seconds + _NET_SECONDS, self.limits
        return httpx2.Timeout(
            connect=min(net, own.connect or _CONNECT_SECONDS),
            read=min(net, own.read or net),
            write=min(net, own.write or net),
            pool=min(net, own.pool or net),
        )

    def outlived(self, error: BaseException) -> bool:
        """Whether a connection failed because its event loop is gone; nothing was sent then."""
        if self._left and any(map(_is_dead_loop, causes(error))):
            self._left -= 1
            return True
        return False

    def expired(self, error: Exception) -> TimedOut | None:
        """What the engine has to see of ``error`` where it is a limit of the caller's own."""
        if not self.limits.ended(error, self.seconds):
            return None
        return TimedOut(Timer.DEADLINE, self.limits.read or 0.0, full_period=False)

    def judged(self, error: Exception) -> BaseException:
        """What a call raised, as the engine has to see it."""
        if expired := self.expired(error):
            return expired
        known = any(isinstance(link, self.raised) for link in causes(error))
        return error if known else Passed(error=error)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what led to it."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _is_dead_loop(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "event loop is closed" in str(error).lower()
