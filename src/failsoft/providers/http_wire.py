"""One POST of a request over aiohttp, and its reply: what all wire protocols share."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, ClassVar

import aiohttp
from yarl import URL

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.services import Endpoint
from failsoft.providers.event_exchange import EventExchange
from failsoft.providers.protocol import ProviderCall
from failsoft.providers.sessions import SessionPerLoop, fail_when_lost

__all__ = ["KEY_HEADERS", "HttpProvider", "HttpWire", "WireReply", "key_in"]


class WireReply:
    """The :class:`~failsoft.providers.protocol.Reply` of failsoft's own connections."""

    __slots__ = ("_body", "_response", "headers", "read", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        fail_when_lost(response)
        self._response = response
        self._body = response.content
        self.status = response.status
        lines = response.headers  # one that is said twice is said once
        self.headers = {
            name.lower(): ", ".join(dict.fromkeys(lines.getall(name))) for name in lines
        }
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


KEY_HEADERS = frozenset({"api-key", "authorization", "x-api-key"})
"""The headers that show a key, in lower case."""


def key_in(headers: Mapping[str, Any]) -> str:
    """The key that these headers show, in whatever case they are; empty where there is none."""
    for name, value in headers.items():
        if name.lower() in KEY_HEADERS and isinstance(value, str):
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


class HttpWire:
    """Posts requests to one service and reads their replies; several event loops may use one.

    Each loop has connections of its own and closes them itself. Proxy and certificate variables of
    the environment are obeyed, see :class:`~failsoft.providers.sessions.SessionPerLoop`.
    """

    def __init__(self, service: Endpoint) -> None:
        self._service = service
        self._sessions = SessionPerLoop(service.base_url)
        self._fresh = SessionPerLoop(service.base_url, kept_alive=False)
        self._allowed = frozenset(URL(each).origin() for each in service.follow_redirects_to)
        self._ours = {"user-agent": f"failsoft/{version('failsoft')}"}
        if service.key:
            bearer = service.preset.key_header == "authorization"
            self._ours[service.preset.key_header] = "Bearer " * bearer + service.key

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        await self._sessions.aclose()
        await self._fresh.aclose()

    def headers(self, ours: Mapping[str, str], callers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request: ``callers`` go before ``ours``, a key of theirs before our key.

        Raises :class:`~failsoft.classify.wire_errors.ReplyFailed` where the service wants a key and
        there is none.
        """
        passed = {name.lower(): value for name, value in callers.items()}
        headers = {**self._ours, **ours}
        if KEY_HEADERS & passed.keys():
            headers = {name: value for name, value in headers.items() if name not in KEY_HEADERS}
        headers |= passed
        if self._service.preset.needs_key and not KEY_HEADERS & headers.keys():
            raise ReplyFailed(self._service.no_key, status=401)
        for name in _NEVER_PASSED_ON:
            headers.pop(name, None)
        return headers | {"accept": "text/event-stream", "content-type": "application/json"}

    async def post(
        self, address: str, body: bytes, headers: Mapping[str, str], *, fresh: bool
    ) -> WireReply:
        """The reply to one request; on a ``fresh`` connection that was not used before.

        Raises the transport's own exceptions, and
        :class:`~failsoft.classify.wire_errors.ReplyFailed` for a redirect that is not followed.
        """
        sessions, url = self._fresh if fresh else self._sessions, URL(address)
        session = await sessions.get()
        for _ in range(_MOST_REDIRECTS + 1):
            data = io.BytesIO(body)  # bytes would be written in one go, however large
            response = await session.post(url, data=data, headers=headers, allow_redirects=False)
            if response.status not in _REDIRECTS:
                return WireReply(response)
            response.close()
            url = self._onward(url, response)
        raise aiohttp.TooManyRedirects(
            response.request_info,
            response.history,
            status=response.status,
            message=f"redirected {_MOST_REDIRECTS + 1} times: check {self._service.address_name}",
        )

    def _onward(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        """Where the same request is to be sent next.

        Raises :class:`~failsoft.classify.wire_errors.ReplyFailed` for another origin that is not
        allowed, where neither key nor prompt may go (the same host from http to https is the same
        place), and for a redirect that asks for another request.
        """
        location = response.headers.get("location", "")
        try:
            onward = url.join(URL(location))
        except ValueError:
            onward, location = url, ""
        encrypted = (url.scheme, onward.scheme, url.host) == ("http", "https", onward.host)
        origin = onward.origin() if location and onward.host else None
        may_go = encrypted or origin == url.origin() or origin in self._allowed
        if origin is not None and response.status in _SAME_REQUEST and may_go:
            return onward
        raise ReplyFailed(
            f"redirected ({response.status}) to {origin or 'no place'}, where neither the key nor "
            f"the prompt is sent: check {self._service.address_name}, or name it in "
            f"{self._service.section}.follow_redirects_to",
            status=response.status,
        )


class HttpProvider(ABC):
    """One service over HTTP; :mod:`failsoft.providers.protocol` is its contract."""

    _exchange: ClassVar[type[EventExchange]]

    def __init__(self, service: Endpoint) -> None:
        self._service = service
        self._http = HttpWire(service)
        self._base_url = service.base_url.rstrip("/")

    def exchange(self, call: ProviderCall) -> EventExchange:
        """Send one request when entered; see :class:`.EventExchange` for what it raises.

        Nothing is sent, and :class:`~failsoft.classify.wire_errors.ReplyFailed` with status 401 is
        raised, where there is no key, or what stands for one; :class:`ValueError` or
        :class:`TypeError`, where the body has no JSON form.
        """
        return self._exchange(partial(self._send, call), max_bytes=call.max_bytes)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        await self._http.aclose()

    @abstractmethod
    async def _send(self, call: ProviderCall) -> WireReply:
        """The reply to the request of one call."""
