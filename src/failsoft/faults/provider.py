"""A provider around another one, innermost: some of its attempts fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, Self

from failsoft.faults.simulation import Simulation
from failsoft.providers.protocol import Exchange, Provider, ProviderCall, WireEvent

__all__ = ["Injector"]


class Injector:
    """Fails as ``simulation`` says; all else is ``provider``'s own, its connections among it.

    ``on_injected`` is called for each attempt just before it fails. ``rng`` draws for ``rate=``.
    """

    def __init__(
        self,
        provider: Provider,
        simulation: Simulation,
        *,
        on_injected: Callable[[ProviderCall], None],
        rng: Random,
    ) -> None:
        self._provider = provider
        self._simulation = simulation
        self._on_injected = on_injected
        self._rng = rng
        self.form = getattr(provider, "form", None)

    def exchange(self, call: ProviderCall) -> AbstractAsyncContextManager[Exchange]:
        """Send one request, or fail in its place; see :mod:`failsoft.providers.protocol`."""
        if not self._hits(call):
            return self._provider.exchange(call)
        return self._failing(call) if self._simulation.after is None else self._breaking(call)

    async def aclose(self) -> None:
        """Close the connections of the provider. Idempotent."""
        await self._provider.aclose()

    def _hits(self, call: ProviderCall) -> bool:
        meant = self._simulation.target in (None, call.target.id)
        return meant and (self._simulation.rate >= 1 or self._rng.random() < self._simulation.rate)

    def _fail(self, call: ProviderCall) -> Exception:
        self._on_injected(call)
        return self._simulation.failure()

    @asynccontextmanager
    async def _failing(self, call: ProviderCall) -> AsyncIterator[Exchange]:
        raise self._fail(call)
        yield  # type: ignore[unreachable]  # what makes it a generator

    @asynccontextmanager
    async def _breaking(self, call: ProviderCall) -> AsyncIterator[Exchange]:
        async with self._provider.exchange(call) as exchange:
            yield _Breaking(exchange, self._simulation.after or 0, lambda: self._fail(call))


class _Breaking:
    """A reply that fails once it has given ``left`` contents."""

    def __init__(self, exchange: Exchange, left: int, fail: Callable[[], Exception]) -> None:
        self._exchange = exchange
        self._events = aiter(exchange)
        self._left = left
        self._fail = fail

    @property
    def headers(self) -> Mapping[str, str]:
        return self._exchange.headers

    @property
    def request_id(self) -> str | None:
        return self._exchange.request_id

    @property
    def message(self) -> dict[str, Any]:
        return self._exchange.message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WireEvent:
        if self._left == 0:
            raise self._fail()
        event = await anext(self._events)
        self._left -= event.content
        return event
