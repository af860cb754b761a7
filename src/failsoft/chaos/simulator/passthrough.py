"""The simulator as a proxy: calls that nothing strikes go on to the real endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerTimeoutError,
    web,
)
from yarl import URL

from failsoft.chaos.simulator.connection import Line
from failsoft.chaos.simulator.wire import error_reply
from failsoft.errors import SettingError

__all__ = ["Upstream"]

_OF_THE_CONNECTION: Final = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CONNECT_SECONDS: Final = 10.0
_SESSION: Final = web.AppKey("session", ClientSession)
_NOT_OURS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Upstream:
    """The real endpoint. Requests and replies pass byte for byte, chunk by chunk as they come."""

    def __init__(self, address: str) -> None:
        self._url = _parse_address(address)

    async def connected(self, app: web.Application) -> AsyncIterator[None]:
        """Hold the connections to it for as long as the application runs."""
        session = ClientSession(
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=_NOT_OURS,
            timeout=ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            trust_env=True,
        )
        app[_SESSION] = session
        async with session:
            yield

    async def pass_on(self, request: web.Request, line: Line) -> web.StreamResponse:
        """Send the request on and its reply back; what breaks there breaks here."""
        url = URL(f"{self._url}{request.raw_path}", encoded=True)
        body, headers = await request.read(), _kept(request.headers, drop={"content-length"})
        try:
            reply = await request.app[_SESSION].request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            )
        except (ClientConnectorError, ServerTimeoutError) as error:
            message = f"upstream cannot be reached: {error}"
            failure = line.dialect.of_status(502, message=message)
            return line.whole(error_reply(line.dialect, failure, line.record.request_id))
        except ClientError:
            return await line.abort()
        async with reply:
            return await self._copy(reply, line)

    @staticmethod
    async def _copy(reply: ClientResponse, line: Line) -> web.StreamResponse:
        response = web.StreamResponse(
            status=reply.status, reason=reply.reason, headers=_kept(reply.headers)
        )
        await line.begin(response)
        try:
            async for chunk in reply.content.iter_any():
                await response.write(chunk)
        except ClientPayloadError:
            return await line.abort()
        return response


def _kept(headers: Mapping[str, str], drop: Iterable[str] = ()) -> list[tuple[str, str]]:
    dropped = _OF_THE_CONNECTION.union(drop)
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]


def _parse_address(text: str) -> URL:
    try:
        url = URL(text.rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.query_string or url.fragment:
        raise SettingError("--upstream", f"must be an http:// or https:// address; it is {text!r}")
    return url
