"""Falls back to the next of several functions where one fails.

One pass calls each target at most once and keeps the ledger of it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random, SystemRandom
from typing import Any, Generic, ParamSpec, TypeVar, overload

from failsoft.attempt import Attempt, AttemptOutcome
from failsoft.classify import classify, verdict_for
from failsoft.classify.verdict import Sent, Verdict
from failsoft.config.settings import BreakerSettings, Settings
from failsoft.engine.answers import error_kind
from failsoft.engine.deadline import inherited_times, monotonic
from failsoft.errors import AIError, SettingError
from failsoft.forks import in_every_child
from failsoft.notices import Catalogue, notice_for
from failsoft.policy.admission import Guards
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import CircuitState, Outcome, Transition
from failsoft.policy.candidates import Candidate, back_at, restrict, verdict_to_report
from failsoft.policy.target import Target
from failsoft.policy.target_guard import Permit
from failsoft.providers.models import facts
from failsoft.standalone.function_breaker import CLASSIC_BREAKER, LEASE_SECONDS
from failsoft.standalone.functions import Which, is_async, matcher, refuse_generators, tell

__all__ = ["ChainResult", "FallbackChain", "Hop", "Hops"]


@dataclass(frozen=True, slots=True)
class Hop:
    """Leave to call one target; reports to :class:`Hops` how it ended."""

    name: str
    candidate: Candidate
    permit: Permit
    began: float


class Hops:
    """Which target is next, until one answers. ``wanted`` decides in place of the verdicts."""

    def __init__(
        self,
        targets: Sequence[tuple[str, Target]],
        guards: Guards,
        *,
        lease_seconds: float,
        wanted: Callable[[Exception], bool] | None,
    ) -> None:
        self._times = inherited_times(monotonic())
        self._names = [name for name, _ in targets]
        self._candidates = [Candidate(target, place) for place, (_, target) in enumerate(targets)]
        self._guards = guards
        self._lease_seconds = lease_seconds
        self._wanted = wanted
        self._failures: list[tuple[Candidate, Verdict]] = []
        self._errors: list[Exception] = []
        self._refusals: list[Refusal] = []
        self.attempts: list[Attempt] = []

    def next(self) -> Hop | None:
        """The next target that may be called; ``None`` where there is none, or no time for it."""
        now = monotonic()
        latest = self._times.useful_until if self.attempts else self._times.deadline_at
        if now > latest:
            return None
        for name, candidate in zip(self._names, self._candidates, strict=True):
            if candidate.calls or candidate.unfit:
                continue
            candidate.calls = 1
            permit = self._guards.of(candidate.target).admit(now, lease_seconds=self._lease_seconds)
            if isinstance(permit, Permit):
                return Hop(name, candidate, permit, now)
            self._refusals.append(permit)
        return None

    def answered(self, hop: Hop) -> None:
        """It gave a result."""
        now = monotonic()
        hop.permit.finish(Outcome.SUCCESS, now)
        self._record(hop, "success", None, now)

    def failed(self, hop: Hop, error: BaseException) -> bool:
        """It raised; whether that is a failure, and not a wish to stop."""
        now = monotonic()
        provider = hop.candidate.target.provider
        verdict = classify(error, provider=provider, now=time.time())
        if not isinstance(error, Exception) or verdict.reason == "cancelled":
            hop.permit.finish(Outcome.NEUTRAL, now)
            return False
        self._guards.finish(hop.permit, verdict, now)
        self._record(hop, "failure", verdict, now)
        self._rule_out(hop.candidate, verdict, error)
        self._failures.append((hop.candidate, verdict))
        self._errors.append(error)
        return True

    def given_up(self) -> AIError:
        """What to raise where no target answered."""
        now = monotonic()
        at = back_at([self._guards.peek(candidate.target, now) for candidate in self._candidates])
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

    def _rule_out(self, failed: Candidate, verdict: Verdict, error: Exception) -> None:
        if self._wanted is None:
            restrict(self._candidates, failed, verdict, hopped=bool(self._failures))
        elif not self._wanted(error):
            for candidate in self._candidates:
                candidate.unfit = True

    def _reported(self) -> tuple[Verdict, Exception | None]:
        if self._failures:
            verdict = verdict_to_report(self._failures)
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


P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult(Generic[R]):
    """What the first target that answered returned, which it was, and all that was tried.

    ``position`` counts from 0 along the chain; those passed over unasked are not ``attempts``.
    """

    value: R
    target: str
    position: int
    attempts: tuple[Attempt, ...]


class FallbackChain(Generic[P, R_co]):
    """Functions that do the same, best first: where one fails, the next is called.

        chain = FallbackChain({"anthropic/opus": ask_opus, "openai/gpt": ask_gpt})
        result = chain.complete("What is an escrow account?")   # awaited where they are
        result.value, result.target, result.attempts

    Each is called at most once, with the same arguments, and nothing waits. Each has a breaker of
    its own (``breaker``: its settings) and is passed over while that is open, or while a wait or a
    dead account in its replies keeps it out. A breaker is the classic one, whose ``recovery`` is
    always ``"fixed"``: open after five failures in a row, probed every minute.

    Whether another may be called is the verdict's to say, in the vocabulary of what stands before
    the slash of its name: two names with the same are two models of one provider, a name without a
    slash is a provider of its own. A refusal or a bad request goes no further. ``fall_back_on``
    decides in its place: an exception class, several, or a function.

    ``on_change`` gets the name and the :class:`~failsoft.standalone.Transition` of every breaker;
    what it raises is logged. Safe under threads, in several event loops and after a fork. Raises
    :class:`~failsoft.SettingError` without any function and :class:`TypeError` for a generator
    function.
    """

    def __init__(
        self,
        targets: Mapping[str, Callable[P, R_co]],
        *,
        fall_back_on: Which | None = None,
        breaker: BreakerSettings | None = None,
        lease_seconds: float = LEASE_SECONDS,
        on_change: Callable[[str, Transition], object] | None = None,
        rng: Random | None = None,
    ) -> None:
        if not targets:
            raise SettingError("targets", "must name at least one function, as {'opus': ask_opus}")
        for name, fn in targets.items():
            refuse_generators(f"FallbackChain, {name}", fn)
        self._functions = dict(targets)
        self._targets = [(name, _target(name)) for name in targets]
        self._is_async = any(map(is_async, targets.values()))
        self._wanted = None if fall_back_on is None else matcher("fall_back_on", fall_back_on)
        self._lease_seconds = lease_seconds
        names = {target: name for name, target in self._targets}
        self._guards = Guards(
            Settings(breaker=replace(breaker or CLASSIC_BREAKER, recovery="fixed")),
            rng=rng or SystemRandom(),
            on_change=lambda target, change: tell(on_change, names[target], change),
        )
        in_every_child(self._guards.forked)

    @property
    def states(self) -> dict[str, CircuitState]:
        """The state of each target's breaker, by its name."""
        return {name: self._guards.of(target).breaker.state for name, target in self._targets}

    def reset(self) -> None:
        """Close every breaker and let everything in again: what kept it out is over."""
        self._guards.reset()

    @overload
    def complete(  # type: ignore[overload-overlap]  # what returns a coroutine is awaited
        self: FallbackChain[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, ChainResult[T]]: ...

    @overload
    def complete(self, *args: P.args, **kwargs: P.kwargs) -> ChainResult[R_co]: ...

    def complete(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the functions in turn until one returns; to be awaited where they are.

        Where none does it raises an :class:`~failsoft.errors.AIError`: its ``verdict`` speaks for
        all, its ``attempts`` tell them, its ``__cause__`` is what was raised. A cancellation, and
        what is no ``Exception``, passes straight through.
        """

        def call(hop: Hop) -> Any:
            return self._functions[hop.name](*args, **kwargs)

        return self._later(call, None) if self._is_async else self._now(call)

    def _hops(self) -> Hops:
        return Hops(
            self._targets, self._guards, lease_seconds=self._lease_seconds, wanted=self._wanted
        )

    def _now(self, call: Callable[[Hop], Any]) -> Any:
        hops = self._hops()
        while (hop := hops.next()) is not None:
            try:
                value = call(hop)
            except BaseException as error:
                if not hops.failed(hop, error):
                    raise
                continue
            if inspect.iscoroutine(value):
                return self._later(call, (hops, hop, value))
            return _result(hops, hop, value)
        raise hops.given_up()

    async def _later(
        self,
        call: Callable[[Hop], Any],
        begun: tuple[Hops, Hop, Coroutine[Any, Any, Any]] | None,
    ) -> Any:
        hops, hop, value = begun or (self._hops(), None, None)
        while hop is not None or (hop := hops.next()) is not None:
            try:
                value = call(hop) if value is None else value
                value = await value if inspect.iscoroutine(value) else value
            except BaseException as error:
                if not hops.failed(hop, error):
                    raise
                hop = value = None
                continue
            return _result(hops, hop, value)
        raise hops.given_up()


def _result(hops: Hops, hop: Hop, value: R) -> ChainResult[R]:
    hops.answered(hop)
    return ChainResult(
        value=value, target=hop.name, position=hop.candidate.position, attempts=tuple(hops.attempts)
    )


def _target(name: str) -> Target:
    provider, slash, model = name.partition("/")
    if not slash:
        return Target(provider=name, model=name, account=name, host=name)
    known = facts(model)
    return Target(
        provider=provider,
        model=model,
        family=known.family,
        account=provider,
        host=provider,
        context_window=known.context_window,
    )
