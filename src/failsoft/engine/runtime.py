"""What all requests of one :class:`~failsoft.engine.client.Failsoft` share.

The ladder as the settings want it, the chain of targets of each route and the places on it, and
the wake-up of retries that wait when a breaker opens.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random

from failsoft.classify import verdict_for
from failsoft.classify.retry_after import exhausted_wait
from failsoft.config.presets import PRESETS
from failsoft.config.services import service_of
from failsoft.config.settings import CacheSettings, EffortSettings, RouteSettings, Settings
from failsoft.dialects.chat_format import ChatFormat, Efforts
from failsoft.engine.deadline import Alarms, monotonic, running_loop
from failsoft.engine.fitting import ToolTurns
from failsoft.engine.route import BreakerWaiters, Route
from failsoft.engine.shared_state import Shared
from failsoft.errors import FailsoftError, SettingError
from failsoft.faults import Injector, Simulation, simulation_in
from failsoft.forks import in_every_child
from failsoft.ladder.cache.cache import SemanticCache, ShadowHit
from failsoft.ladder.cache.cache_file import forget
from failsoft.ladder.embedder import Embedder, WordllamaEmbedder
from failsoft.ladder.ladder import LadderSteps
from failsoft.ladder.rules.rulebook import RuleBook
from failsoft.policy.admission import Guards, Held
from failsoft.policy.breaker import Breaker, CircuitState, Transition
from failsoft.policy.callers import Caller
from failsoft.policy.first_content import GaveWay
from failsoft.policy.plan_events import BreakerClosed, BreakerOpened
from failsoft.policy.target import Target
from failsoft.providers.models import chain_specs, target_for
from failsoft.providers.protocol import Provider, ProviderCall
from failsoft.providers.wires import wire_for
from failsoft.storage.status import StoreStatus
from failsoft.telemetry.events import (
    Benched,
    BreakerChanged,
    Event,
    FaultInjected,
    PeriodGaveWay,
    StoreChanged,
)
from failsoft.telemetry.publisher import Publisher, Tally

__all__ = [
    "RouteChain",
    "Runtime",
    "TraceHeaders",
    "ladder_of",
]


_log = logging.getLogger(__name__)


def ladder_of(settings: Settings) -> LadderSteps:
    """Opens nothing before it is used. Without the extra ``cache`` the semantic tier is off."""
    embedder = WordllamaEmbedder() if settings.cache.semantic and _extra_installed() else None
    rules = None if settings.rules_dir is None else RuleBook(settings.rules_dir)
    return LadderSteps(cache=_cache(settings, embedder), rules=rules, embedder=embedder)


def _cache(settings: Settings, embedder: Embedder | None) -> SemanticCache | None:
    own: CacheSettings = settings.cache
    path = Path(settings.data_dir) / "cache.db"
    if not settings.store_text:
        _forget(path)
    if not own.enabled or not settings.store_text:
        return None
    return SemanticCache(
        path,
        embedder=embedder,
        ttl_seconds=own.ttl_seconds,
        threshold=own.similarity_threshold,
        max_entries=own.max_entries,
        shadow=own.shadow,
        on_shadow=_log_texts if own.shadow_texts else None,
    )


def _forget(path: Path) -> None:
    """No text is to be stored, so none stays from when it was."""
    try:
        forget(path)
    except OSError as error:
        problem = f"saved answers cannot be deleted: {error}; delete {path} by hand"
        _log.warning("cache_not_deleted", extra={"fields": {"problem": problem}})


def _log_texts(shadow: ShadowHit) -> None:
    hit = shadow.hit
    fields = {"asked": shadow.asked, "saved": hit.question, "similarity": round(hit.similarity, 3)}
    _log.info("cache_shadow_hit", extra={"fields": fields})


def _efforts(own: EffortSettings) -> Efforts:
    named = {"low": own.low_tokens, "medium": own.medium_tokens, "high": own.high_tokens}
    return Efforts(tuple(named.items()))


def _extra_installed() -> bool:
    return find_spec("wordllama") is not None and find_spec("numpy") is not None


class RouteChain:
    """The targets of one route, best first, and the models its requests may name.

    Raises :class:`~failsoft.errors.SettingError` where the route's ``own`` settings leave none of
    the ``targets``, which are those ``named`` that have a key. The ``addressee`` is the provider of
    the first one named.
    """

    def __init__(
        self,
        route: str,
        targets: Sequence[Target],
        own: RouteSettings,
        guards: Guards,
        *,
        named: Sequence[Target],
    ) -> None:
        self.route = route
        self._models, self._providers = own.allowed_models, own.allowed_providers
        self.targets = tuple(target for target in targets if self._allows(target))
        if not self.targets:
            chain = ", ".join(target.id for target in targets)
            what = "provider" if self._models is None else "model"
            problem = f"must name at least one {what} of the chain, which is {chain}"
            raise SettingError(f"routes.{route}.allowed_{what}s", problem)
        self.addressee = next(one.provider for one in named if self._allows(one))
        self._breakers: list[Breaker] = [guards.of(target).breaker for target in self.targets]

    def led_by(self, first: Target) -> tuple[Target, ...]:
        """The targets with ``first`` before all others, also where it is not one of them.

        Raises :class:`~failsoft.errors.SettingError` where the route does not allow it.
        """
        self.check(first)
        return (first, *(target for target in self.targets if target != first))

    def check(self, target: Target) -> None:
        """Raise :class:`~failsoft.errors.SettingError` where the route does not allow it."""
        if not self._allows(target):
            allowed = ", ".join((*(self._models or ()), *(self._providers or ())))
            problem = f"{target.id} is not allowed on route {self.route}, which allows {allowed}"
            raise SettingError("model", problem)

    def circuit_state(self) -> CircuitState:
        """Open only when all targets are."""
        worst = CircuitState.OPEN
        for breaker in self._breakers:
            state = breaker.state
            if state is CircuitState.CLOSED:
                return state
            if state is CircuitState.HALF_OPEN:
                worst = state
        return worst

    def _allows(self, target: Target) -> bool:
        models, providers = self._models, self._providers
        if providers is not None and target.provider not in providers:
            return False
        return models is None or target.id in models or target.model in models


TraceHeaders = Callable[[str, int], Mapping[str, str]]
"""The headers of a request's attempt, by its number."""

# A store that does not answer by then is not waited for.
_FIRST_LOOK_SECONDS = 1.0

# Several event loops may have requests under way; polling is simpler than a signal from each.
_DRAIN_LOOK_SECONDS = 0.01


class Runtime:
    """Settings, guards, budget, routes and providers. Opens nothing until it is used."""

    def __init__(
        self,
        settings: Settings,
        *,
        chain: Sequence[str] | None,
        providers: Mapping[str, Provider] | None,
        subscribers: Sequence[Callable[[Event], None]],
        rng: Random,
        ladder: LadderSteps | None = None,
    ) -> None:
        self.settings = settings
        self.rng = rng
        self.tally = Tally()
        self.publisher = Publisher(subscribers)
        self.trace_headers: TraceHeaders | None = None
        self.waiters = BreakerWaiters()
        self.alarms = Alarms()
        self.shared = self._sharing()
        self.guards = self._guards()
        self.ladder = ladder_of(settings) if ladder is None else ladder
        self.saved_first = {name for name, own in settings.routes.items() if own.cache == "always"}
        self.closed = False
        self._routes: dict[str, Route] = {}
        self.tool_turns = ToolTurns()
        self.efforts = _efforts(settings.efforts)
        self._simulation: Simulation | None = None
        self._wires = dict(providers or {})
        self.providers: dict[str, Provider] = dict(self._wires)
        self.translates = any(getattr(one, "form", None) for one in self._wires.values())
        named = self._named(settings.chain if chain is None else chain_specs(chain))
        self.chain = self._with_keys(named, given=providers or ())
        self._unrestricted = self._chain_for("chat", RouteSettings(), named)
        self.chains = {"chat": self._unrestricted} | {
            name: self._chain_for(name, own, named) for name, own in settings.routes.items()
        }
        self._simulation = simulation_in(settings, self.chain)
        if self._simulation is not None:
            self.providers = self.failing(self._simulation)
        in_every_child(self._forked)

    def target(self, spec: str) -> Target:
        """The target of ``provider/model``; a bare model is of the first target's provider."""
        if "/" not in spec:
            spec = f"{self.chain[0].provider}/{spec}"
        target = target_for(spec, self.settings)
        if target.provider not in self.providers:
            self._add(target.provider)
        return target

    def _add(self, name: str) -> None:
        """Make the wire to a provider of the settings."""
        self._check_name(name, "chain")
        wire = self._wires[name] = self._make_wire(name)
        self.providers[name] = self.breaking(wire)
        self.translates = self.translates or getattr(wire, "form", None) is not None

    def _chain_for(self, route: str, own: RouteSettings, named: Sequence[Target]) -> RouteChain:
        for provider in own.allowed_providers or ():
            self._check_name(provider, f"routes.{route}.allowed_providers")
        return RouteChain(route, self.chain, own, self.guards, named=named)

    def _check_name(self, name: str, setting: str) -> None:
        known = (*self._wires, *self.settings.providers, *PRESETS)
        if name not in known:
            there_is = ", ".join(dict.fromkeys(known))
            raise SettingError(setting, f"no provider is called {name!r}; there is {there_is}")

    def _make_wire(self, name: str) -> Provider:
        return wire_for(name, self.settings)

    def form_of(self, target: Target) -> ChatFormat | None:
        """How ``target`` writes Chat Completions; ``None`` for one that takes Messages."""
        return getattr(self._wires.get(target.provider), "form", None)

    def _named(self, specs: Sequence[str]) -> tuple[Target, ...]:
        if not specs:
            raise SettingError("chain", "must name at least one target, such as anthropic/…")
        return tuple(self.target(spec) for spec in specs)

    def _with_keys(self, targets: tuple[Target, ...], given: Collection[str]) -> tuple[Target, ...]:
        """The targets that have a key; all where none has: callers may bring their own."""
        keyless = {
            target.id: service.no_key
            for target in targets
            if target.provider not in given
            and (service := service_of(target.provider, self.settings)).is_keyless
        }
        if len(keyless) == len(targets):
            return targets
        for target_id, problem in keyless.items():
            _log.warning("%s is left out of the chain: %s", target_id, problem)
        return tuple(target for target in targets if target.id not in keyless)

    def failing(self, simulation: Simulation) -> dict[str, Provider]:
        """The providers, their calls failing as ``simulation`` says and no other way on purpose."""
        return {name: self.failing_wire(name, simulation) for name in self._wires}

    def failing_wire(self, name: str, simulation: Simulation) -> Provider:
        """The provider of that name, whose calls fail as ``simulation`` says."""
        if name not in self._wires:
            self._add(name)
        return self._injector(self._wires[name], simulation)

    def breaking(self, provider: Provider) -> Provider:
        """``provider``, failing on purpose where the whole deployment does."""
        return self._injector(provider, self._simulation) if self._simulation else provider

    def _injector(self, provider: Provider, simulation: Simulation) -> Injector:
        tell = partial(self._injected, simulation.reason)
        return Injector(provider, simulation, on_injected=tell, rng=self.rng)

    async def begin(self) -> None:
        """Know what other processes know before the first request, where that takes no time."""
        running_loop()  # raises at once where there is none
        if self.shared is not None:
            self.shared.begin(self.guards)
            await self.shared.looked(_FIRST_LOOK_SECONDS)

    def route(self, name: str) -> Route:
        """The route of that name, made at its first use; raises once everything is closed."""
        if self.closed:
            raise FailsoftError("this Failsoft is closed; make a new one")
        if self.shared is not None:
            self.shared.begin(self.guards)
        route = self._routes.get(name)
        if route is None:
            route = self._routes.setdefault(name, Route(name, self.settings, self.rng))
        return route

    def onlooker(self) -> Caller:
        """Sees what a request on the default route would meet, and takes nothing."""
        return self._routes.get("chat", Route("chat", self.settings, self.rng)).caller()

    @property
    def routes_used(self) -> list[Route]:
        """The routes that something was asked on."""
        return list(self._routes.values())

    def learn(self, target: Target, headers: Mapping[str, str]) -> None:
        """Bench before the first 429: a reply may say that nothing remains of a limit."""
        wait = exhausted_wait(headers, now=time.time())
        if wait is not None:
            verdict = verdict_for("requests", wait_seconds=wait)
            self.guards.bench(target, wait, verdict, monotonic())

    @property
    def stores(self) -> list[StoreStatus]:
        """The stores outside of this process's memory, and whether each works."""
        shared = [] if self.shared is None else [self.shared.status]
        return [*self.ladder.stores(), *shared]

    @property
    def links(self) -> frozenset[str]:
        """The names of the links this deployment has."""
        links = asdict(self.settings.links)
        return frozenset(name for name, address in links.items() if address)

    def chain_of(self, route: str) -> RouteChain:
        """The targets of that route; one without settings may use all."""
        return self.chains.get(route, self._unrestricted)

    def circuit_state(self, route: str = "chat") -> CircuitState:
        """That route's state: open only when all its targets are."""
        return self.chain_of(route).circuit_state()

    async def aclose(self, drain_seconds: float) -> None:
        """Admit nothing more, let what is under way end, and close every provider."""
        self.closed = True
        until = monotonic() + drain_seconds
        while monotonic() < until and any(r.bulkhead.held for r in self._routes.values()):  # noqa: ASYNC110 - see the constant
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        for provider in self.providers.values():
            await provider.aclose()
        if self.shared is not None:
            await self.shared.aclose()
        await self.ladder.aclose()

    def _forked(self) -> None:
        """Go on in a forked process. Requests under way are the parent's, and end there."""
        self.guards.forked()
        self._routes = {}
        self.waiters = BreakerWaiters()

    def _sharing(self) -> Shared | None:
        settings = self.settings
        # Failures on purpose are not shared.
        if settings.redis_url is None or settings.simulate_error:
            return None
        return Shared(settings.redis_url, settings, on_status=self._store_changed)

    def _guards(self) -> Guards:
        coordinators = self.shared.leading if self.shared else None
        return Guards(
            self.settings,
            rng=self.rng,
            on_change=self._changed,
            on_held=self._held,
            on_gave_way=self._gave_way,
            coordinators=coordinators,
        )

    def _store_changed(self, status: StoreStatus) -> None:
        event = StoreChanged(
            at=time.time(), store=status.name, up=status.up, problem=status.problem
        )
        self.publisher.publish(event)

    def _changed(self, target: Target, change: Transition) -> None:
        now = monotonic()
        for route in self.routes_used:
            route.recovery.changed(target.circuit, change, now)
        if change.after is CircuitState.OPEN:
            self.waiters.wake(BreakerOpened())
        elif change.after is CircuitState.CLOSED:
            self.waiters.wake(BreakerClosed())
        if self.publisher.active:
            event = BreakerChanged(
                at=time.time(),
                target=target.id,
                from_state=change.before,
                to_state=change.after,
                reason=change.reason,
                open_seconds=self._until_probed(target, change, now),
            )
            self.publisher.publish(event)

    def _until_probed(self, target: Target, change: Transition, now: float) -> float | None:
        """Seconds until one that has opened is probed, by the route that is the first to."""
        if change.after is not CircuitState.OPEN:
            return None
        breaker, circuit = self.guards.of(target).breaker, target.circuit
        due = [
            at - now
            for route in self.routes_used
            if any(one.circuit == circuit for one in self.chain_of(route.name).targets)
            and (at := route.recovery.hold_back(circuit, breaker, now)) is not None
        ]
        return max(change.open_seconds or 0.0, min(due, default=0.0)) or None

    def _injected(self, reason: str, call: ProviderCall) -> None:
        event = FaultInjected(
            at=time.time(),
            request_id=call.request_id,
            target=call.target.id,
            number=call.number,
            reason=reason,
        )
        self.publisher.publish(event)

    def _gave_way(self, target: Target, gave_way: GaveWay) -> None:
        if self.publisher.active:
            told = gave_way._asdict()
            self.publisher.publish(PeriodGaveWay(at=time.time(), target=target.id, **told))

    def _held(self, held: Held) -> None:
        if self.publisher.active:
            event = Benched(
                at=time.time(),
                scope=held.scope,
                kind=held.kind,
                seconds=held.seconds,
                reason=held.reason,
            )
            self.publisher.publish(event)
