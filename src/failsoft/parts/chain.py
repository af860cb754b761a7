"""The next of several functions where one fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, Generic, ParamSpec, TypeVar, overload

from failsoft.config.settings import BreakerSettings, Settings
from failsoft.engine.ledger import Attempt
from failsoft.errors import SettingError
from failsoft.forks import in_every_child
from failsoft.parts.callables import is_async, refuse_generators
from failsoft.parts.hops import Hop, Hops
from failsoft.parts.listeners import tell
from failsoft.parts.matching import Which, matcher
from failsoft.parts.rules import LEASE_SECONDS
from failsoft.policy.circuit import CircuitState, Transition
from failsoft.policy.gates import Gates
from failsoft.policy.target import Target
from failsoft.providers.models import facts

__all__ = ["ChainResult", "FallbackChain"]

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
    dead account that its replies told of keeps it out.

    Whether another may be called is the verdict's to say, in the vocabulary of what stands before
    the slash of its name: two names with the same are two models of one provider, a name without a
    slash is a provider of its own. A refusal or a bad request goes no further. ``fall_back_on``
    decides in its place: an exception class, several, or a function.

    ``on_change`` is told the name and the :class:`~failsoft.parts.Transition` of every breaker;
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
        self._gates = Gates(
            Settings(breaker=breaker or BreakerSettings()),
            rng=rng or SystemRandom(),
            on_change=lambda target, change: tell(on_change, names[target], change),
        )
        in_every_child(self._gates.forked)

    @property
    def states(self) -> dict[str, CircuitState]:
        """The state of each target's breaker, by its name."""
        return {name: self._gates.of(target).breaker.state for name, target in self._targets}

    def reset(self) -> None:
        """Close every breaker and let everything in again: what kept it out is over."""
        self._gates.reset()

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
            self._targets, self._gates, lease_seconds=self._lease_seconds, wanted=self._wanted
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
        value=value, target=hop.name, position=hop.leg.position, attempts=tuple(hops.attempts)
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
