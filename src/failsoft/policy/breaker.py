"""The circuit breaker of one target: a pure state machine, the clock and the dice passed in.

    closed ──── failures in a row, or their share ────▶ open ◀───────────────┐
       ▲                                                 │ its time is over  │ a probe fails
       │                                                 ▼                   │
       └──────────── success_threshold probes ─────── half_open ─────────────┘

Use is in two steps: ``allow`` gives a ticket or a rejection, ``done`` brings the ticket back with
its outcome. A ticket belongs to a generation, which every transition ends, so that what began
before it is never counted after it. A probe is a leased ticket: a probe that hangs loses its
lease and never holds the breaker half open.

Failures are told at once and answers take their time, so what has finished says little after a
quiet hour or in a burst. Two things keep that from opening a breaker. A call counts as a success
at its first content (and as a failure after all, should it be cut). And a failure is weighed
against the calls that began before it and are still undecided, as if all of them were to succeed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import Lock

from failsoft.config.settings import BreakerSettings
from failsoft.policy.circuit import (
    BreakerStatus,
    CircuitState,
    Outcome,
    Rejection,
    Ticket,
    Transition,
)
from failsoft.policy.window import Window

__all__ = ["RAMP_FLOOR_SECONDS", "Breaker"]

# While the slow start lasts, one call a second is let through whatever the dice say: a quiet
# service is never kept waiting for a stampede that is not there.
RAMP_FLOOR_SECONDS = 1.0

# What a provider asks for beyond this is not believed without a probe.
_LONGEST_ASKED_SECONDS = 900.0


class Breaker:
    """Safe under threads. Times are monotonic seconds given by the caller."""

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        rng: Random,
        on_change: Callable[[Transition], None] | None = None,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._on_change = on_change
        self._lock = Lock()
        self._window = Window(settings.window_seconds, settings.window_buckets)
        self._state = CircuitState.CLOSED
        self._isolated = False
        self._generation = 0
        self._in_row = 0
        self._row_began = 0.0
        self._admitted = 0
        self._decided = 0
        self._open_until = 0.0
        self._asked_until = 0.0
        self._reopened = 0
        self._leases: list[Ticket] = []
        self._probes_passed = 0
        self._ramp_began: float | None = None
        self._ramp_last = 0.0

    @property
    def state(self) -> CircuitState:
        """The state as last decided; an open breaker turns half open at the next ``allow``."""
        return self._state

    def allow(self, now: float, *, lease_seconds: float) -> Ticket | Rejection:
        """Ask to make one call; a probe's lease ends ``lease_seconds`` after ``now``."""
        with self._lock:
            if self._state is CircuitState.CLOSED and self._ramp_began is None:
                return self._admit()
            answer, change = self._allow(now, lease_seconds)
        self._tell(change)
        if isinstance(answer, Rejection) and self._settings.metrics_only:
            return Ticket(self._generation)
        return answer

    def peek(self, now: float) -> Rejection | None:
        """What ``allow`` would reject right now, without taking anything or rolling dice."""
        if self._state is CircuitState.CLOSED or self._settings.metrics_only:
            return None
        with self._lock:
            if self._isolated:
                return Rejection("isolated", float("inf"))
            if self._state is CircuitState.OPEN and now < self._open_until:
                return Rejection("open", self._open_until)
            if self._state is CircuitState.HALF_OPEN:
                return self._lease_taken(now)
            return None

    def first_content(self, ticket: Ticket, now: float) -> None:
        """The call has begun to answer; a probe has then succeeded, any other so far."""
        if ticket.expires_at is not None:
            self.done(ticket, Outcome.SUCCESS, now)
            return
        with self._lock:
            live = not ticket.spent and ticket.generation == self._generation
            if live and ticket.begun_at is None:
                self._begun(ticket, now)

    def done(
        self,
        ticket: Ticket,
        outcome: Outcome,
        now: float,
        *,
        weight: int = 1,
        wait_seconds: float | None = None,
    ) -> None:
        """Bring a ticket back, once or more; only the first time counts.

        ``weight`` is how many failures in a row a failure stands for. ``wait_seconds`` is what the
        provider asked for with it: should the breaker open, it stays open at least as long. One
        failure of a brownout benches nobody else: a fifth of the calls would close the service.
        """
        with self._lock:
            if wait_seconds is not None and outcome is Outcome.FAILURE:
                asked = min(wait_seconds, _LONGEST_ASKED_SECONDS)
                self._asked_until = max(self._asked_until, now + asked)
            change = self._done(ticket, outcome, now, weight)
        self._tell(change)

    def trip(self, now: float, reason: str) -> None:
        """Open a closed breaker for what was learnt elsewhere (its host is down)."""
        with self._lock:
            change = self._open(now, reason) if self._state is CircuitState.CLOSED else None
        self._tell(change)

    def isolate(self) -> None:
        """Open by hand, until :meth:`restore`."""
        with self._lock:
            self._isolated = True
            change = self._move(CircuitState.OPEN, "isolated", float("inf"))
        self._tell(change)

    def restore(self) -> None:
        """Close by hand."""
        with self._lock:
            self._isolated = False
            self._reopened = 0
            self._asked_until = 0.0
            change = self._move(CircuitState.CLOSED, "restored")
        self._tell(change)

    def status(self, now: float) -> BreakerStatus:
        """A snapshot at ``now``."""
        with self._lock:
            calls, failures = self._window.totals(now)
            waiting = self._state is CircuitState.OPEN and not self._isolated
            return BreakerStatus(
                state=self._state,
                calls=calls,
                failures=failures,
                failures_in_row=self._in_row,
                recovery_in_seconds=max(0.0, self._open_until - now) if waiting else None,
                isolated=self._isolated,
            )

    def _allow(self, now: float, lease: float) -> tuple[Ticket | Rejection, Transition | None]:
        if self._state is CircuitState.CLOSED:
            return self._hold_back(now) or self._admit(), None
        if self._isolated:
            return Rejection("isolated", float("inf")), None
        change = None
        if self._state is CircuitState.OPEN:
            if now < self._open_until:
                return Rejection("open", self._open_until), None
            change = self._move(CircuitState.HALF_OPEN, "open time over")
        if taken := self._lease_taken(now):
            return taken, change
        ticket = Ticket(self._generation, now + lease)
        self._leases.append(ticket)
        return ticket, change

    def _admit(self) -> Ticket:
        admitted, decided = self._admitted, self._decided
        self._admitted = admitted + 1
        return Ticket(self._generation, None, admitted - decided, decided)

    def _lease_taken(self, now: float) -> Rejection | None:
        self._leases = [t for t in self._leases if t.expires_at is not None and t.expires_at > now]
        if len(self._leases) < self._settings.probes:
            return None
        return Rejection("half_open", min(t.expires_at or now for t in self._leases))

    def _hold_back(self, now: float) -> Rejection | None:
        ramp = self._settings.ramp_seconds
        elapsed = now - self._ramp_began if self._ramp_began is not None else ramp
        if elapsed >= ramp:
            self._ramp_began = None
            return None
        due = now - self._ramp_last >= RAMP_FLOOR_SECONDS
        if due or self._rng.random() * ramp < elapsed:
            self._ramp_last = now
            return None
        # Spread over a whole ramp, so that those held back do not arrive together at its end.
        return Rejection("ramp", now + self._rng.uniform(0.0, ramp))

    def _done(self, ticket: Ticket, outcome: Outcome, now: float, weight: int) -> Transition | None:
        if ticket.spent or ticket.generation != self._generation:
            return None
        ticket.spent = True
        if ticket.expires_at is not None:
            return self._probe_done(ticket, outcome, now)
        if self._state is not CircuitState.CLOSED:
            return None
        if outcome is Outcome.SUCCESS:
            if ticket.begun_at is None:
                self._begun(ticket, now)
            self._in_row = 0
            return None
        if ticket.begun_at is not None:
            return self._cut(ticket, now) if outcome is Outcome.FAILURE else None
        older = max(0, ticket.ahead - (self._decided - ticket.decided))
        self._decided += 1
        return self._count(now, weight, older) if outcome is Outcome.FAILURE else None

    def _cut(self, ticket: Ticket, now: float) -> Transition | None:
        """A call that had begun has failed after all: it was no success, and is in no row."""
        self._window.take_back(ticket.begun_at or now)
        self._window.add(now, marked=True)
        return self._share(now, 0)

    def _begun(self, ticket: Ticket, now: float) -> None:
        ticket.begun_at = now
        self._decided += 1
        self._in_row = 0
        self._window.add(now)

    def _probe_done(self, ticket: Ticket, outcome: Outcome, now: float) -> Transition | None:
        if ticket not in self._leases:
            return None
        self._leases.remove(ticket)
        if outcome is Outcome.FAILURE:
            self._reopened += 1
            return self._open(now, "probe failed")
        if outcome is Outcome.SUCCESS:
            self._probes_passed += 1
            if self._probes_passed >= self._settings.success_threshold:
                self._reopened = 0
                self._ramp_began = self._ramp_last = now
                return self._move(CircuitState.CLOSED, "probes succeeded")
        return None

    def _count(self, now: float, weight: int, older: int) -> Transition | None:
        rules = self._settings
        self._window.add(now, marked=True)
        if not self._in_row:
            self._row_began = now
        self._in_row += weight
        spanned = now - self._row_began >= rules.failure_span_seconds
        in_row = self._in_row >= rules.failure_threshold and spanned
        if in_row and self._in_row >= rules.failure_ratio * (self._in_row + older):
            return self._open(now, "failures in a row")
        return self._share(now, older)

    def _share(self, now: float, older: int) -> Transition | None:
        rules = self._settings
        calls, failures = self._window.totals(now)
        if calls >= rules.min_calls and failures >= rules.failure_ratio * (calls + older):
            return self._open(now, "share of failures")
        return None

    def _open(self, now: float, reason: str) -> Transition:
        rules = self._settings
        longest = max(rules.open_seconds, rules.recovery_timeout_seconds)
        grown = rules.open_seconds * rules.open_multiplier ** min(self._reopened, 60)
        # Jittered upward after the cap, so that processes do not probe in step.
        seconds = min(longest, grown) * (1.0 + self._rng.uniform(0.0, rules.open_jitter))
        self._open_until = max(now + seconds, self._asked_until)
        return self._move(CircuitState.OPEN, reason, self._open_until - now)

    def _move(
        self, after: CircuitState, reason: str, open_seconds: float | None = None
    ) -> Transition:
        change = Transition(self._state, after, reason, open_seconds)
        self._state = after
        self._generation += 1
        self._leases.clear()
        self._probes_passed = 0
        self._in_row = 0
        self._admitted = self._decided = 0
        self._window.clear()
        if after is not CircuitState.CLOSED:
            self._ramp_began = None
        return change

    def _tell(self, change: Transition | None) -> None:
        if change is None or change.before is change.after or self._on_change is None:
            return
        self._on_change(change)
