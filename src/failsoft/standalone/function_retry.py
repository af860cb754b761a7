"""Trying again what can succeed: around a function, one call of it, or a block of code."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from functools import partial, wraps
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, cast, overload

from failsoft.classify import classify
from failsoft.classify.verdict import Verdict
from failsoft.config.settings import RetrySettings
from failsoft.engine.deadline import inherited_times, monotonic
from failsoft.policy.retry import seconds_to_wait, worth_another
from failsoft.standalone import pause
from failsoft.standalone.functions import Which, is_async, matcher, refuse_generators, tell

__all__ = ["Retry", "RetryAttempt", "RetryEvent", "Rules", "Tries", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryEvent:
    """Attempt ``number`` (from 1) failed, and ``wait_seconds`` are waited before the next."""

    number: int
    wait_seconds: float
    verdict: Verdict
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to try again. ``wanted`` decides in place of the verdict where it is given."""

    settings: RetrySettings
    wanted: Callable[[Exception], bool] | None
    provider: str
    on_retry: Callable[[RetryEvent], object] | None
    rng: Random


class Tries:
    """The attempts of one call, begun now. A deadline in force is known from here on."""

    __slots__ = ("_rules", "_times", "failed_calls")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._times = inherited_times(monotonic())
        self.failed_calls = 0

    def failed(self, error: Exception) -> float | None:
        """Seconds to wait before the next attempt; ``None``: there is none, raise the error."""
        self.failed_calls += 1
        rules = self._rules
        verdict = classify(error, provider=rules.provider, now=time.time())
        if self.failed_calls >= rules.settings.max_attempts or not self._wanted(error, verdict):
            return None
        fits = self._times.useful_until - monotonic()
        wait = seconds_to_wait(
            verdict, self.failed_calls, settings=rules.settings, rng=rules.rng, fits=fits
        )
        if wait > fits:
            return None
        event = RetryEvent(
            number=self.failed_calls, wait_seconds=wait, verdict=verdict, error=error
        )
        tell(rules.on_retry, event)
        return wait

    def _wanted(self, error: Exception, verdict: Verdict) -> bool:
        if verdict.reason == "cancelled":
            return False
        wanted = self._rules.wanted
        return worth_another(verdict, self.failed_calls) if wanted is None else wanted(error)


P = ParamSpec("P")
R = TypeVar("R")

_OVERLOADED_SECONDS = RetrySettings().overloaded_min_seconds


class RetryAttempt:
    """One attempt of a block: what fails within is waited for and tried again, or raised."""

    __slots__ = ("_tries", "number", "wait_seconds")

    def __init__(self, tries: Tries) -> None:
        self._tries = tries
        self.number = tries.failed_calls + 1
        self.wait_seconds: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.wait_seconds = self._tries.failed(error)
        return self.wait_seconds is not None


class Retry:
    """How to try again; made by :func:`retry`. Holds nothing of a call: share it freely."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """``fn``, tried again."""
        refuse_generators("retry", fn)
        if is_async(fn):

            @wraps(fn)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self._later(partial(fn, *args, **kwargs), Tries(self._rules))

            return cast("Callable[P, R]", later)

        @wraps(fn)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._now(partial(fn, *args, **kwargs))

        return now

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``fn`` with these arguments, and again; awaited where ``fn`` is."""
        return self(fn)(*args, **kwargs)

    def __iter__(self) -> Iterator[RetryAttempt]:
        tries = Tries(self._rules)
        while True:
            attempt = RetryAttempt(tries)
            yield attempt
            if attempt.wait_seconds is None:
                return
            pause.blocking(attempt.wait_seconds)

    async def __aiter__(self) -> AsyncIterator[RetryAttempt]:
        tries = Tries(self._rules)
        while True:
            attempt = RetryAttempt(tries)
            yield attempt
            if attempt.wait_seconds is None:
                return
            await pause.in_loop(attempt.wait_seconds)

    def _now(self, call: Callable[[], R]) -> R:
        tries = Tries(self._rules)
        while True:
            try:
                result = call()
            except Exception as error:
                wait = tries.failed(error)
                if wait is None:
                    raise
            else:
                if inspect.iscoroutine(result):
                    return cast("R", self._later(call, tries, coming=result))
                return result
            pause.blocking(wait)

    async def _later(
        self,
        call: Callable[[], Any],
        tries: Tries,
        coming: Coroutine[Any, Any, Any] | None = None,
    ) -> Any:
        while True:
            try:
                return await (call() if coming is None else coming)
            except Exception as error:
                wait = tries.failed(error)
                if wait is None:
                    raise
            coming = None
            await pause.in_loop(wait)


@overload
def retry(fn: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def retry(
    *,
    max_attempts: int = 4,
    base_delay_seconds: float = 1.0,
    max_delay_seconds: float = 60.0,
    jitter: Literal["full", "quarter"] = "full",
    retry_on: Which | None = None,
    on_retry: Callable[[RetryEvent], object] | None = None,
    provider: str = "http",
    rng: Random | None = None,
) -> Retry: ...


def retry(
    fn: Callable[P, R] | None = None,
    /,
    *,
    max_attempts: int = 4,
    base_delay_seconds: float = 1.0,
    max_delay_seconds: float = 60.0,
    jitter: Literal["full", "quarter"] = "full",
    retry_on: Which | None = None,
    on_retry: Callable[[RetryEvent], object] | None = None,
    provider: str = "http",
    rng: Random | None = None,
) -> Callable[P, R] | Retry:
    """Try again what can succeed. For functions, plain or asynchronous, with or without arguments.

        @retry
        def fetch(): ...

        @retry(max_attempts=3, on_retry=log)
        async def fetch(): ...

        answer = retry(max_attempts=3).call(fetch)

        for attempt in retry(max_attempts=3):
            with attempt:
                ...

    Whether the same call can succeed is :func:`~failsoft.classify.classify`'s to say, in the
    vocabulary of ``provider``: never for a refusal, a wrong key, a bad request, a ``ValueError`` or
    a timeout that ran its whole time; once for what it does not know. ``retry_on`` decides in its
    place: an exception class, several, or a function. A cancellation and what is no ``Exception``
    (``KeyboardInterrupt``) pass straight through.

    ``max_attempts`` calls at most. Before retry *n* (from 0) it waits ``uniform(0, min(
    max_delay_seconds, base_delay_seconds * 2**n))``, with ``jitter="quarter"`` that ceiling ± 25 %.
    A wait that the other side names (``retry-after``) is kept whole, with up to a quarter and 5 s
    more. A wait that the deadline in force (:func:`failsoft.deadline`) leaves no room for is not
    begun. The last error is raised as it was.

    ``on_retry`` is called before each wait; what it raises is logged. ``rng`` is the randomness.
    Raises :class:`~failsoft.errors.SettingError` for a number out of range and :class:`TypeError`
    for a generator function: half a stream cannot be tried again.
    """
    settings = _settings(max_attempts, base_delay_seconds, max_delay_seconds, jitter)
    rules = Rules(
        settings=settings,
        wanted=None if retry_on is None else matcher("retry_on", retry_on),
        provider=provider,
        on_retry=on_retry,
        rng=rng or SystemRandom(),  # a forked process does not draw the same waits
    )
    made = Retry(rules)
    return made if fn is None else made(fn)


def _settings(
    attempts: int, base: float, longest: float, jitter: Literal["full", "quarter"]
) -> RetrySettings:
    settings = RetrySettings(
        max_attempts=attempts, base_delay_seconds=0.0, max_delay_seconds=longest, jitter=jitter
    )
    # No wait of our own is longer than the longest, however the others are left.
    return replace(
        settings,
        base_delay_seconds=min(base, longest),
        overloaded_min_seconds=min(_OVERLOADED_SECONDS, longest),
    )
