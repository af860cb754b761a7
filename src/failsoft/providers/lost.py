"""A reader that is told when its connection is lost.

When the framing of a body is broken, aiohttp 3.14 closes the connection and leaves whoever reads
the body waiting for ever. :func:`fail_when_lost` makes the read fail instead.
"""

from __future__ import annotations

import asyncio

import aiohttp

__all__ = ["fail_when_lost"]


def fail_when_lost(response: aiohttp.ClientResponse) -> None:
    """Fail the reader of the body when the connection closes before the body's end."""
    connection, body = response.connection, response.content
    if connection is None or connection.protocol is None:
        return  # the body is in already
    closed = connection.protocol.closed
    if closed is None:
        _fail(body)
        return

    def fail(_: asyncio.Future[None]) -> None:
        _fail(body)

    def forget() -> None:
        closed.remove_done_callback(fail)

    closed.add_done_callback(fail)
    body.on_eof(forget)
    # The future lives as long as the connection; its exception is nobody's business once idle.
    closed.remove_done_callback(_seen)
    closed.add_done_callback(_seen)


def _fail(body: aiohttp.StreamReader) -> None:
    if body.exception() is None and not body.is_eof():
        body.set_exception(aiohttp.ClientPayloadError("the connection was lost"))


def _seen(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()
