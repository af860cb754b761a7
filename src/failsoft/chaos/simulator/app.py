"""The application: the routes, and a note in the journal of every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

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
    app = web.Application(middlewares=[_noted(journal, clock)], client_max_size=_BODY_LIMIT)
    app[BOARD], app[JOURNAL] = board, journal
    app.add_routes(control_routes(board, journal))
    app.add_routes(api.routes())
    if proxied is not None:
        app.cleanup_ctx.append(proxied.connected)
    return app


def _noted(journal: Journal, clock: Clock) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        record = request[RECORD] = journal.open(request.path)
        try:
            response = await _answered(request, handler, record)
            if record.outcome == "open":
                await _finish(request, response, record, clock)
        except (asyncio.CancelledError, ConnectionError):
            record.outcome = "client_gone" if request.transport is None else "cut"
            raise
        finally:
            record.ended_s = clock.now()
        return response

    return middleware


async def _answered(request: web.Request, handler: _Handler, record: Record) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadCallError as error:
        reply = error_reply(error.status, record.request_id, message=error.message)
    except web.HTTPException as error:
        reply = error_reply(error.status, record.request_id)
    return as_response(reply, {"request-id": record.request_id})


async def _finish(
    request: web.Request, response: web.StreamResponse, record: Record, clock: Clock
) -> None:
    if not response.prepared:
        record.status = response.status
        await response.prepare(request)
        record.first_byte_s = clock.now()
    await response.write_eof()
    record.outcome = "completed"
