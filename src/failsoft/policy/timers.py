"""How long an attempt may take to begin, to go on, and to end."""

from __future__ import annotations

from typing import Literal, NamedTuple

from failsoft.config.settings import DEFAULT_DEADLINES, Settings, TimerSettings

__all__ = [
    "PROBE_LEASE_MARGIN_SECONDS",
    "KnownPeriods",
    "Limits",
    "RequestTimes",
    "deadline_for",
    "first_content_period",
    "limits_for",
    "own_period",
    "thought_seconds",
]

# The lease of a probe outlives its own first-content timer by this much, so that the timer ends
# the call and the lease is only the net under it.
PROBE_LEASE_MARGIN_SECONDS = 5.0

# What the first target's period leaves of a deadline to the targets after it.
_NEXT_TARGET_SECONDS = 15.0

# An attempt is pointless with less than this left to its first content; of a short deadline, a
# tenth.
_LEAST_USEFUL_SECONDS = 1.0
_LEAST_USEFUL_SHARE = 0.1

# A call begins a little after its request: a period that is shorter by so much, or by this share
# of it, is a whole one.
_LATE_SECONDS = 0.1
_LATE_SHARE = 0.05


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

    ``full_period`` says whether the target is given the whole first-content period that the
    settings grant it: only then does the timer speak against the target. ``thinking_seconds`` are
    the longest silence while a block of thought is open. ``lease_seconds`` are a probe's: its own
    period and a margin. ``learned`` says that the first content is due by a learned period.
    ``allowance_seconds`` are what the prompt adds to a first content, ``None`` where nothing is
    learned from this call; what is learned, is learned apart for one that ``thinks``.
    """

    first_content_at: float
    full_period: bool
    idle_seconds: float
    thinking_seconds: float
    answer_at: float
    lease_seconds: float
    learned: bool = False
    allowance_seconds: float | None = None
    thinks: bool = False

    def of_probe(self, began: float) -> Limits:
        """The limits of a probe that began at ``began``: never more than the target's period."""
        due = began + self.lease_seconds - PROBE_LEASE_MARGIN_SECONDS
        return self if due >= self.first_content_at else self._replace(first_content_at=due)


# As fast as a model thinks at least.
_THOUGHT_TOKENS_PER_SECOND = 35


def thought_seconds(settings: TimerSettings, budget_tokens: int) -> float:
    """Seconds a model that thinks may be silent, with ``budget_tokens`` of thought (0: unknown)."""
    return max(settings.thinking_silence_seconds, budget_tokens / _THOUGHT_TOKENS_PER_SECOND)


def first_content_period(
    settings: TimerSettings,
    *,
    input_tokens: int,
    thought_tokens: int | None,
    named: float | None = None,
) -> float:
    """Seconds to the first content of a target of which nothing was learned: the fixed period.

    ``first_content_seconds``, or those ``named`` for the target, in place of which a model that
    thinks is given :func:`thought_seconds` where they are more; and one second for every
    ``input_tokens_per_second`` input tokens.
    """
    fixed = _fixed_period(settings, named, thought_tokens)
    return fixed + input_tokens / settings.input_tokens_per_second


def _fixed_period(settings: TimerSettings, named: float | None, thought: int | None) -> float:
    fixed = settings.first_content_seconds if named is None else named
    return fixed if thought is None else max(fixed, thought_seconds(settings, thought))


def deadline_for(settings: Settings, period_seconds: float, *, stream: bool) -> float:
    """The deadline of a request whose first target may be silent for ``period_seconds``.

    A deadline that was chosen stays; the default one leaves the next target some time too.
    """
    own = settings.effective_stream_deadline_seconds if stream else settings.deadline_seconds
    chosen = (settings.deadline_seconds, settings.stream_deadline_seconds) != DEFAULT_DEADLINES
    return own if chosen else max(own, period_seconds + _NEXT_TARGET_SECONDS)


class KnownPeriods(NamedTuple):
    """A target's first-content periods, in seconds before any allowance for a prompt.

    ``named`` is the period that the settings have for this target, ``learned`` one that calls have
    shown; ``None`` where there is none.
    """

    named: float | None
    learned: float | None


_UNKNOWN = KnownPeriods(None, None)

Why = Literal["named", "learned", "fixed", "halved"]
"""Where a period is from."""


def own_period(
    settings: TimerSettings,
    known: KnownPeriods | None,
    *,
    thought_tokens: int | None,
    hop: int = 0,
) -> tuple[float, Why]:
    """A target's own first-content period in seconds, before any allowance, and where it is from.

    It is the one that the settings name for the target; else what was learned, between
    ``first_content_min_seconds`` and the fixed one; else that one: ``first_content_seconds``, and
    :func:`thought_seconds` where they are more and the model is asked to think. With
    ``later_targets = "halved"`` it is the fixed one, halved at each hop, at least
    ``first_content_min_seconds``.
    """
    named, learned = known or _UNKNOWN
    fixed = _fixed_period(settings, named, thought_tokens)
    if named is not None:
        return fixed, "named"
    if settings.later_targets == "halved":
        least = settings.first_content_min_seconds
        return (max(least, fixed * 0.5**hop), "halved") if hop else (fixed, "fixed")
    if learned is None:
        return fixed, "fixed"
    period = max(settings.first_content_min_seconds, learned)
    return (period, "learned") if period < fixed else (fixed, "fixed")


def limits_for(
    settings: TimerSettings,
    times: RequestTimes,
    *,
    now: float,
    hop: int,
    last: bool,
    input_tokens: int,
    thought_tokens: int | None = None,
    known: KnownPeriods | None = None,
) -> Limits:
    """The limits of the attempt that starts at ``now``, after ``hop`` other targets were called.

    First content: :func:`own_period` and the allowance for the prompt, at most half of what is
    left, where the first target may leave 15 s instead; the last target that can be called gets all
    that is left. ``thought_tokens`` are the budget of thought, ``None`` where none is asked for.
    Without anything ``known`` nothing is learned from the call.
    """
    allowance = input_tokens / settings.input_tokens_per_second
    period, why = own_period(settings, known, thought_tokens=thought_tokens, hop=hop)
    period += allowance
    left, least = times.deadline_at - now, settings.first_content_min_seconds
    granted = left
    if not last:
        half = max(left / 2, min(least, left) if hop else left - _NEXT_TARGET_SECONDS)
        granted = min(period, half)
    late = min(_LATE_SECONDS, _LATE_SHARE * period)
    full = granted >= period - late
    idle = settings.idle_seconds
    return Limits(
        now + granted,
        full or granted >= _own_share(times, hop) - late,
        idle,
        max(idle, thought_seconds(settings, thought_tokens or 0)),
        times.answer_at,
        min(granted, period) + PROBE_LEASE_MARGIN_SECONDS,
        why == "learned" and granted <= period,
        allowance if full and why != "halved" and known is not None else None,
        thought_tokens is not None,
    )


def _own_share(times: RequestTimes, hop: int) -> float:
    """What a target would be given of the deadline of the settings alone."""
    own = times.own_deadline_at - times.started_at
    return own / 2 if hop else max(own / 2, own - _NEXT_TARGET_SECONDS)
