"""Keeps a scope out for a time: a bench its provider named, or a park of our own.

A scope is a target, a model family, an account or a host: whatever shares the limit that was hit.
After a bench the scope starts slowly: the share that is let through grows with time, the same in
all processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Final, Literal

from failsoft.classify.verdict import Verdict
from failsoft.config.settings import RetrySettings

__all__ = ["RAMP_FLOOR_SECONDS", "Bench", "Lease", "Ramp", "Refusal"]


# While the slow start lasts, one call a second is let through whatever the dice say: a quiet
# service is never kept waiting for a stampede that is not there.
RAMP_FLOOR_SECONDS: Final = 1.0


class Ramp:
    """Not locked: its owner is. Times are monotonic seconds given by the caller."""

    __slots__ = ("_began", "_last", "_rng", "_seconds", "active")

    def __init__(self, rng: Random) -> None:
        self.active = False
        self._rng = rng
        self._began = 0.0
        self._seconds = 0.0
        self._last = 0.0

    def begin(self, at: float, seconds: float, *, passed_at: float = float("-inf")) -> None:
        """Start slowly from ``at`` on, for ``seconds``; the last call passed at ``passed_at``."""
        self.active = True
        self._began = at
        self._seconds = seconds
        self._last = passed_at

    def end(self) -> None:
        """Let everything through."""
        self.active = False

    def hold_back(self, now: float) -> float | None:
        """``None`` lets one call pass; else until when it is better elsewhere."""
        elapsed = now - self._began
        if elapsed >= self._seconds:
            self.active = False
            return None
        due = now - self._last >= RAMP_FLOOR_SECONDS
        if due or self._rng.random() * self._seconds < elapsed:
            self._last = now
            return None
        # Spread over a whole ramp, so that those held back do not arrive together at its end.
        return now + self._rng.uniform(0.0, self._seconds)


Why = Literal["open", "half_open", "isolated", "slow_start", "ramp", "bench", "park", "full"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A target that may not be called now: why, until when, and the verdict that led to it."""

    why: Why
    until: float
    verdict: Verdict | None

    @property
    def passes_soon(self) -> bool:
        """Whether waiting for it can make sense within one request."""
        return self.why in ("bench", "ramp", "slow_start")


@dataclass(slots=True, eq=False)
class Lease:
    """The one probe after a bench without a named end; ``id`` that of a granted lease."""

    expires_at: float
    id: str | None = None


class Bench:
    """The bench and the park of one scope. Times are monotonic seconds given by the caller.

    A bench is extended, never shortened. One longer than ``bench_max_seconds`` is cut there, and a
    park always ends, with one leased probe: nothing shows that the scope is well again. A bench
    that ran its whole time ends with a slow start no longer than itself.
    """

    def __init__(
        self, scope: str, retry: RetrySettings, *, ramp_seconds: float, rng: Random
    ) -> None:
        self.scope = scope
        self.active = False
        self.until = 0.0
        self.verdict: Verdict | None = None
        self._retry = retry
        self._ramp_seconds = ramp_seconds
        self._ramp = Ramp(rng)
        self._rng = rng
        self._lock = Lock()
        self._kind: Literal["bench", "park"] = "bench"
        self._probe_due = False
        self._lease: Lease | None = None
        self._parks = 0

    def bench(self, now: float, seconds: float, verdict: Verdict | None) -> float | None:
        """Keep out for what the provider named; the seconds, or ``None`` where nothing changed."""
        with self._lock:
            granted = min(seconds, self._retry.bench_max_seconds)
            if granted <= 0 or now + granted <= self.until:
                return None
            # A park that is overtaken by a longer bench still owes its probe.
            probe = granted < seconds or (self.active and self._probe_due)
            self._begin("bench", now + granted, verdict, probe=probe)
            self._ramp.begin(self.until, min(self._ramp_seconds, granted))
            return granted

    def park(self, now: float, verdict: Verdict) -> float | None:
        """Keep out for ``park_seconds``, doubled at each failed probe; ``None`` if already out."""
        with self._lock:
            if self.active and self._kind == "park" and now < self.until:
                return None
            seconds = min(
                self._retry.park_max_seconds, self._retry.park_seconds * 2.0 ** min(self._parks, 30)
            )
            self._parks += 1
            self._begin("park", max(self.until, now + seconds), verdict, probe=True)
            return seconds

    def admit(self, now: float, *, lease_seconds: float) -> Lease | Refusal | None:
        """``None`` lets pass, a lease is the one probe and must be given back, or a refusal."""
        with self._lock:
            if refusal := self._refuse(now):
                return refusal
            if self._probe_due:
                return self._probe(now, now + lease_seconds)
            return self._start_slowly(now)

    def peek(self, now: float) -> Refusal | None:
        """What ``admit`` would refuse, without taking anything or rolling dice."""
        with self._lock:
            return self._refuse(now)

    def done(self, lease: Lease, now: float, *, well: bool | None) -> None:
        """Give a probe back: the scope is well, is not, or (``None``) nothing was learnt."""
        with self._lock:
            if lease is not self._lease:
                return
            self._lease = None
            self._probed(lease, now, well=well)

    def release(self) -> None:
        """Let in at once, by hand."""
        with self._lock:
            self.active = self._probe_due = False
            self.until = 0.0
            self._parks = 0

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`: a probe under way is the parent's."""
        self._lock = Lock()
        self._lease = None

    def _begin(
        self, kind: Literal["bench", "park"], until: float, verdict: Verdict | None, *, probe: bool
    ) -> None:
        self.active = True
        self._kind = kind
        self.until = until
        self.verdict = verdict
        self._probe_due = probe
        self._lease = None

    def _probe(self, now: float, expires_at: float) -> Lease | Refusal:  # noqa: ARG002 - led ones ask when
        self._lease = Lease(expires_at)
        return self._lease

    def _probed(self, lease: Lease, now: float, *, well: bool | None) -> None:  # noqa: ARG002 - led ones tell whose
        if well:
            self._probe_due = False
            self._parks = 0
            self._ramp.begin(now, self._ramp_seconds)

    def _refuse(self, now: float) -> Refusal | None:
        if not self.active:
            return None
        if now < self.until:
            return Refusal(self._kind, self.until, self.verdict)
        if self._probe_due and self._lease is not None and self._lease.expires_at > now:
            return Refusal(self._kind, self._lease.expires_at, self.verdict)
        return None

    def _start_slowly(self, now: float) -> Refusal | None:
        until = self._ramp.hold_back(now) if self.active and self._ramp.active else None
        self.active = self.active and self._ramp.active
        return None if until is None else Refusal("ramp", until, self.verdict)
