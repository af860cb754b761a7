"""An application served on this machine, in a thread, for as long as a check looks at it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

__all__ = ["served"]

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.005


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application, its lifespan included; gives its URL.

    It has a loop of its own: one that blocks its loop is then late, and not a check that hangs.
    Raises :class:`AssertionError` where it does not start.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=lambda: asyncio.run(_serve(server, listener)), name="failsoft-check", daemon=True
        )
        thread.start()
        try:
            _await_start(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    with suppress(SystemExit):  # its way to say that the application did not start
        await server.serve([listener])
    # A client that the application never closed would warn of its connections whenever it is
    # collected, in the middle of somebody else's test.
    left = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(left.values()):
        transport.abort()
    await asyncio.sleep(0)


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise AssertionError(
                "the application did not start: its log (logger uvicorn.error) says why"
            )
        time.sleep(_LOOK_SECONDS)
