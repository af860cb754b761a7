"""A server for benchmarks: failsoft's service, or the least that passes a stream on.

    python -m benchmarks.serving failsoft UPSTREAM FOLDER WORKERS
    python -m benchmarks.serving bare UPSTREAM

Prints its address and runs until it is terminated. Every line on standard input is answered with
the number of its asyncio tasks.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from threading import Thread

import aiohttp
import uvicorn
from starlette.types import Receive, Scope, Send

from failsoft.config.settings import BulkheadSettings, ProviderSettings, ServerSettings, Settings
from failsoft.server.serve import serve

# Above any number of streams asked for: what is measured is not the limits.
MANY = 100_000


def failsoft(upstream: str, folder: str, workers: str) -> None:
    """As ``failsoft serve`` runs it, with its request log in ``folder``."""
    settings = Settings(
        data_dir=folder,
        anthropic=ProviderSettings(base_url=upstream, api_key="benchmark"),
        bulkhead=BulkheadSettings(route_limit=MANY, target_limit=MANY),
        server=ServerSettings(port=0, workers=int(workers), requests_per_tenant=MANY),
    )
    serve(settings, on_ready=lambda url: print(url, flush=True))


class Bare:
    """Reads an upstream by aiohttp and sends on what comes as it comes; nothing else."""

    def __init__(self, upstream: str) -> None:
        self._url = upstream + "/v1/messages"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        async with self._upstream().post(self._url, data=body) as reply:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while data := await reply.content.readany():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _upstream(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
            )
        return self._session


def bare(upstream: str) -> None:
    """The app above, on the same server as failsoft's."""
    config = uvicorn.Config(Bare(upstream), lifespan="off", log_level="warning", backlog=2048)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run([listener])


def tell_tasks() -> None:
    """Count the tasks of any loop, from outside of it."""
    for _ in sys.stdin:
        gc.collect()
        tasks = [each for each in gc.get_objects() if type(each) is asyncio.Task]
        print(sum(not task.done() for task in tasks), flush=True)


if __name__ == "__main__":
    Thread(target=tell_tasks, daemon=True).start()
    kind, *arguments = sys.argv[1:]
    (failsoft if kind == "failsoft" else bare)(*arguments)
