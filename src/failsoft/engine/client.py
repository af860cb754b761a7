"""``Failsoft``: ask a model and always get an answer or a designed failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from random import Random, SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from failsoft.config.loading import OWN_PROVIDERS, load_settings
from failsoft.config.settings import Settings, checked_settings
from failsoft.engine.answer import Answer
from failsoft.engine.answers import error_for
from failsoft.engine.health import health, state
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import (
    Request,
    Turn,
    message_body,
)
from failsoft.engine.runtime import Runtime
from failsoft.engine.stream import AnswerStream
from failsoft.faults import Simulation, parse_simulation
from failsoft.notices import Catalogue
from failsoft.policy.breaker import CircuitState
from failsoft.policy.target import Target
from failsoft.providers.protocol import Provider
from failsoft.telemetry.events import Event
from failsoft.telemetry.labels import Labels, State

if TYPE_CHECKING:
    from failsoft.telemetry.traces import Traces

__all__ = ["Failsoft", "SimulatedRuntime"]


class SimulatedRuntime(Runtime):
    """Calls the same targets by the same rules, but they fail as ``simulation`` says.

    Gates, breakers, budget, bulkheads and counts are its own, so that nothing of it touches the
    lender's requests. Saved answers are read and never written; connections are the lender's. Only
    injected failures go to the lender's subscribers; all else to ``subscribers``.
    """

    def __init__(
        self,
        lender: Runtime,
        simulation: Simulation,
        *,
        subscribers: Sequence[Callable[[Event], None]],
    ) -> None:
        self._lender, self._meant = lender, simulation
        super().__init__(
            replace(lender.settings, simulate_error=None, redis_url=None),
            chain=[target.id for target in lender.chain],
            providers=lender.failing(simulation),
            subscribers=subscribers,
            rng=lender.rng,
            ladder=lender.ladder.read_only(),
        )

    def _make_wire(self, name: str) -> Provider:
        return self._lender.failing_wire(name, self._meant)

    async def aclose(self, drain_seconds: float) -> None:
        """Admit nothing more. The lender closes what is open."""
        del drain_seconds
        self.closed = True


Message = str | Sequence[Mapping[str, Any]]


class Failsoft:
    """Calls to AI models that fail soft. An asynchronous context manager; closing drains.

        async with Failsoft() as ai:
            answer = await ai.ask("What documents do I need for a home loan?")
            print(answer.text if answer.status == "success" else answer.notice.body)

    ``settings`` default to ``failsoft.toml`` and the environment. ``chain`` names the targets as
    ``provider/model``, best first. ``providers`` adds or replaces providers by name (a mock, say).
    ``on_event`` gets every :class:`~failsoft.telemetry.events.Event`. ``rng`` is the randomness of
    jitter and ramps. Raises :class:`~failsoft.errors.SettingError` for settings that cannot hold.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        chain: Sequence[str] | None = None,
        providers: Mapping[str, Provider] | None = None,
        on_event: Callable[[Event], None] | None = None,
        rng: Random | None = None,
    ) -> None:
        known = {*OWN_PROVIDERS, *(providers or ())}
        self.settings = checked_settings(settings) or load_settings(providers=known).settings
        self.notices = Catalogue.load(self.settings.notices_dir)
        self._closing: list[Callable[[float], Awaitable[None]]] = []
        self._runtime = Runtime(
            self.settings,
            chain=chain,
            providers=providers,
            subscribers=() if on_event is None else (on_event,),
            # The system's own is not the same in every process that is forked.
            rng=rng or SystemRandom(),
        )

    async def __aenter__(self) -> Self:
        await self._runtime.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self, *, drain_seconds: float = 5.0) -> None:
        """Admit no more requests, let those under way end, close every connection. Idempotent.

        What has not ended after ``drain_seconds`` loses its connection and ends as a failure.
        """
        closing, self._closing = self._closing, []
        for close in closing:
            await close(drain_seconds)
        await self._runtime.aclose(drain_seconds)

    def on_close(self, close: Callable[[float], Awaitable[None]]) -> None:
        """Have ``close`` awaited when this is closed, with the seconds it may take to drain."""
        self._closing.append(close)

    def publish(self, event: Event) -> None:
        """Tell every subscriber of an event."""
        self._runtime.publisher.publish(event)

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Hear every event from now on; called in the request's own thread, so be quick."""
        self._runtime.publisher.subscribe(subscriber)

    def simulation(self, said: str) -> Simulation:
        """What ``<category|reason>[@target][;rate=0.2][;after=5]`` means here.

        Raises :class:`ValueError`, which says what is wrong and what is allowed.
        """
        return parse_simulation(said, self._runtime.chain)

    def failing(
        self, simulation: Simulation, *, subscribers: Sequence[Callable[[Event], None]] = ()
    ) -> Failsoft:
        """Another one with the same settings, whose calls fail as ``simulation`` says.

        It has breakers, budget and counts of its own, reads saved answers and saves none. Its
        events are ``subscribers``' alone, but each injected failure is published here too. It
        lives on connections of this one: close this one.
        """
        twin = copy(self)
        twin._runtime = SimulatedRuntime(self._runtime, simulation, subscribers=subscribers)  # noqa: SLF001 - its own
        twin._closing = []  # noqa: SLF001 - its own
        return twin

    def trace(self, traces: Traces | None = None) -> None:
        """Make OpenTelemetry spans of every request from now on, and tell the provider of them.

        Raises :class:`~failsoft.errors.MissingExtraError` without the extra ``otel``.
        """
        from failsoft.telemetry.traces import Traces  # noqa: PLC0415 - an extra

        traces = traces or Traces()
        self.subscribe(traces)
        self._runtime.trace_headers = traces.headers

    @property
    def circuit_state(self) -> CircuitState:
        """The default route's breaker: open only when all its targets are."""
        return self._runtime.circuit_state()

    def health(self) -> dict[str, Any]:
        """Breakers, targets and level, from real traffic alone: no model is called."""
        return health(self._runtime)

    def reset(self) -> None:
        """Close every breaker and end every bench and park: whatever made them is over."""
        self._runtime.guards.reset()
        self._runtime.tally.mended()

    def state(self) -> State:
        """The same as numbers and names, for :class:`~failsoft.telemetry.metrics.Metrics`."""
        return state(self._runtime)

    @property
    def routes(self) -> Mapping[str, tuple[Target, ...]]:
        """The routes of the settings, each with the targets that it may use, in their order."""
        return {name: chain.targets for name, chain in self._runtime.chains.items()}

    @property
    def labels(self) -> Labels:
        """The routes and targets that metrics tell apart: those of the settings."""
        targets = (target.id for target in self._runtime.chain)
        return Labels.of(routes=self._runtime.chains, targets=targets)

    async def ask(
        self,
        message: Message,
        *,
        history: Iterable[Mapping[str, Any]] = (),
        system: str | None = None,
        model: str | None = None,
        max_tokens: int = 2048,
        route: str = "chat",
        timeout: float | None = None,  # noqa: ASYNC109 - inherited by nested calls, see deadline
        principal: str | None = None,
        tenant: str | None = None,
        locale: str | None = None,
        request_id: str | None = None,
    ) -> Answer:
        """Ask one question; never raises for trouble with a model.

        ``message`` is text or the provider's content blocks, ``history`` earlier messages in the
        provider's shape. ``route`` is one of the settings' ``routes``; any other may use the whole
        chain. ``model`` goes first, then the route's chain. ``timeout`` (seconds) caps everything.
        ``principal`` is the user who asks and ``tenant`` whose user that is: saved answers are
        theirs alone unless the route shares them. Raises
        :class:`~failsoft.errors.SettingError` for arguments that cannot hold, a ``model`` that
        the route does not allow among them.
        """
        body = message_body(message, history=history, system=system, max_tokens=max_tokens)
        answer, _ = await self._run(
            Request.of(
                body,
                self.settings,
                stream=False,
                timeout=timeout,
                route=route,
                model=model,
                locale=locale,
                principal=principal,
                tenant=tenant,
                request_id=request_id,
            )
        )
        return answer

    async def complete(
        self,
        /,
        *,
        messages: Iterable[Mapping[str, Any]],
        model: str | None = None,
        max_tokens: int = 2048,
        route: str = "chat",
        timeout: float | None = None,  # noqa: ASYNC109 - inherited by nested calls, see deadline
        principal: str | None = None,
        tenant: str | None = None,
        locale: str | None = None,
        request_id: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        **provider_fields: Any,
    ) -> Answer:
        """Send the provider's own fields; strict.

        Raises an :class:`~failsoft.errors.AIError` where :meth:`ask` would answer with a notice;
        the provider's exception is its ``__cause__``.
        """
        body = {"max_tokens": max_tokens, "messages": list(messages), **provider_fields}
        request = Request.of(
            body,
            self.settings,
            stream=False,
            timeout=timeout,
            route=route,
            model=model,
            locale=locale,
            principal=principal,
            tenant=tenant,
            request_id=request_id,
            headers=extra_headers,
            degrades=False,
        )
        answer, cause = await self._run(request)
        if answer.status == "error":
            raise error_for(answer, cause)
        return answer

    def stream(
        self,
        message: Message,
        *,
        history: Iterable[Mapping[str, Any]] = (),
        system: str | None = None,
        model: str | None = None,
        max_tokens: int = 4096,
        route: str = "chat",
        timeout: float | None = None,
        principal: str | None = None,
        tenant: str | None = None,
        locale: str | None = None,
        request_id: str | None = None,
    ) -> AnswerStream:
        """Ask one question and read the answer as typed events while it comes.

            async with ai.stream("Explain an escrow account.") as events:
                async for event in events:
                    ...

        Exactly one terminal event (``done``, ``stream_interrupted``, ``error``) ends it. Leaving
        early cancels the request at the provider.
        """
        body = message_body(message, history=history, system=system, max_tokens=max_tokens)
        request = Request.of(
            body,
            self.settings,
            stream=True,
            timeout=timeout,
            route=route,
            model=model,
            locale=locale,
            principal=principal,
            tenant=tenant,
            request_id=request_id,
        )
        return AnswerStream(self._runtime, request, self.notices)

    async def _run(self, request: Request) -> tuple[Answer, BaseException | None]:
        turn = Turn(self._runtime, request, self.notices)
        answer = await carry_out(turn)
        return answer, turn.cause(answer.verdict)
