"""aiohttp sessions, one an event loop, that read what other HTTP clients read.

When the framing of a body is broken, aiohttp 3.14 closes the connection and the read of the body
never returns. :func:`fail_when_lost` makes the read fail instead.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from failsoft.errors import SettingError

__all__ = ["SessionPerLoop", "fail_when_lost"]


_HEAD_BYTES = 64 * 1024
_HEAD_FIELDS = 1024


class _Reply(aiohttp.ClientResponse):
    """A reply that hangs up at once when no caller waits for its headers any more.

    aiohttp alone would first send the rest of the request, or wait for the other side of TLS.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        try:
            return await super().start(connection)
        except BaseException:
            if connection.transport is not None:
                connection.transport.abort()
            raise


_LENGTH = re.compile(rb"\r?\ncontent-length:[ \t]*(\d+)[ \t]*(?=\r?\n|\Z)", re.IGNORECASE)
_CODING = re.compile(rb"\r?\ntransfer-encoding:", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


def _with_one_length(data: bytes) -> tuple[bytes, bool]:
    """``data`` with each head's length said once, and whether the last head was in it."""
    parts, start = list[bytes](), 0
    while (end := data.find(_HEAD_END, start)) >= 0:
        head = data[start:end]
        parts += _said_once(head), _HEAD_END
        start = end + len(_HEAD_END)
        if not head.startswith(b"HTTP/1.1 1"):
            return b"".join((*parts, data[start:])), True
    # A head that comes in pieces is left to the parser.
    return b"".join((*parts, data[start:])), start < len(data)


def _said_once(head: bytes) -> bytes:
    """A head whose length is said once, or by its chunks; lengths that differ are refused."""
    first = _LENGTH.search(head)
    if first is not None and _CODING.search(head):
        return _LENGTH.sub(b"", head)
    if first is None or set(_LENGTH.findall(head)) != {first[1]}:
        return head
    return head[: first.end()] + _LENGTH.sub(b"", head[first.end() :])


class _Protocol(ResponseHandler):
    """Reads a reply that says its length twice, as other clients do; aiohttp's parser refuses it.

    Both have to be the same, or one is that of the chunks, which counts (RFC 9112, 6.3). The head
    has to come in one piece.
    """

    _awaits_head = False

    def set_response_params(self, **params: Any) -> None:
        self._awaits_head = True
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._awaits_head:
            data, complete = _with_one_length(data)
            self._awaits_head = not complete
        super().data_received(data)


class _Connector(aiohttp.TCPConnector):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(_Protocol, loop=self._loop))


class SessionPerLoop:
    """Makes an :class:`aiohttp.ClientSession` where it is first needed, one an event loop.

    It is closed when its loop ends as ``asyncio.run`` ends one: a loop shuts down its asynchronous
    generators, and one of them holds the session.

    Proxy and certificates come from the environment as they do for the provider's SDK:
    ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY`` (also in lower case),
    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, read when a session is made. There is no limit on
    connections and no timeout of any kind: the caller governs both. Where they are not
    ``kept_alive`` every request has a connection of its own. Cookies are not kept, so that
    no two requests can be linked by one. Raises :class:`~failsoft.errors.SettingError` where the
    proxy for ``url`` is none that can be used.
    """

    def __init__(self, url: str, *, kept_alive: bool = True) -> None:
        _proxy_for(url)  # what is wrong with it is said here, and not at the first call
        self._url = url
        self._kept_alive = kept_alive
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._holders: dict[
            asyncio.AbstractEventLoop, AsyncGenerator[aiohttp.ClientSession, None]
        ] = {}

    async def get(self) -> aiohttp.ClientSession:
        """The session of the running event loop."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            for other in [other for other in self._sessions if other.is_closed()]:
                del self._sessions[other], self._holders[other]
            holder = self._holders[loop] = self._hold()
            session = self._sessions[loop] = await anext(holder)  # which never waits
        return session

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        loop = asyncio.get_running_loop()
        self._sessions.pop(loop, None)
        holder = self._holders.pop(loop, None)
        if holder is not None:
            await holder.aclose()

    async def _hold(self) -> AsyncGenerator[aiohttp.ClientSession, None]:
        async with self._make() as session:
            yield session

    def _make(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(
                limit=0, ssl=_certificates_for(self._url), force_close=not self._kept_alive
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            response_class=_Reply,
            cookie_jar=aiohttp.DummyCookieJar(),
            # As much as a proxy may add: cookies, policies. Its own limit is 8,190 bytes.
            max_line_size=_HEAD_BYTES,
            max_field_size=_HEAD_BYTES,
            max_headers=_HEAD_FIELDS,
            # Not trust_env: it would read .netrc, and refuse the request for what it finds there.
            proxy=_proxy_for(self._url),
        )


def _certificates_for(url: str) -> ssl.SSLContext | bool:
    # aiohttp's own context is as old as its import, and making one takes tens of milliseconds.
    return ssl.create_default_context() if url.startswith("https:") else True


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    hosts = (parts.netloc.rpartition("@")[2], parts.hostname or "")
    if not proxy or any(proxy_bypass(host) for host in hosts):
        return None
    full = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_usable(full):
        said = (f"{scheme}_proxy" for scheme in (parts.scheme, "all"))
        names = [name for each in said for name in (each, each.upper())]
        variable = next((name for name in names if os.environ.get(name)), names[1])
        # Not what it is: it may have a password in it.
        problem = "must be the address of an HTTP proxy, http://host:port; SOCKS is not spoken"
        raise SettingError(variable, problem)
    return full


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        known = parts.scheme in ("http", "https") and parts.path in ("", "/")
        return bool(known and parts.hostname and parts.port != 0)
    except ValueError:
        return False


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
