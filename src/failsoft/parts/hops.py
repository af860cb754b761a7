"""One pass along a chain: each target at most once, and the ledger of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from failsoft.classify import classify, verdict_for
from failsoft.classify.verdict import Sent, Verdict
from failsoft.engine.answering import error_kind
from failsoft.engine.clock import monotonic
from failsoft.engine.deadline import inherited_times
from failsoft.engine.ledger import Attempt, AttemptOutcome
from failsoft.errors import AIError
from failsoft.notices import Catalogue, notice_for
from failsoft.policy.circuit import Outcome
from failsoft.policy.gate import Permit
from failsoft.policy.gates import Gates
from failsoft.policy.hold import Refusal
from failsoft.policy.legs import Leg, back_at, restrict, spokesman
from failsoft.policy.target import Target

__all__ = ["Hop", "Hops"]


@dataclass(frozen=True, slots=True)
class Hop:
    """Leave to call one target; told to :class:`Hops` how it ended."""

    name: str
    leg: Leg
    permit: Permit
    began: float


class Hops:
    """Which target is next, until one answers. ``wanted`` decides in place of the verdicts."""

    def __init__(
        self,
        targets: Sequence[tuple[str, Target]],
        gates: Gates,
        *,
        lease_seconds: float,
        wanted: Callable[[Exception], bool] | None,
    ) -> None:
        self._times = inherited_times(monotonic())
        self._names = [name for name, _ in targets]
        self._legs = [Leg(target, place) for place, (_, target) in enumerate(targets)]
        self._gates = gates
        self._lease_seconds = lease_seconds
        self._wanted = wanted
        self._failures: list[tuple[Leg, Verdict]] = []
        self._errors: list[Exception] = []
        self._refusals: list[Refusal] = []
        self.attempts: list[Attempt] = []

    def next(self) -> Hop | None:
        """The next target that may be called; ``None`` where there is none, or no time for it."""
        now = monotonic()
        latest = self._times.useful_until if self.attempts else self._times.deadline_at
        if now > latest:
            return None
        for name, leg in zip(self._names, self._legs, strict=True):
            if leg.calls or leg.unfit:
                continue
            leg.calls = 1
            permit = self._gates.of(leg.target).admit(now, lease_seconds=self._lease_seconds)
            if isinstance(permit, Permit):
                return Hop(name, leg, permit, now)
            self._refusals.append(permit)
        return None

    def answered(self, hop: Hop) -> None:
        """It gave a result."""
        now = monotonic()
        hop.permit.finish(Outcome.SUCCESS, now)
        self._record(hop, "success", None, now)

    def failed(self, hop: Hop, error: BaseException) -> bool:
        """It raised; whether that is a failure, and not somebody's wish to stop."""
        now = monotonic()
        provider = hop.leg.target.provider
        verdict = classify(error, provider=provider, now=time.time())
        if not isinstance(error, Exception) or verdict.reason == "cancelled":
            hop.permit.finish(Outcome.NEUTRAL, now)
            return False
        self._gates.finish(hop.permit, verdict, now)
        self._record(hop, "failure", verdict, now)
        self._rule_out(hop.leg, verdict, error)
        self._failures.append((hop.leg, verdict))
        self._errors.append(error)
        return True

    def given_up(self) -> AIError:
        """What to raise where no target answered."""
        now = monotonic()
        at = back_at([self._gates.peek(leg.target, now) for leg in self._legs])
        verdict, cause = self._reported()
        wait = verdict.wait_seconds if at is None else max(0.0, at - now)
        notice = notice_for(verdict, catalogue=Catalogue.load(), retry_in_seconds=wait)
        tried = ", ".join(f"{one.target} ({one.verdict})" for one in self.attempts) or "none"
        error = error_kind(verdict)(
            f"{verdict}: no target answered; tried: {tried}",
            verdict=verdict,
            notice=notice,
            attempts=tuple(self.attempts),
            retry_after=wait,
        )
        error.__cause__ = cause
        return error

    def _rule_out(self, failed: Leg, verdict: Verdict, error: Exception) -> None:
        if self._wanted is None:
            restrict(self._legs, failed, verdict, hopped=bool(self._failures))
        elif not self._wanted(error):
            for leg in self._legs:
                leg.unfit = True

    def _reported(self) -> tuple[Verdict, Exception | None]:
        if self._failures:
            verdict = spokesman(self._failures)
            known = zip(self._failures, self._errors, strict=True)
            return verdict, next(error for (_, said), error in known if said is verdict)
        if not self._refusals:
            return verdict_for("deadline_passed"), None
        said = (refusal.verdict for refusal in self._refusals)
        return next((v for v in said if v is not None), verdict_for("saturated")), None

    def _record(
        self, hop: Hop, outcome: AttemptOutcome, verdict: Verdict | None, now: float
    ) -> None:
        self.attempts.append(
            Attempt(
                number=len(self.attempts) + 1,
                target=hop.name,
                outcome=outcome,
                verdict=verdict,
                started_seconds=hop.began - self._times.started_at,
                duration_seconds=now - hop.began,
                wait_seconds=0.0,
                first_content_seconds=None,
                shown_chars=0,
                sent=Sent.MAYBE if verdict is None else verdict.sent,
                usage={},
                provider_request_id=verdict.provider_request_id if verdict else None,
            )
        )
