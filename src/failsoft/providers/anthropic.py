"""Anthropic's Messages API over aiohttp: one POST, always streamed.

When the framing of a body is broken, aiohttp 3.14 closes the connection and the read of the body
never returns. :func:`fail_when_lost` makes the read fail instead.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

import aiohttp
from yarl import URL

from failsoft.classify.evidence import add_header
from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import ProviderSettings
from failsoft.providers import payload
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.protocol import ProviderCall
from failsoft.providers.sessions import SessionPerLoop

__all__ = ["API_VERSION", "AnthropicWire", "WireReply", "fail_when_lost", "key_in"]


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
    # The future lives as long as the connection; its exception concerns no one once idle.
    closed.remove_done_callback(_seen)
    closed.add_done_callback(_seen)


def _fail(body: aiohttp.StreamReader) -> None:
    if body.exception() is None and not body.is_eof():
        body.set_exception(aiohttp.ClientPayloadError("the connection was lost"))


def _seen(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()


class WireReply:
    """The :class:`~failsoft.providers.protocol.Reply` of failsoft's own connections."""

    __slots__ = ("_body", "_response", "headers", "read", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        fail_when_lost(response)
        self._response = response
        self._body = response.content
        self.status = response.status
        self.headers: dict[str, str] = {}
        for name, value in response.headers.items():
            add_header(self.headers, name.lower(), value)
        self.read = response.content.readany

    @property
    def ended(self) -> bool:
        """Whether the whole body is in."""
        return self._body.at_eof()

    async def free(self) -> None:
        """Let go of the connection at once. Idempotent."""
        connection = self._response.connection  # None once the body has ended
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # close() would wait for the other side of TLS
        self._response.close()


# What anthropic 2.12 asks for; a caller's own header overrides it.
API_VERSION = "2026-10-21"

_KEY_HEADERS = frozenset({"authorization", "x-api-key"})


def key_in(headers: Mapping[str, Any]) -> str:
    """The key that these headers show, in whatever case they are; empty where there is none."""
    for name, value in headers.items():
        if name.lower() in _KEY_HEADERS and isinstance(value, str):
            return value
    return ""


# They belong to the connection, or to the body, and both are made here.
_NEVER_PASSED_ON = frozenset(
    ("connection", "content-encoding", "content-length", "host", "transfer-encoding")
)


# aiohttp would follow up to ten, to any place, and drop no header but Authorization.
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_SAME_REQUEST = frozenset((307, 308))


def _onward(url: URL, response: aiohttp.ClientResponse, allowed: Collection[URL]) -> URL:
    """Where the same request is to be sent next.

    Raises :class:`~failsoft.classify.wire_errors.ReplyFailed` for another origin that is not
    ``allowed``, where neither key nor prompt may go (the same host from http to https is the same
    place), and for a redirect that asks for another request.
    """
    location = response.headers.get("location", "")
    try:
        onward = url.join(URL(location))
    except ValueError:
        onward, location = url, ""
    encrypted = (url.scheme, onward.scheme, url.host) == ("http", "https", onward.host)
    origin = onward.origin() if location and onward.host else None
    may_go = encrypted or origin == url.origin() or origin in allowed
    if origin is not None and response.status in _SAME_REQUEST and may_go:
        return onward
    raise ReplyFailed(
        f"redirected ({response.status}) to {origin or 'no place'}, where neither the key nor the "
        "prompt is sent: check ANTHROPIC_BASE_URL, or name it in anthropic.follow_redirects_to",
        status=response.status,
    )


class AnthropicWire:
    """The provider ``anthropic``; :mod:`failsoft.providers.protocol` is its contract.

    Several event loops may use one: each has connections of its own and closes them itself.
    Proxy and certificate variables of the environment are obeyed as the provider's SDK does, see
    :class:`~failsoft.providers.sessions.SessionPerLoop`.
    """

    def __init__(self, settings: ProviderSettings) -> None:
        self._url = settings.base_url.rstrip("/") + "/v1/messages"
        self._sessions = SessionPerLoop(self._url)
        self._fresh = SessionPerLoop(self._url, kept_alive=False)
        self._allowed = frozenset(URL(each).origin() for each in settings.follow_redirects_to or ())
        key = settings.api_key or settings.auth_token
        self._key = {"authorization": f"Bearer {key}"} if key else {}
        self._defaults = {
            "user-agent": f"failsoft/{version('failsoft')}",
            "anthropic-version": API_VERSION,
        }

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        """Send one request when entered; see :class:`AnthropicExchange` for what it raises.

        Nothing is sent, and :class:`~failsoft.classify.wire_errors.ReplyFailed` with status 401 is
        raised, where there is no key; :class:`ValueError` or :class:`TypeError`, where the body
        has no JSON form.
        """
        return AnthropicExchange(lambda: self._send(call), max_bytes=call.max_bytes)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        await self._sessions.aclose()
        await self._fresh.aclose()

    async def _send(self, call: ProviderCall) -> WireReply:
        headers = self._headers(call.headers)
        body = payload.encode({**call.body, "model": call.target.model, "stream": True})
        sessions, url = self._fresh if call.fresh else self._sessions, URL(self._url)
        session = await sessions.get()
        for _ in range(_MOST_REDIRECTS + 1):
            data = io.BytesIO(body)  # bytes would be written in one go, however large
            response = await session.post(url, data=data, headers=headers, allow_redirects=False)
            if response.status not in _REDIRECTS:
                return WireReply(response)
            response.close()
            url = _onward(url, response, self._allowed)
        raise aiohttp.TooManyRedirects(
            response.request_info,
            response.history,
            status=response.status,
            message=f"redirected more than {_MOST_REDIRECTS} times: check ANTHROPIC_BASE_URL",
        )

    def _headers(self, callers: Mapping[str, str]) -> dict[str, str]:
        passed = {name.lower(): value for name, value in callers.items()}
        key = {} if _KEY_HEADERS & passed.keys() else self._key
        headers = {**self._defaults, **key, **passed}
        if not _KEY_HEADERS & headers.keys():
            raise ReplyFailed(
                "no API key is set: set ANTHROPIC_API_KEY, or give api_key to ProviderSettings",
                status=401,
            )
        for name in _NEVER_PASSED_ON:
            headers.pop(name, None)
        return headers | {"accept": "text/event-stream", "content-type": "application/json"}
