"""How long an attempt may take to begin, to go on, and to end."""

from __future__ import annotations

from typing import NamedTuple

from failsoft.config.settings import TimerSettings

__all__ = ["PROBE_LEASE_MARGIN_SECONDS", "Limits", "RequestTimes", "limits_for"]

# The lease of a probe outlives its own first-content timer by this much, so that the timer ends
# the call and the lease is only the net under it.
PROBE_LEASE_MARGIN_SECONDS = 5.0

# An attempt is pointless with less than this left to its first content; of a short deadline, a
# tenth.
_LEAST_USEFUL_SECONDS = 1.0
_LEAST_USEFUL_SHARE = 0.1

# A float's worth of slack: limits are differences of large monotonic readings.
_EPSILON = 1e-6


class RequestTimes(NamedTuple):
    """The moments of one request, monotonic seconds.

    ``deadline_at`` governs starts, waits and the first content; ``own_deadline_at`` is what the
    settings alone would grant, so that a caller's shorter limit is known as the caller's;
    ``answer_at`` ends an answer that is alive.
    """

    started_at: float
    deadline_at: float
    own_deadline_at: float
    answer_at: float

    @property
    def useful_until(self) -> float:
        """The latest moment at which starting a further attempt makes sense."""
        total = self.deadline_at - self.started_at
        return self.deadline_at - min(_LEAST_USEFUL_SECONDS, total * _LEAST_USEFUL_SHARE)


class Limits(NamedTuple):
    """The limits of one attempt: monotonic moments, and the longest silence in seconds.

    ``full_period`` tells whether the target is given the whole first-content period that the
    settings grant it: only then does the timer speak against the target.
    """

    first_content_at: float
    full_period: bool
    idle_seconds: float
    answer_at: float
    lease_seconds: float


def limits_for(
    settings: TimerSettings,
    times: RequestTimes,
    *,
    now: float,
    hop: int,
    last: bool,
    input_tokens: int,
) -> Limits:
    """The limits of the attempt that starts at ``now``.

    First content: ``first_content_seconds`` plus one second for every ``input_tokens_per_second``
    input tokens, halved for each of the ``hop`` targets called before, at least
    ``first_content_min_seconds``, at most half of what is left; the last target that can be called
    gets all that is left.
    """
    least = settings.first_content_min_seconds
    base = settings.first_content_seconds + input_tokens / settings.input_tokens_per_second
    period = max(least, base * 0.5**hop) if hop else base
    left = times.deadline_at - now
    half = max(left / 2, min(least, left)) if hop else left / 2
    granted = left if last else min(period, half)
    whole = min(period, (times.own_deadline_at - times.started_at) / 2)
    return Limits(
        first_content_at=now + granted,
        full_period=granted >= whole - _EPSILON,
        idle_seconds=settings.idle_seconds,
        answer_at=times.answer_at,
        lease_seconds=granted + PROBE_LEASE_MARGIN_SECONDS,
    )
