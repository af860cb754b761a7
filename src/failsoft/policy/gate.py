"""May this target be called now? Its breaker, its holds and its bulkhead, asked in one place."""

from __future__ import annotations

from failsoft.classify.verdict import Verdict
from failsoft.policy.breaker import Breaker
from failsoft.policy.bulkhead import Bulkhead, Place
from failsoft.policy.circuit import CircuitState, Outcome, Rejection, Ticket
from failsoft.policy.hold import Hold, Lease, Refusal
from failsoft.policy.host import HostRow
from failsoft.policy.led_breaker import LedBreaker
from failsoft.policy.led_hold import LedHold
from failsoft.policy.target import Target

__all__ = ["Gate", "Permit"]


class Permit:
    """Leave to make one call. Must be given back with :meth:`Gates.finish`, exactly once counts."""

    __slots__ = ("gate", "leases", "place", "ticket")

    def __init__(
        self, gate: Gate, ticket: Ticket, place: Place, leases: list[tuple[Hold, Lease]]
    ) -> None:
        self.gate = gate
        self.ticket = ticket
        self.place = place
        self.leases = leases

    def first_content(self, now: float) -> None:
        """The target has begun to answer: a probe has done its work."""
        gate = self.gate
        gate.host.alive()
        gate.breaker.first_content(self.ticket, now)
        if self.leases:
            self._settle(now, well=True)

    def _settle(self, now: float, *, well: bool | None) -> None:
        for hold, lease in self.leases:
            hold.done(lease, now, well=well)
        self.leases = []

    def finish(
        self, outcome: Outcome, now: float, *, weight: int = 1, wait_seconds: float | None = None
    ) -> None:
        """Give back everything the permit holds; see :meth:`Breaker.done`."""
        gate = self.gate
        gate.breaker.done(self.ticket, outcome, now, weight=weight, wait_seconds=wait_seconds)
        if self.leases:
            self._settle(now, well=True if outcome is Outcome.SUCCESS else None)
        gate.bulkhead.leave(self.place)


class Gate:
    """Everything that decides whether one target may be called."""

    __slots__ = ("breaker", "bulkhead", "holds", "host", "last_failure", "target")

    def __init__(
        self,
        target: Target,
        *,
        breaker: Breaker,
        holds: list[Hold],
        bulkhead: Bulkhead,
        host: HostRow,
    ) -> None:
        self.target = target
        self.breaker = breaker
        self.holds = holds
        self.bulkhead = bulkhead
        self.host = host
        self.last_failure: Verdict | None = None

    def admit(self, now: float, *, lease_seconds: float) -> Permit | Refusal:
        """A permit, or why not and until when. Nothing is held after a refusal."""
        place = self.bulkhead.enter()
        if place is None:
            # Also a full target is first of all what else it is: open, benched, parked.
            return self.peek(now) or Refusal("full", float("inf"), None)
        leases: list[tuple[Hold, Lease]] = []
        refusal: Refusal | None = None
        for hold in self.holds:
            if hold.active:
                refusal = self._pass_holds(now, lease_seconds, leases)
                break
        if refusal is None:
            ticket = self.breaker.allow(now, lease_seconds=lease_seconds)
            if isinstance(ticket, Ticket):
                return Permit(self, ticket, place, leases)
            refusal = self._refusal(ticket)
        for hold, lease in leases:
            hold.done(lease, now, well=None)
        self.bulkhead.leave(place)
        return refusal

    def peek(self, now: float) -> Refusal | None:
        """Why ``admit`` would refuse right now, taking nothing.

        What will not pass soon comes first: nobody waits for a bench whose breaker is open.
        """
        found: Refusal | None = None
        for hold in self.holds:
            if hold.active and (refusal := hold.peek(now)):
                if not refusal.passes_soon:
                    return refusal
                found = refusal
        if rejection := self.breaker.peek(now):
            return self._refusal(rejection)
        if found is None and self.bulkhead.full:
            return Refusal("full", float("inf"), None)
        return found

    def forked(self) -> None:
        """Go on in a forked process: a lock may be held by a thread that is not there."""
        self.breaker.forked()
        self.bulkhead.forked()
        self.host.forked()
        for hold in self.holds:
            hold.forked()

    def needs_grants(self, now: float) -> list[LedBreaker | LedHold]:
        """What the next call would be a probe of, and a leader has to grant first."""
        if self.breaker.state is CircuitState.CLOSED and not any(h.active for h in self.holds):
            return []
        return [part for part in self._led_parts() if part.needs_grant(now)]

    def give_back_grants(self) -> None:
        """Leases that were granted are for others: the call is not made."""
        for part in self._led_parts():
            part.give_back()

    def _led_parts(self) -> list[LedBreaker | LedHold]:
        parts = (self.breaker, *self.holds)
        return [part for part in parts if isinstance(part, LedBreaker | LedHold)]

    def _pass_holds(
        self, now: float, lease_seconds: float, leases: list[tuple[Hold, Lease]]
    ) -> Refusal | None:
        # What is certain comes before the dice of a slow start: nobody waits for those in vain.
        certain = self.peek(now)
        if certain is not None and certain.why != "full":
            return certain
        for hold in self.holds:
            answer = hold.admit(now, lease_seconds=lease_seconds)
            if isinstance(answer, Refusal):
                return answer
            if answer is not None:
                leases.append((hold, answer))
        return None

    def _refusal(self, rejection: Rejection) -> Refusal:
        why = rejection.why
        verdict = None if why == "isolated" else self.last_failure
        return Refusal(why, rejection.until, verdict)
