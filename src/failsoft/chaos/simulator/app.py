"""The application: the routes, and a note in the journal of every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.board import Board
from failsoft.chaos.simulator.call import BadCallError
from failsoft.chaos.simulator.clock import Clock
from failsoft.chaos.simulator.control import CONTROL_PREFIX, control_routes
from failsoft.chaos.simulator.faults import parse_assignments
from failsoft.chaos.simulator.journal import Journal, Record
from failsoft.chaos.simulator.line import RECORD, as_response
from failsoft.chaos.simulator.messages import MessagesApi
from failsoft.chaos.simulator.script import Step
from failsoft.chaos.simulator.upstream import Upstream
from failsoft.chaos.simulator.wire import error_reply

__all__ = ["BOARD", "JOURNAL", "create_app"]

BOARD: Final = web.AppKey("board", Board)
JOURNAL: Final = web.AppKey("journal", Journal)

_BODY_LIMIT: Final = 32 * 1024 * 1024  # the API's own
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *,
    seed: int = 0,
    faults: Sequence[str] = (),
    steps: Sequence[Step] = (),
    upstream: str | None = None,
    clock: Clock | None = None,
    journal_limit: int = 50_000,
) -> web.Application:
    """Make the application; its time begins now.

    ``faults`` are MODEL=FAULT, ``steps`` a script's, ``upstream`` the address that healthy calls
    are passed on to; the journal keeps the last ``journal_limit`` requests. The runner must be
    told ``handler_cancellation=True``, or a client that leaves a hanging reply goes unnoticed.
    Raises :class:`~failsoft.errors.SettingError`.
    """
    clock = clock or Clock()
    board = Board(seed=seed, clock=clock, steps=steps)
    for model, behaviour in parse_assignments(faults).items():
        board.set(model, behaviour)
    proxied = None if upstream is None else Upstream(upstream, clock=clock)
    journal = Journal(clock=clock, seed=seed, limit=journal_limit)
    api = MessagesApi(seed=seed, board=board, clock=clock, upstream=proxied)
    noting = _Noting(journal, clock)
    app = web.Application(middlewares=[noting.middleware], client_max_size=_BODY_LIMIT)
    app.on_shutdown.append(noting.stop)
    app[BOARD], app[JOURNAL] = board, journal
    app.add_routes(control_routes(board, journal))
    app.add_routes(api.routes())
    if proxied is not None:
        app.cleanup_ctx.append(proxied.connected)
    return app


class _Noting:
    """Opens a record for every request but the simulator's own, and closes it when it is over."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._stopping = False

    async def stop(self, _app: web.Application) -> None:
        """From here on it is the simulator that breaks replies off, not the clients."""
        self._stopping = True

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        record = request[RECORD] = self._journal.open(request.path)
        try:
            response = await _answered(request, handler, record)
            if record.outcome == "open":
                await self._finish(request, response, record)
        except (asyncio.CancelledError, ConnectionError):
            record.outcome = "cut" if self._stopping else "client_gone"
            raise
        finally:
            record.ended_s = self._clock.now()
        return response

    async def _finish(
        self, request: web.Request, response: web.StreamResponse, record: Record
    ) -> None:
        if not response.prepared:
            record.status = response.status
            record.first_byte_s = self._clock.now()
            await response.prepare(request)
        await response.write_eof()
        record.outcome = "completed"


async def _answered(request: web.Request, handler: _Handler, record: Record) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadCallError as error:
        reply = error_reply(error.status, record.request_id, message=error.message)
    except web.HTTPException as error:
        reply = error_reply(error.status, record.request_id)
    return as_response(reply, {"request-id": record.request_id})
