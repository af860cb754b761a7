"""What every reply of the application carries, and its line in the log."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failsoft.engine.request import new_request_id
from failsoft.server.auth import Guard
from failsoft.server.problem import Problem
from failsoft.server.shutdown import Drain

__all__ = ["Edge"]

_log = logging.getLogger(__name__)

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_PROBES = ("/livez", "/readyz")


class Edge:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp, *, drain: Drain, guard: Guard) -> None:
        self._app = app
        self._drain = drain
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its reply back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        line: dict[str, object] = {"method": scope["method"], "path": scope["path"]}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._drain.leaving:  # or the next request would find no server
                    headers["connection"] = "close"
                line["status"] = message["status"]
                line["request_id"] = headers.setdefault("x-request-id", new_request_id())
            await send(message)

        try:
            await self._checked(scope)(scope, receive, sending)
        finally:
            line["duration_ms"] = round((time.perf_counter() - began) * 1000, 1)
            level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
            _log.log(level, "http", extra={"fields": line})

    def _checked(self, scope: Scope) -> ASGIApp:
        """What answers: the application, or why it does not."""
        if scope["path"] in _PROBES:
            return self._app
        try:
            self._guard.check_site(Headers(scope=scope))
        except Problem as problem:
            return problem.response()
        return self._app
