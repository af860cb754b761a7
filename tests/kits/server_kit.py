"""A provider that does as it is told, and two ways to call the service: in memory and by socket."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from failsoft import Failsoft, Settings
from failsoft.config.settings import RetrySettings, ServerSettings
from failsoft.providers.protocol import ProviderCall, WireEvent
from failsoft.server import create_app
from failsoft.server.http_connection import BoundedConnection

Step = str | BaseException | Callable[[], Awaitable[object]]


@dataclass
class FakeExchange:
    steps: tuple[Step, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str = "req_upstream_secret"
    texts: list[str] = field(default_factory=list)
    ending: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": "".join(self.texts)}], **self.ending}

    async def __aiter__(self) -> AsyncIterator[WireEvent]:
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            if not isinstance(step, str):
                await step()
                continue
            self.texts.append(step)
            yield WireEvent("content_block_delta", {}, content=True, text=step)
        self.ending = {
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 5, "service_tier": "priority"},
        }


class FakeProvider:
    """Plays one script a call, the last one again and again."""

    def __init__(self, *scripts: tuple[Step, ...]) -> None:
        self.scripts = list(scripts)
        self.calls: list[ProviderCall] = []
        self.open = 0
        self.entered = asyncio.Condition()
        self.left = asyncio.Event()

    async def called(self, times: int) -> None:
        """Return once that many calls have come in."""
        async with asyncio.timeout(10), self.entered:
            await self.entered.wait_for(lambda: len(self.calls) >= times)

    @contextlib.asynccontextmanager
    async def exchange(self, call: ProviderCall) -> AsyncIterator[FakeExchange]:
        async with self.entered:
            self.calls.append(call)
            self.entered.notify_all()
        self.open += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            yield FakeExchange(script)
        finally:
            self.open -= 1
            self.left.set()

    async def aclose(self) -> None:
        pass


def hang() -> Callable[[], Awaitable[object]]:
    return asyncio.Event().wait


def settings(**changes: Any) -> Settings:
    """One attempt a request, so that a failure is told at once; ``server`` as a dict."""
    server = ServerSettings(**changes.pop("server", {}))
    return Settings(**{"retry": RetrySettings(max_attempts=1), "server": server} | changes)


_made: list[Failsoft] = []


def assistant(provider: FakeProvider, **changes: Any) -> Failsoft:
    ai = Failsoft(settings(**changes), providers={"anthropic": provider})
    _made.append(ai)
    return ai


def made() -> int:
    """How many assistants there are."""
    return len(_made)


def close_made(since: int) -> None:
    """Close the later ones: each holds two threads and an embedder."""
    while len(_made) > since:
        asyncio.run(_made.pop().aclose(drain_seconds=0))


def service(*script: Step, **changes: Any) -> Any:
    return create_app(assistant(FakeProvider(script), **changes))


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, their numbers checked, without the ``[DONE]`` that must end them."""
        *blocks, done, end = self.body.decode().split("\n\n")
        assert (done, end) == ("data: [DONE]", "")
        blocks = [block for block in blocks if not block.startswith(":")]
        pairs = [block.split("\n") for block in blocks]
        assert [number for _, number in pairs] == [f"id: {n}" for n in range(1, len(pairs) + 1)]
        assert all(data.startswith("data: ") for data, _ in pairs)
        return [json.loads(data.removeprefix("data: ")) for data, _ in pairs]


async def call(
    app: Any,
    path: str = "/api/chat",
    body: Any = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request in memory; a ``body`` that is no bytes is sent as JSON."""
    path, _, query = path.partition("?")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    incoming = [{"type": "http.request", "body": raw, "more_body": False}]
    outgoing: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop() if incoming else await asyncio.Event().wait()  # type: ignore[func-returns-value]

    async def send(message: dict[str, Any]) -> None:
        outgoing.append(message)

    await app(scope, receive, send)
    start, *rest = outgoing
    assert [m["type"] for m in outgoing] == ["http.response.start"] + ["http.response.body"] * len(
        rest
    )
    assert [bool(m.get("more_body")) for m in rest] == [True] * (len(rest) - 1) + [False]
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], found, b"".join(m.get("body", b"") for m in rest))


async def ask(app: Any, **fields: Any) -> Reply:
    return await call(app, body={"message": "Hello?"} | fields)


async def stream(app: Any, **fields: Any) -> Reply:
    return await call(app, "/api/chat/stream", {"message": "Hello?"} | fields)


@contextlib.asynccontextmanager
async def listening(app: Any, *, send_buffer: int | None = None) -> AsyncIterator[int]:
    """The app under uvicorn as ``serve`` runs it; gives the port."""
    async with uvicorn_of(app, send_buffer=send_buffer) as (port, _):
        yield port


@contextlib.asynccontextmanager
async def uvicorn_of(
    app: Any, *, send_buffer: int | None = None
) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """The same, with the server to look into."""
    config = uvicorn.Config(app, http=BoundedConnection, ws="none", lifespan="on", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if send_buffer is not None:  # every connection inherits it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            await running


def request_bytes(path: str, body: Any, *headers: str) -> bytes:
    raw = json.dumps(body).encode()
    lines = (
        f"POST {path} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(raw)}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw
