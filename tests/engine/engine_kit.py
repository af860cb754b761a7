"""A loop whose time is a number, and a provider whose replies are a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any

from virtual_loop import VirtualLoop

from failsoft import Failsoft, Settings
from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import CacheSettings
from failsoft.providers.protocol import ProviderCall, WireEvent


def virtually(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in virtual time; fails if a task is left behind."""

    async def main() -> Any:
        result = await work
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


class Exchange:
    def __init__(self, events: Callable[["Exchange"], AsyncIterator[WireEvent]]) -> None:
        self.headers: dict[str, str] = {}
        self.request_id = "req_upstream"
        self.message: dict[str, Any] = {"content": [], "usage": {"input_tokens": 7}}
        self._events = events

    def __aiter__(self) -> AsyncIterator[WireEvent]:
        return self._events(self)


def content(text: str) -> WireEvent:
    return WireEvent("content_block_delta", {}, True, text)


PING = WireEvent("ping", {}, False, "")


class Scripted:
    """A provider that does what its script says; a script is a function of call and exchange."""

    def __init__(self, *scripts: Any, default: Any = None) -> None:
        self.scripts = list(scripts)
        self.default = default
        self.calls: list[tuple[float, str]] = []
        self.bodies: list[Any] = []
        self.fresh: list[bool] = []
        self.open = 0

    @asynccontextmanager
    async def exchange(self, call: ProviderCall) -> AsyncIterator[Exchange]:
        self.calls.append((asyncio.get_running_loop().time(), call.target.model))
        self.bodies.append(call.body)
        self.fresh.append(call.fresh)
        script = self.scripts.pop(0) if self.scripts else self.default
        self.open += 1
        try:
            if isinstance(script, Exception):
                raise script
            yield Exchange(script)
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        pass

    @property
    def models(self) -> list[str]:
        return [model for _, model in self.calls]


def says(*texts: str, pause: float = 0.0, stop_reason: str = "end_turn", cut: bool = False) -> Any:
    async def events(exchange: Exchange) -> AsyncIterator[WireEvent]:
        for text in texts:
            if pause:
                await asyncio.sleep(pause)
            block = exchange.message["content"] or [{"type": "text", "text": ""}]
            block[0]["text"] += text
            exchange.message["content"] = block
            yield content(text)
        if cut:
            raise StreamCut("the stream ended before its terminal event", status=200)
        exchange.message["stop_reason"] = stop_reason

    return events


def hangs(*texts: str, pings: bool = False) -> Any:
    async def events(_: Exchange) -> AsyncIterator[WireEvent]:
        for text in texts:
            yield content(text)
        while pings:
            await asyncio.sleep(0.2)
            yield PING
        await asyncio.get_running_loop().create_future()

    return events


def fails(status: int, kind: str, message: str = "no", **headers: str) -> ReplyFailed:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_up"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return ReplyFailed(message, status=status, headers=names, body=body)


def overloaded(**headers: str) -> ReplyFailed:
    return fails(529, "overloaded_error", "Overloaded", **headers)


def failsoft(
    provider: Scripted, *, settings: Settings | None = None, models: Iterable[str] = (), **more: Any
) -> Failsoft:
    chain = [f"anthropic/{model}" for model in models] or None
    # The cache works in a thread, which virtual time does not wait for.
    settings = replace(settings or Settings(), cache=CacheSettings(enabled=False))
    return Failsoft(
        settings,
        chain=chain,
        providers={"anthropic": provider},
        rng=Random(1),
        **more,
    )
