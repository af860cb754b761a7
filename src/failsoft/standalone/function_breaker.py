"""A circuit breaker around any code, its settings as arguments, and how long a probe is leased."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial, wraps
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, ParamSpec, Self, TypedDict, TypeVar, Unpack, cast

from failsoft.classify import classify, verdict_for
from failsoft.classify.verdict import (
    BreakerEffect,
    ErrorCategory,
    NextModel,
    OtherProvider,
    Verdict,
)
from failsoft.config.settings import BreakerSettings, TimerSettings
from failsoft.engine.deadline import monotonic
from failsoft.errors import CircuitOpenError, FailsoftError
from failsoft.forks import in_every_child
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket, Transition
from failsoft.policy.timers import PROBE_LEASE_MARGIN_SECONDS
from failsoft.standalone.functions import Which, is_async, matcher, refuse_generators, tell

__all__ = [
    "LEASE_SECONDS",
    "BreakerArguments",
    "CircuitBreaker",
    "CircuitStatus",
    "breaker_settings",
]


LEASE_SECONDS = TimerSettings().first_content_seconds + PROBE_LEASE_MARGIN_SECONDS
"""As long as the engine lends a probe by default."""

# Alone, a breaker has no other target to send a call to, and what it guards need not be a model:
# it counts every failure as one, however quickly they come, and once closed it is closed.
_ALONE = BreakerSettings(failure_span_seconds=0.0, timeout_weight=1, ramp_seconds=0.0)


class BreakerArguments(TypedDict, total=False):
    """Any of :class:`~failsoft.config.settings.BreakerSettings`."""

    failure_threshold: int
    failure_span_seconds: float
    timeout_weight: int
    failure_ratio: float
    min_calls: int
    window_seconds: float
    window_buckets: int
    open_seconds: float
    open_multiplier: float
    recovery_timeout_seconds: float
    open_jitter: float
    probes: int
    success_threshold: int
    ramp_seconds: float
    metrics_only: bool


def breaker_settings(**given: Unpack[BreakerArguments]) -> BreakerSettings:
    """The settings of a breaker that stands alone; raises for what is out of range."""
    if "open_seconds" not in given and "recovery_timeout_seconds" in given:
        # The longest time open bounds the first, without being set twice.
        longest = replace(
            _ALONE, open_seconds=0.01, recovery_timeout_seconds=given["recovery_timeout_seconds"]
        ).recovery_timeout_seconds
        given["open_seconds"] = min(_ALONE.open_seconds, longest)
    return replace(_ALONE, **given)


P = ParamSpec("P")
R = TypeVar("R")

_OWN_CALLS: ContextVar[tuple[tuple[CircuitBreaker, Ticket], ...]] = ContextVar(
    "failsoft_breaker_blocks", default=()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitStatus:
    """A snapshot of a breaker.

    ``calls`` and ``failures`` are of the window, ``failures_in_row`` came with no success between.
    ``open_for_seconds`` is how long it has not been closed. ``retry_in_seconds`` is when to ask
    again: when it may be probed, or, while a probe is out, the end of its lease, at most
    ``open_seconds``. ``None`` where it is closed, or (the latter) opened by hand.
    """

    name: str
    state: CircuitState
    calls: int
    failures: int
    failures_in_row: int
    open_for_seconds: float | None
    retry_in_seconds: float | None
    isolated: bool


class CircuitBreaker:
    """Leaves something alone while it is down, and finds out with single calls when it is back.

        database = CircuitBreaker("database", failure_threshold=5)

        rows = database.call(query, "select …")     # plain, or awaited where query is

        @database
        def query(sql): ...

        with database:                              # or async with
            ...

    While it is open nothing is called and :class:`~failsoft.CircuitOpenError` says when to try
    again. Any of :class:`~failsoft.config.settings.BreakerSettings` is an argument, with the
    defaults named there but for three: every failure counts however quickly they come
    (``failure_span_seconds=0``), a timeout counts as one (``timeout_weight=1``), and once closed it
    lets every call through (``ramp_seconds=0``).

    What counts against it: an exception that speaks for the trouble of what is called, or that is
    not known (a ``ValueError`` of your own, too). What does not: a cancellation, whatever is no
    ``Exception``, a reply that blames the request (most of 4xx, a refusal), and the rejection of
    another breaker. ``counts`` decides in its place: an exception class, several, or a function;
    it is not asked about cancellations. ``provider`` is the vocabulary replies are read in.

    A probe that has not ended after ``lease_seconds`` makes room for the next one; its result comes
    too late. ``on_change`` gets every :class:`~failsoft.standalone.Transition`; what it raises is
    logged. ``clock`` gives monotonic seconds. Safe under threads, in several event loops and
    after a fork.
    """

    def __init__(
        self,
        name: str,
        *,
        counts: Which | None = None,
        provider: str = "http",
        lease_seconds: float = LEASE_SECONDS,
        on_change: Callable[[Transition], object] | None = None,
        clock: Callable[[], float] = monotonic,
        rng: Random | None = None,
        **settings: Unpack[BreakerArguments],
    ) -> None:
        self.name = name
        self._rules = breaker_settings(**settings)
        self._counts = None if counts is None else matcher("counts", counts)
        self._provider = provider
        self._lease_seconds = lease_seconds
        self._on_change = on_change
        self._clock = clock
        self._breaker = Breaker(self._rules, rng=rng or SystemRandom(), on_change=self._changed)
        self._left_closed_at = 0.0
        self._last = verdict_for("all_open")
        in_every_child(self._breaker.forked)

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r}, {self.state})"

    @property
    def state(self) -> CircuitState:
        """As last decided: an open one turns half open with the next call, once its time is up."""
        return self._breaker.state

    @property
    def status(self) -> CircuitStatus:
        """The counts, and for how long it is open."""
        now = self._clock()
        known = self._breaker.status(now)
        rejection = self._breaker.peek(now)
        closed = known.state is CircuitState.CLOSED
        return CircuitStatus(
            name=self.name,
            state=known.state,
            calls=known.calls,
            failures=known.failures,
            failures_in_row=known.failures_in_row,
            open_for_seconds=None if closed else max(0.0, now - self._left_closed_at),
            retry_in_seconds=None if rejection is None else _until(rejection, now),
            isolated=known.isolated,
        )

    def isolate(self) -> None:
        """Let nothing through until :meth:`restore`."""
        self._breaker.isolate()

    def restore(self) -> None:
        """Close it and forget what was counted, also after :meth:`isolate`."""
        self._breaker.restore()

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``fn`` with these arguments, if it may be called; to be awaited where ``fn`` is.

        Raises :class:`~failsoft.CircuitOpenError` where it may not, else what ``fn`` raises, and
        :class:`TypeError` for a generator function, whose calls do nothing yet.
        """
        refuse_generators("CircuitBreaker", fn)
        begun = partial(fn, *args, **kwargs)
        return cast("R", self._later(begun)) if is_async(fn) else self._now(begun)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """``fn`` behind this breaker."""
        refuse_generators("CircuitBreaker", fn)
        if is_async(fn):

            @wraps(fn)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self._later(partial(fn, *args, **kwargs))

            return cast("Callable[P, R]", later)

        @wraps(fn)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._now(partial(fn, *args, **kwargs))

        return now

    def __enter__(self) -> Self:
        _OWN_CALLS.set((*_OWN_CALLS.get(), (self, self._admit())))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The latest of this breaker's in this thread or task: blocks end inside out.
        blocks = _OWN_CALLS.get()
        for place in range(len(blocks) - 1, -1, -1):
            owner, ticket = blocks[place]
            if owner is self:
                _OWN_CALLS.set(blocks[:place] + blocks[place + 1 :])
                self._settle(ticket, error)
                return

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _now(self, call: Callable[[], R]) -> R:
        ticket = self._admit()
        try:
            result = call()
        except BaseException as error:
            self._settle(ticket, error)
            raise
        if inspect.iscoroutine(result):
            return cast("R", self._awaited(lambda: result, ticket))
        self._settle(ticket, None)
        return result

    async def _later(self, call: Callable[[], Any]) -> Any:
        return await self._awaited(call, self._admit())

    async def _awaited(self, call: Callable[[], Any], ticket: Ticket) -> Any:
        try:
            result = await call()
        except BaseException as error:
            self._settle(ticket, error)
            raise
        self._settle(ticket, None)
        return result

    def _admit(self) -> Ticket:
        now = self._clock()
        answer = self._breaker.allow(now, lease_seconds=self._lease_seconds)
        if isinstance(answer, Ticket):
            return answer
        wait, last = _until(answer, now), self._last
        verdict = replace(
            verdict_for("all_open", category=last.category, fault=last.fault, wait_seconds=wait),
            reason=last.reason,
            # This one is out, and no others.
            try_next_model=NextModel.YES,
            try_other_provider=OtherProvider.YES,
        )
        raise CircuitOpenError(self.name, wait, verdict) from None

    def _settle(self, ticket: Ticket, error: BaseException | None) -> None:
        now = self._clock()
        if error is None:
            self._breaker.done(ticket, Outcome.SUCCESS, now)
            return
        verdict = classify(error, provider=self._provider, now=time.time())
        if not self._against(error, verdict):
            self._breaker.done(ticket, Outcome.NEUTRAL, now)
            return
        self._last = verdict
        timed_out = verdict.category is ErrorCategory.TIMEOUT
        weight = self._rules.timeout_weight if timed_out else 1
        self._breaker.done(
            ticket, Outcome.FAILURE, now, weight=weight, wait_seconds=verdict.wait_seconds
        )

    def _against(self, error: BaseException, verdict: Verdict) -> bool:
        """Whether the error speaks against what was called."""
        if not isinstance(error, Exception) or verdict.reason == "cancelled":
            return False
        if self._counts is not None:
            return self._counts(error)
        # Alone, nothing is benched or parked elsewhere: a refusal of all callers counts. And
        # what a ValueError means is known of calls to models, not of any function.
        foreign = verdict.reason == "bad_call" and not isinstance(error, FailsoftError)
        return verdict.breaker is not BreakerEffect.NO or foreign

    def _changed(self, change: Transition) -> None:
        if change.before is CircuitState.CLOSED:
            self._left_closed_at = self._clock()
        tell(self._on_change, change)


def _until(rejection: Rejection, now: float) -> float | None:
    return None if rejection.until == float("inf") else max(0.0, rejection.until - now)
