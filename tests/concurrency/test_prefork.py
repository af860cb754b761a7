"""Workers that were forked with the application already made, as under ``gunicorn --preload``."""

import asyncio
import http.client
import json
import os
import signal
import socket
from contextlib import closing

import pytest
import uvicorn
from concurrency_kit import settings
from fastapi import FastAPI
from forked import fork

from failsoft import Failsoft
from failsoft.server import create_app
from failsoft.testing import RunningSimulator


@pytest.fixture
def upstream():
    with RunningSimulator() as running:
        yield running


def ask(port, path="/api/chat"):
    """A reply, with the worker that gave it; each by a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"message": "Hello?"})
    with closing(connection):
        connection.request("POST", path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read(), int(reply.headers["x-worker"])


def telling(app: FastAPI) -> FastAPI:
    @app.middleware("http")
    async def tell(request, call_next):
        reply = await call_next(request)
        reply.headers["x-worker"] = str(os.getpid())
        return reply

    return app


def serve(app, listening):
    config = uvicorn.Config(app, log_level="warning", loop="uvloop")
    uvicorn.Server(config).run(sockets=[listening])
    return "left"


def test_each_worker_serves_by_itself_and_leaves_in_peace(upstream, tmp_path):
    ai = Failsoft(settings(upstream, data_dir=str(tmp_path)))
    assert asyncio.run(ai.ask("Hello?")).status == "success"
    app = telling(create_app(ai))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        workers = [fork(lambda: serve(app, listening)) for _ in range(2)]
        seen = []
        for _ in workers:
            status, body, worker = ask(port)
            assert (status, json.loads(body)["status"]) == (200, "success")
            status, body, worker = ask(port, "/api/chat/stream")
            assert b'"done"' in body
            seen.append(worker)
            # What is asked from now on, the other one answers.
            os.kill(worker, signal.SIGTERM)
            os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        assert len({*seen, os.getpid()}) == 3
    assert [worker() for worker in workers] == ["left"] * 2
    assert asyncio.run(ai.ask("Hello?")).status == "success"
    asyncio.run(ai.aclose())
