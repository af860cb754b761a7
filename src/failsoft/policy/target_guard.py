"""Decides whether one target may be called now: its breaker, its benches and its bulkhead."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from failsoft.config.settings import BreakerSettings
from failsoft.policy.bench import Bench, Lease, Refusal
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket
from failsoft.policy.callers import Caller, FairShare
from failsoft.policy.first_content import FirstContents, LearnedPeriod
from failsoft.policy.pacing import Bulkhead, Place
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target import Target
from failsoft.policy.timers import Limits

__all__ = ["HostRow", "Permit", "TargetGuard"]

# A second 429 without a stated wait benches within this time of the first. Calls that began less
# than half a second after the first are of the same burst and have not met it again.
_AGAIN_SECONDS = 60.0
_BURST_SECONDS = 0.5


class HostRow:
    """Counts connection failures in a row over all targets of one host.

    Kept apart from the targets' own breakers: a reply from any target proves the host alive, while
    a row carried into the breaker of a target without calls would never be broken by a success.
    ``silent_seconds`` are how long a target of a host that seems to hang was waited for, ``None``
    where it does not.
    """

    __slots__ = ("_began", "_count", "_lock", "_settings", "silent_seconds")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._count = 0
        self._began = 0.0
        self._lock = Lock()
        self.silent_seconds: float | None = None

    @property
    def failures(self) -> int:
        """Connection failures in a row."""
        return self._count

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
        """See :meth:`.TargetGuard.forked`."""
        self._lock = Lock()

    def _is_dead(self, now: float) -> bool:
        spanned = now - self._began >= self._settings.failure_span_seconds
        return spanned and self._count >= self._settings.failure_threshold

    def alive(self) -> None:
        """The host has replied, well or not."""
        self.silent_seconds = None
        if self._count:
            with self._lock:
                self._count = 0


class Permit:
    """Leave to make one call. Give it back by :meth:`Guards.finish`: the first time counts.

    ``limits`` are those that it began under. ``on_opened`` is called, in any thread, where the
    breaker opens by timeouts before there is content: the request had better go on to another
    target then.
    """

    limits: Limits
    on_opened: Callable[[], None] | None = None
    # What its first content teaches, counted from when, and in which epoch; ``None`` for nothing.
    _learned: LearnedPeriod | None = None
    _since = 0.0
    _epoch = 0

    def __init__(
        self,
        guard: TargetGuard,
        ticket: Ticket,
        place: Place,
        leases: list[tuple[Bench, Lease]],
        caller: Caller | None,
        *,
        began: float,
    ) -> None:
        self.guard = guard
        self.began = began
        self.caller = caller
        self.ticket = ticket
        self.place = place
        self.leases = leases

    def start(self, limits: Limits) -> Limits:
        """The call begins, under these limits: a probe has its target's own period at most."""
        contents, allowance = self.guard.contents, limits.allowance_seconds
        if self.ticket.expires_at is not None or self.leases:
            limits = limits.of_probe(self.began)  # nothing is learned from it
        elif allowance is not None:
            learned = self._learned = contents.thinking if limits.thinks else contents.plain
            self._since, self._epoch = self.began + allowance, learned.epoch
        self.limits = limits
        contents.silent[self] = None
        return limits

    @property
    def silent(self) -> bool:
        """Whether the call is under way and has no content yet."""
        return self in self.guard.contents.silent

    @property
    def samples(self) -> int:
        """About how many calls its period was learned from, 0 where it is not a learned one."""
        return self._learned.samples if self._learned is not None and self.limits.learned else 0

    def first_content(self, now: float) -> None:
        """The target has begun to answer: a probe has done its work."""
        guard = self.guard
        guard.contents.silent.pop(self, None)
        guard.contents.answered_at = now
        if (learned := self._learned) is not None:
            self._learned = None
            own = now - self._since
            # A prompt that the provider had cached takes less time than is allowed for it: how much
            # of the time was the prompt's is not known, and all of it is the most it may have been.
            own = own if own > 0 else now - self.began
            gave_way = learned.answered(own, now, epoch=self._epoch)
            if gave_way is not None:
                guard.contents.gave_way(gave_way)
        guard.host.alive()
        if guard.share.row:
            guard.share.answered()
        if self.caller is not None and self.caller.who is not None:
            self.caller.answered.note(self.caller.who, now)
        guard.breaker.first_content(self.ticket, now)
        if self.leases:
            self._settle(now, well=True)

    def end_silence(self, *, timed_out: bool, now: float) -> None:
        """The call ends without content, maybe because a full period was over."""
        learned, self._learned = self._learned, None
        if learned is not None and timed_out and now >= self.limits.first_content_at:
            learned.cut(epoch=self._epoch, learned=self.limits.learned)

    def _settle(self, now: float, *, well: bool | None) -> None:
        for bench, lease in self.leases:
            bench.done(lease, now, well=well)
        self.leases = []

    def finish(
        self, outcome: Outcome, now: float, *, weight: int = 1, wait_seconds: float | None = None
    ) -> None:
        """Give back everything the permit holds; see :meth:`Breaker.done`."""
        guard = self.guard
        guard.contents.silent.pop(self, None)
        probes = self.ticket.expires_at is not None and guard.breaker.awaits(self.ticket)
        if probes and self.caller is not None:
            taught = outcome is not Outcome.NEUTRAL
            self.caller.recovery.probe_ended(guard.target.circuit, now, taught=taught)
        guard.breaker.done(self.ticket, outcome, now, weight=weight, wait_seconds=wait_seconds)
        if self.leases:
            self._settle(now, well=True if outcome is Outcome.SUCCESS else None)
        guard.bulkhead.leave(self.place)


class TargetGuard:
    """Everything that decides whether one target may be called."""

    __slots__ = (
        "_limited_at",
        "benches",
        "breaker",
        "bulkhead",
        "contents",
        "host",
        "share",
        "target",
    )

    def __init__(
        self,
        target: Target,
        *,
        breaker: Breaker,
        benches: list[Bench],
        bulkhead: Bulkhead,
        host: HostRow,
        share: FairShare,
        contents: FirstContents,
    ) -> None:
        self.target = target
        self.share = share
        self.contents = contents
        self.breaker = breaker
        self.benches = benches
        self.bulkhead = bulkhead
        self.host = host
        self._limited_at = float("-inf")

    def admit(
        self, now: float, *, lease_seconds: float, caller: Caller | None = None
    ) -> Permit | Refusal:
        """A permit, or why not and until when. Nothing is held after a refusal."""
        place = self.bulkhead.enter()
        if place is None:
            # Also a full target is first of all what else it is: open, benched, parked.
            return self.peek(now, caller) or Refusal("full", float("inf"), None)
        leases: list[tuple[Bench, Lease]] = []
        refusal: Refusal | None = None
        for bench in self.benches:
            if bench.active:
                refusal = self._pass_holds(now, lease_seconds, leases, caller)
                break
        if refusal is None:
            answer = self._enter(now, lease_seconds, caller)
            if isinstance(answer, Ticket):
                return Permit(self, answer, place, leases, caller, began=now)
            refusal = answer
        for bench, lease in leases:
            bench.done(lease, now, well=None)
        self.bulkhead.leave(place)
        return refusal

    def peek(self, now: float, caller: Caller | None = None) -> Refusal | None:
        """Why ``admit`` would refuse right now, taking nothing.

        What will not pass soon comes first: no wait for a bench whose breaker is open.
        """
        found: Refusal | None = None
        for bench in self.benches:
            if bench.active and (refusal := bench.peek(now)):
                if not refusal.passes_soon:
                    return refusal
                found = refusal
        if refusal := self._peek(now, caller):
            if not refusal.passes_soon:
                return refusal
            found = found or refusal
        if found is None and self.bulkhead.full:
            return Refusal("full", float("inf"), None)
        return found

    def _enter(self, now: float, lease_seconds: float, caller: Caller | None) -> Ticket | Refusal:
        """Leave of the breaker, and of the route's recovery, to begin a call."""
        breaker = self.breaker
        if caller is None:
            answer = breaker.allow(now, lease_seconds=lease_seconds)
            return answer if isinstance(answer, Ticket) else self._refusal(answer)
        early = False
        if breaker.state is not CircuitState.CLOSED:
            early = self._early(caller)
            if refusal := self._not_yet(now, caller, early=early):
                return refusal
        elif caller.recovery.slow_start is not None:
            until = caller.pass_now(self.target.circuit, now)
            if until is not None:
                return Refusal("slow_start", until, breaker.last_failure)
        answer = breaker.allow(now, lease_seconds=lease_seconds, early=early)
        if isinstance(answer, Rejection):
            return self._refusal(answer)
        if answer.expires_at is not None:
            median = self.contents.of(thinks=False).median(now)
            caller.probes(self.target.circuit, breaker, now, median)
        return answer

    def _peek(self, now: float, caller: Caller | None) -> Refusal | None:
        """What :meth:`_enter` would refuse."""
        breaker = self.breaker
        if caller is None:
            rejection = breaker.peek(now)
            return None if rejection is None else self._refusal(rejection)
        if breaker.state is CircuitState.CLOSED:
            if caller.recovery.slow_start is None:
                return None
            until = caller.turn_at(self.target.circuit, now)
            return None if until is None else Refusal("slow_start", until, breaker.last_failure)
        return self._not_yet(now, caller, early=self._early(caller))

    def _not_yet(self, now: float, caller: Caller, *, early: bool) -> Refusal | None:
        """Why one that is not closed is not to be probed; ``early``: it need not wait its turn."""
        not_in_turn = self._not_in_turn(now, caller)
        if rejection := self.breaker.peek(now, early=early):
            return self._refusal(rejection)
        return None if early else not_in_turn

    def _not_in_turn(self, now: float, caller: Caller) -> Refusal | None:
        until = caller.held_back(self.target.circuit, self.breaker, now)
        return None if until is None else Refusal("open", until, self.breaker.last_failure)

    def limited_again(self, began: float, now: float) -> bool:
        """Whether a call from ``began`` to ``now`` is the second to meet a limit within 60 s."""
        first = self._limited_at
        if now - first > _AGAIN_SECONDS:
            self._limited_at = now
            return False
        again = began - first >= _BURST_SECONDS
        if again:
            self._limited_at = now
        return again

    def forked(self) -> None:
        """Go on in a forked process: a lock may be held by a thread that is not there."""
        self.breaker.forked()
        self.share.forked()
        self.contents.forked()
        self.bulkhead.forked()
        self.host.forked()
        for bench in self.benches:
            bench.forked()

    def needs_grants(self, now: float, caller: Caller | None) -> list[SharedBreaker | SharedBench]:
        """What the next call would be a probe of, and a coordinator has to grant first."""
        if self.breaker.state is CircuitState.CLOSED and not any(h.active for h in self.benches):
            return []
        parts: list[SharedBreaker | SharedBench] = [
            bench
            for bench in self.benches
            if isinstance(bench, SharedBench) and bench.needs_grant(now)
        ]
        breaker = self.breaker
        if isinstance(breaker, SharedBreaker) and self._wants_probe(breaker, now, caller):
            parts.append(breaker)
        return parts

    def _wants_probe(self, breaker: SharedBreaker, now: float, caller: Caller | None) -> bool:
        early = caller is not None and self._early(caller)
        if not breaker.needs_grant(now, early=early):
            return False
        return early or caller is None or self._not_in_turn(now, caller) is None

    def give_back_grants(self) -> None:
        """Leases that were granted are for others: the call is not made."""
        for part in self._led_parts():
            part.give_back()

    def _led_parts(self) -> list[SharedBreaker | SharedBench]:
        parts = (self.breaker, *self.benches)
        return [part for part in parts if isinstance(part, SharedBreaker | SharedBench)]

    def _early(self, caller: Caller) -> bool:
        """Whether this caller may probe at once what another has opened alone."""
        breaker = self.breaker
        if breaker.state is CircuitState.CLOSED:
            return False
        return self.share.lets_in(caller, one_caller=breaker.one_caller)

    def _pass_holds(
        self,
        now: float,
        lease_seconds: float,
        leases: list[tuple[Bench, Lease]],
        caller: Caller | None,
    ) -> Refusal | None:
        # What is certain comes before the dice of a slow start: no wait for those in vain.
        certain = self.peek(now, caller)
        if certain is not None and certain.why != "full":
            return certain
        for bench in self.benches:
            answer = bench.admit(now, lease_seconds=lease_seconds)
            if isinstance(answer, Refusal):
                return answer
            if answer is not None:
                leases.append((bench, answer))
        return None

    def _refusal(self, rejection: Rejection) -> Refusal:
        why = rejection.why
        verdict = None if why == "isolated" else self.breaker.last_failure
        return Refusal(why, rejection.until, verdict)
