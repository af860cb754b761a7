"""The circuit breaker of one target: a pure state machine, the clock and the dice passed in.

    closed ──── failures in a row, or their share ────▶ open ◀───────────────┐
       ▲                                                 │ it is probed      │ a probe fails
       │                                                 ▼                   │
       └──────── on trial: a probe succeeds ────────── half_open ────────────┘

One that closes is on trial: until ``success_threshold`` calls have succeeded, the probe among them,
one failure opens it again. With ``recovery = "fixed"`` it is probed ``recovery_timeout_seconds``
after each opening; with ``"adaptive"`` whenever its caller wants to, which is
:class:`.Recovery`'s to say.

Use is in two steps: ``allow`` gives a ticket or a rejection, ``done`` brings the ticket back with
its outcome. A ticket belongs to a generation, which every transition ends, so that what began
before it is never counted after it. A probe is a leased ticket: a probe that hangs loses its
lease and never holds the breaker half open.

Failures are known at once and answers take their time, so what has finished says little after a
quiet hour or in a burst. Two things keep that from opening a breaker. A call counts as a success
at its first content (and as a failure after all, should it be cut). And a failure is weighed
against the calls of its time that are still undecided; see :func:`trips`. For the same reason a
row of failures is one of calls in the order in which they began: an answer to a call from before
its first does not end it, or a model that went down would be taken for well while it goes on
answering what it had begun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from threading import Lock
from typing import Literal

from failsoft.classify.verdict import Verdict
from failsoft.config.settings import BreakerSettings
from failsoft.policy.tripping import Counts, trips
from failsoft.policy.window import Window

__all__ = [
    "Breaker",
    "BreakerStatus",
    "CircuitState",
    "Outcome",
    "Rejection",
    "Ticket",
    "Transition",
]


class CircuitState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(Enum):
    """What a finished call says of its target."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


# Of calls that begin so soon after each other, it says nothing which of them fails first.
_BURST_SECONDS = 0.25


class _Burst:
    """Calls that begin within 0.25 s: until when, and how many had been admitted at its end."""

    __slots__ = ("admitted", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.admitted = 0


@dataclass(slots=True, eq=False)
class Ticket:
    """Leave to make one call. ``expires_at`` is the end of a probe's lease, else ``None``.

    It is the ``number`` th of its generation, given in a ``burst`` of others; ``begun_at`` is when
    the call began to answer; ``lease`` is the id of a granted one.
    """

    generation: int
    expires_at: float | None = None
    number: int = 0
    burst: _Burst | None = None
    begun_at: float | None = None
    spent: bool = False
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """No leave: why (``open``, ``half_open``, ``isolated``), and when to ask again."""

    why: Literal["open", "half_open", "isolated"]
    until: float


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state; ``open_seconds`` is how long it stays open, where it opened."""

    before: CircuitState
    after: CircuitState
    reason: str
    open_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """A snapshot; ``recovery_in_seconds`` runs to the next probe.

    Counts are of the window, of one that is not closed those that opened it.
    """

    state: CircuitState
    calls: int
    failures: int
    failures_in_row: int
    recovery_in_seconds: float | None
    isolated: bool


# While a probe is out it pays off to ask again after this: most end long before their lease.
_PROBE_SECONDS = 5.0

# What a provider asks for beyond this is not believed without a probe.
_LONGEST_ASKED_SECONDS = 900.0


class Breaker:
    """Safe under threads. Times are monotonic seconds given by the caller.

    ``last_failure`` is the verdict on the last call that counted, for refused callers, and
    ``failed_seconds`` what that call took. ``opened_at`` is when it opened last.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        on_change: Callable[[Transition], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._lock = Lock()
        self.last_failure: Verdict | None = None
        self.failed_seconds = 0.0
        self.opened_at = float("-inf")
        self._window = Window(settings.window_seconds, settings.window_buckets)
        self._state = CircuitState.CLOSED
        self._isolated = False
        self._generation = 0
        self._in_row = self._row_calls = 0  # weight and number of the failures in a row
        self._row_began = 0.0
        self._row_first = 0  # the number of the first call of the row
        self._admitted = 0
        self._decided = 0
        self._burst = _Burst(float("-inf"))
        self._open_until = 0.0
        self._asked_until = 0.0
        self._opened_by = (0, 0)  # calls, and those of them that failed
        self._leases: list[Ticket] = []
        self._trial = 0  # successes it needs until it is closed for good

    @property
    def state(self) -> CircuitState:
        """The state as last decided; an open breaker turns half open at the next ``allow``."""
        return self._state

    @property
    def on_trial(self) -> bool:
        """Whether one failure would open it."""
        return self._trial > 0

    @property
    def one_caller(self) -> bool | None:
        """Whether one caller alone opened it; ``None`` where only this process's share is known."""
        return None

    @property
    def processes(self) -> int:
        """How many processes count for it."""
        return 1

    def allow(self, now: float, *, lease_seconds: float, early: bool = False) -> Ticket | Rejection:
        """Ask to make one call; a probe's lease ends ``lease_seconds`` after ``now``.

        ``early``: an open one is probed before its time is over.
        """
        with self._lock:
            if self._state is CircuitState.CLOSED:
                return self._admit(now)
            answer, change = self._allow(now, lease_seconds, early=early)
        self._tell(change)
        if isinstance(answer, Rejection) and self._settings.metrics_only:
            return Ticket(self._generation)
        return answer

    def peek(self, now: float, *, early: bool = False) -> Rejection | None:
        """What ``allow`` would reject right now, without taking anything."""
        return None if self._settings.metrics_only else self._peek(now, early=early)

    def awaits(self, ticket: Ticket) -> bool:
        """Whether the end of that call would count: it is of the generation of now."""
        return not ticket.spent and ticket.generation == self._generation

    def first_content(self, ticket: Ticket, now: float) -> None:
        """The call has begun to answer; a probe has then succeeded, any other so far."""
        if ticket.expires_at is not None:
            self.done(ticket, Outcome.SUCCESS, now)
            return
        with self._lock:
            if self.awaits(ticket) and ticket.begun_at is None:
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
        failure of a brownout benches nothing else: a fifth of the calls would close the service.
        """
        if outcome is Outcome.SUCCESS and ticket.begun_at is not None:
            ticket.spent = True  # its success was counted when it began to answer
            return
        with self._lock:
            if wait_seconds is not None and outcome is Outcome.FAILURE:
                asked = min(wait_seconds, _LONGEST_ASKED_SECONDS)
                self._asked_until = max(self._asked_until, now + asked)
            change = self._done(ticket, outcome, now, weight)
        self._tell(change)

    def trip(self, now: float, reason: str, failures: int = 0) -> None:
        """Open a closed breaker for what was learnt elsewhere: its host failed so often."""
        with self._lock:
            closed = self._state is CircuitState.CLOSED
            change = self._trip(now, reason) if closed else None
            if closed:
                self._opened_by = max(self._opened_by, (failures, failures))
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
            change = self._move(CircuitState.CLOSED, "restored")
        self._tell(change)

    def status(self, now: float) -> BreakerStatus:
        """A snapshot at ``now``."""
        with self._lock:
            closed = self._state is CircuitState.CLOSED
            calls, failures, in_row = self._counted(now)
            if not closed:
                calls, failures = self._opened_by
            waiting = self._state is CircuitState.OPEN and not self._isolated
            return BreakerStatus(
                state=self._state,
                calls=calls,
                failures=failures,
                failures_in_row=in_row,
                recovery_in_seconds=max(0.0, self._open_until - now) if waiting else None,
                isolated=self._isolated,
            )

    def _counted(self, now: float) -> tuple[int, int, int]:
        """Calls and failures of the window, and failures in a row."""
        return *self._window.totals(now), self._in_row

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`."""
        self._lock = Lock()
        # The parent's calls under way will never be decided here, and its probe is its own.
        self._admitted = self._decided
        self._leases.clear()

    def _peek(self, now: float, *, early: bool = False) -> Rejection | None:
        if self._state is CircuitState.CLOSED:
            return None
        with self._lock:
            if self._isolated:
                return Rejection("isolated", float("inf"))
            if self._state is CircuitState.OPEN and now < self._open_until and not early:
                return Rejection("open", self._open_until)
            if self._state is CircuitState.HALF_OPEN:
                return self._lease_taken(now)
            return None

    def _allow(
        self, now: float, lease: float, *, early: bool
    ) -> tuple[Ticket | Rejection, Transition | None]:
        if self._isolated:
            return Rejection("isolated", float("inf")), None
        if self._state is CircuitState.OPEN and now < self._open_until and not early:
            return Rejection("open", self._open_until), None
        return self._probe(now, now + lease)

    def _probe(self, now: float, expires_at: float) -> tuple[Ticket | Rejection, Transition | None]:
        change = None
        if self._state is CircuitState.OPEN:
            early = now < self._open_until
            reason = "another caller asks" if early else "probed"
            change = self._move(CircuitState.HALF_OPEN, reason)
        return self._lease_taken(now) or self._lend(expires_at), change

    def _lend(self, expires_at: float, lease: str | None = None) -> Ticket:
        ticket = Ticket(self._generation, expires_at, lease=lease)
        self._leases.append(ticket)
        return ticket

    def _admit(self, now: float) -> Ticket:
        burst = self._burst
        if now > burst.until:
            burst = self._burst = _Burst(now + _BURST_SECONDS)
        self._admitted += 1
        burst.admitted = self._admitted
        return Ticket(self._generation, None, self._admitted, burst)

    def _lease_taken(self, now: float) -> Rejection | None:
        self._leases = [t for t in self._leases if t.expires_at is not None and t.expires_at > now]
        if len(self._leases) < self._settings.probes:
            return None
        return self._probed(now, min(t.expires_at or now for t in self._leases))

    def _probed(self, now: float, free_at: float) -> Rejection:
        return Rejection("half_open", max(now, min(free_at, now + _PROBE_SECONDS)))

    def _done(self, ticket: Ticket, outcome: Outcome, now: float, weight: int) -> Transition | None:
        if not self.awaits(ticket):
            return None
        ticket.spent = True
        if ticket.expires_at is not None:
            return self._probe_done(ticket, outcome, now)
        if self._state is not CircuitState.CLOSED:
            return None
        if outcome is Outcome.SUCCESS:
            self._begun(ticket, now)
            return None
        if ticket.begun_at is not None:
            return self._cut(ticket, now) if outcome is Outcome.FAILURE else None
        self._decided += 1
        return self._failed(ticket, now, weight) if outcome is Outcome.FAILURE else None

    def _failed(self, ticket: Ticket, now: float, weight: int) -> Transition | None:
        older = 0 if ticket.burst is None else max(0, ticket.burst.admitted - self._decided)
        self._row_first = min(self._row_first or ticket.number, ticket.number)
        return self._count(now, weight, older)

    def _cut(self, ticket: Ticket, now: float) -> Transition | None:
        """A call that had begun has failed after all: it was no success, and is in no row."""
        self._window.take_back(ticket.begun_at or now)
        self._window.add(now, marked=True)
        return self._judge(now)

    def _begun(self, ticket: Ticket, now: float) -> None:
        ticket.begun_at = now
        self._decided += 1
        if self._row_first and self._ends_row(ticket):
            self._in_row = self._row_calls = 0
        if self._trial:
            self._trial -= 1
        self._window.add(now)

    def _ends_row(self, ticket: Ticket) -> bool:
        """Whether a success began after the row of failures did."""
        if self._row_first and ticket.number < self._row_first:
            return False
        self._row_first = 0
        self._asked_until = 0.0  # it answers, whatever it asked for before
        return True

    def _probe_done(self, ticket: Ticket, outcome: Outcome, now: float) -> Transition | None:
        if ticket not in self._leases:
            return None
        self._leases.remove(ticket)
        if outcome is Outcome.FAILURE:
            return self._open(now, "probe failed")
        if outcome is Outcome.SUCCESS:
            change = self._move(CircuitState.CLOSED, "probe succeeded: on trial")
            self._trial = self._settings.success_threshold - 1
            return change
        return None

    def _count(self, now: float, weight: int, older: int) -> Transition | None:
        self._window.add(now, marked=True)
        if not self._in_row:
            self._row_began = now
        self._in_row += weight
        self._row_calls += 1
        return self._judge(now, self._in_row, self._row_calls, older)

    def _judge(
        self, now: float, in_row: int = 0, row_calls: int = 0, older: int = 0
    ) -> Transition | None:
        seconds, on_trial = now - self._row_began, self._trial > 0
        calls, failures = self._window.totals(now)
        counts = Counts(calls, failures, in_row, row_calls, seconds, older, on_trial)
        reason = trips(self._settings, counts)
        return None if reason is None else self._open(now, reason)

    def _trip(self, now: float, reason: str) -> Transition | None:
        return self._open(now, reason)

    def _open(self, now: float, reason: str) -> Transition:
        if self._state is CircuitState.CLOSED:
            self._opened_by = self._window.totals(now)
        self.opened_at, self._open_until = now, now + self._open_for(now)
        return self._move(CircuitState.OPEN, reason, self._open_until - now)

    def _open_for(self, now: float) -> float:
        fixed = self._settings.recovery == "fixed"
        seconds = self._settings.recovery_timeout_seconds if fixed else 0.0
        return max(now + seconds, self._asked_until) - now

    def _move(
        self, after: CircuitState, reason: str, open_seconds: float | None = None
    ) -> Transition:
        change = Transition(self._state, after, reason, open_seconds)
        self._state = after
        self._generation += 1
        self._leases.clear()
        self._trial = 0
        self._in_row = self._row_calls = self._row_first = 0
        self._admitted = self._decided = 0
        self._burst = _Burst(float("-inf"))
        self._window.clear()
        if after is CircuitState.CLOSED:
            self._opened_by = (0, 0)
            self._asked_until = 0.0
        return change

    def _tell(self, change: Transition | None) -> None:
        if change is None or change.before is change.after or self._on_change is None:
            return
        self._on_change(change)
