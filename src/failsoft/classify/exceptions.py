"""What an exception and the chain of its causes say, where no reply speaks.

Exceptions of the standard library are known by their class; those of aiohttp, httpx, httpx2,
requests, botocore, google-auth and the SDKs by the names along their class tree, so that none of
them is imported. The
order of the rules matters: ``APITimeoutError`` is an ``APIConnectionError``, ``ConnectTimeout`` is
a timeout, and the deepest cause says more than the class around it.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from traceback import walk_tb
from typing import Final, NamedTuple

from failsoft.classify.untrusted import HOSTILE, attribute, clip
from failsoft.classify.wire_errors import BadReply, EmptyAnswer, StreamCut, TimedOut, Timer

__all__ = ["PROXY_ERRORS", "Cause", "chain_of", "read_causes", "words_of"]

PROXY_ERRORS: Final = frozenset({"ClientHttpProxyError", "ProxyError"})
"""aiohttp's and httpx's exceptions about a proxy that opened no tunnel."""

_LONGEST_CHAIN: Final = 16
_LONGEST_TRACE: Final = 100
_READS_BODY: Final = ("read", "aread", "iter_raw", "aiter_raw")
_WORDS_LIMIT: Final = 2_000

_UNREACHABLE = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EADDRNOTAVAIL,
    }
)
_HUNG_UP = frozenset({errno.ECONNABORTED, errno.ECONNRESET, errno.EPIPE})
_BROKEN = _HUNG_UP | {errno.ENOTCONN, errno.ETIMEDOUT}
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})

_NOT_CONNECTED_WORDS = (  # what asyncio and anyio say of several addresses at once
    "all connection attempts failed",
    "connect call failed",
    "connection timeout to host",
)
_REFUSED = re.compile(r" *4\d\d\b")
_NO_KEY_WORDS = (
    "could not resolve authentication method",
    "api_key client option must be set",
    "could not resolve api key",
    "missing credentials",
)
_NO_CREDENTIALS = frozenset(
    {
        "CredentialRetrievalError",
        "CredentialsError",
        "InfiniteLoopConfigError",
        "LoginError",
        "MetadataRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "RefreshWithMFAUnsupportedError",
        "SSOError",
        "TokenRetrievalError",
        "UnknownCredentialError",
        "UnknownTokenProviderError",
    }
)
_NO_REGION = frozenset({"BaseEndpointResolverError", "EndpointProviderError", "InvalidRegionError"})
_CLOSED_WORDS = ("client has been closed", "session is closed", "event loop is closed")
_CUT_WORDS = ("incomplete", "without sending complete", "without response body", "payload is not")
_NOT_HTTP_WORDS = ("illegal status line", "illegal header line", "receive buffer too long")
_TLS_BROKE_WORDS = ("eof", "close notify", "bad record mac", "internal error", "timed out")
_TLS_BROKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


@dataclass(frozen=True, slots=True)
class Cause:
    """A row's name, and whether it is proven that nothing reached the provider."""

    row: str
    unsent: bool = False


class Chain(NamedTuple):
    """The exceptions, outermost first, the names of all their classes, and all their words."""

    links: tuple[BaseException, ...]
    names: frozenset[str]
    words: str


def chain_of(failure: BaseException) -> tuple[BaseException, ...]:
    """The exception, what it was raised from or wraps, members of groups; none of them twice."""
    found: dict[int, BaseException] = {}
    waiting: list[object] = [failure]
    while waiting and len(found) < _LONGEST_CHAIN:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and id(link) not in found:
            found[id(link)] = link
            waiting.extend(_below(link))
    return tuple(found.values())


def _below(link: BaseException) -> Iterator[object]:
    yield attribute(link, "__cause__")
    args = attribute(link, "args")  # httpcore keeps the cause there, and only there
    yield from args[:_LONGEST_CHAIN] if isinstance(args, tuple) else ()
    if isinstance(link, BaseExceptionGroup):
        yield from islice(link.exceptions, _LONGEST_CHAIN)


def words_of(failure: BaseException) -> str:
    """The exception's own text; empty where it has none or will not give it."""
    try:
        return clip(str(failure), _WORDS_LIMIT)
    except HOSTILE:
        return ""


def read_causes(links: tuple[BaseException, ...]) -> Cause | None:
    """What the first rule says that knows something of the chain."""
    names = frozenset(kind.__name__ for link in links for kind in type(link).__mro__)
    chain = Chain(links, names, " ".join(words_of(link) for link in links).lower())
    for rule in _RULES:
        cause = rule(chain)
        if cause is not None:
            return cause
    return None


def _own(chain: Chain) -> Cause | None:
    """What failsoft itself observed needs no second opinion."""
    for link in chain.links:
        if isinstance(link, TimedOut):
            return Cause(_own_timer(link))
        if isinstance(link, StreamCut):
            return Cause("stream_cut")
        if isinstance(link, EmptyAnswer):
            return Cause("thought_only" if link.thought else "empty_answer")
        if isinstance(link, BadReply):
            return Cause("bad_reply")
    return None


def _own_timer(failure: TimedOut) -> str:
    if failure.timer == Timer.DEADLINE:
        return "deadline"
    if failure.timer == Timer.OPENED:
        return "no_answer_opened"
    return "no_answer" if failure.full_period else "no_answer_short"


def _tls(chain: Chain) -> Cause | None:
    known = {"ClientConnectorCertificateError", "ServerFingerprintMismatch"} & chain.names
    told = "certificate verify failed" in chain.words or "certificate_verify_failed" in chain.words
    if known or told or any(_is_tls(link) for link in chain.links):
        return Cause("connection_setup", unsent=True)
    return None


def _is_tls(link: BaseException) -> bool:
    """Certificates, versions, ciphers; a TLS connection that merely broke is a connection."""
    if all(kind.__name__ != "SSLError" for kind in type(link).__mro__):
        return False
    if isinstance(link, ssl.SSLCertVerificationError):
        return True
    words = words_of(link).lower()
    return not isinstance(link, _TLS_BROKE) and all(word not in words for word in _TLS_BROKE_WORDS)


def _proxy(chain: Chain) -> Cause | None:
    """A proxy that refuses to open a tunnel wants to be set up; one that fails is a connection."""
    if not PROXY_ERRORS & chain.names:
        return None
    said = " ".join(_of_proxy(link) for link in chain.links)
    return Cause("connection_setup" if _REFUSED.match(said) else "connection", unsent=True)


def _of_proxy(link: BaseException) -> str:
    """The status of the reply to CONNECT: an attribute of aiohttp's, the first word of httpx's."""
    if type(link).__name__ not in PROXY_ERRORS:
        return ""
    return str(attribute(link, "status") or words_of(link))


def _redirected(chain: Chain) -> Cause | None:
    # Every reply was a redirect: it goes in a circle, and would again.
    return Cause("wrong_address", unsent=True) if "TooManyRedirects" in chain.names else None


def _saturated(chain: Chain) -> Cause | None:
    own = {"CapacityNotAvailableError", "PoolTimeout"} & chain.names
    if own or _has_errno(chain, _NO_DESCRIPTORS):
        return Cause("saturated", unsent=True)
    return None


def _never_connected(chain: Chain) -> Cause | None:
    proven = (
        {"ClientConnectorError", "ConnectionTimeoutError", "EndpointConnectionError"} & chain.names
        or any(isinstance(link, socket.gaierror | ConnectionRefusedError) for link in chain.links)
        or any(_is_httpcore_connect(link) for link in chain.links)
        or _has_errno(chain, _UNREACHABLE)
        or any(word in chain.words for word in _NOT_CONNECTED_WORDS)
    )
    return Cause("connection", unsent=True) if proven else None


def _is_httpcore_connect(link: BaseException) -> bool:
    kind = type(link)
    names = ("ConnectError", "ConnectTimeout")
    return kind.__name__ in names and kind.__module__.startswith("httpcore")


def _not_connected(chain: Chain) -> Cause | None:
    # An SDK on aiohttp shows a hang-up after sending by these names too: nothing is proven.
    if {"ConnectTimeout", "ConnectError", "WriteTimeout"} & chain.names:
        return Cause(_lost(chain))
    return None


def _cut(chain: Chain) -> Cause | None:
    broken = {
        "ChunkedEncodingError",
        "ClientPayloadError",
        "IncompleteRead",
        "IncompleteReadError",
        "ReadError",
        "RemoteProtocolError",
        "ResponseStreamingError",
    } & chain.names
    if not broken:
        return None
    # The SDKs wrap what breaks before the head and within a plain body, and nothing mid-stream.
    before = "APIConnectionError" in chain.names or "without sending a response" in chain.words
    late = any(word in chain.words for word in _CUT_WORDS) or any(map(_in_body, chain.links))
    if late or not before:
        return Cause("stream_cut")
    return Cause("bad_reply" if any(word in chain.words for word in _NOT_HTTP_WORDS) else "hung_up")


def _in_body(link: BaseException) -> bool:
    """Whether it was raised while httpx read the body of a reply: its head was in."""
    trace = attribute(link, "__traceback__")
    for frame, _ in islice(walk_tb(trace), _LONGEST_TRACE):
        code = frame.f_code
        if code.co_name in _READS_BODY and "self" in code.co_varnames:
            names = (kind.__name__ for kind in type(frame.f_locals.get("self")).__mro__)
            if "Response" in names:
                return True
    return False


def _lost(chain: Chain) -> str:
    """Whether it was a host that took the connection: its other models may well answer."""
    kinds = (BrokenPipeError, ConnectionAbortedError, ConnectionResetError)
    known = "ServerDisconnectedError" in chain.names or _has_errno(chain, _HUNG_UP)
    known = known or "ConnectionClosedError" in chain.names
    hung_up = known or any(isinstance(link, kinds) for link in chain.links)
    return "hung_up" if hung_up else "connection"


def _no_answer(chain: Chain) -> Cause | None:
    names = {"APITimeoutError", "ReadTimeout", "ServerTimeoutError", "TimeoutException"}
    if names & chain.names or (
        any(isinstance(link, TimeoutError) for link in chain.links)
        and not _has_errno(chain, _BROKEN)
    ):
        return Cause("no_answer")
    return None


def _bad_reply(chain: Chain) -> Cause | None:
    names = {
        "APIResponseValidationError",
        "ContentTypeError",
        "DecodingError",
        "HttpProcessingError",
    }
    kinds = (json.JSONDecodeError, UnicodeDecodeError, AssertionError)
    if names & chain.names or any(isinstance(link, kinds) for link in chain.links):
        return Cause("bad_reply")
    return None


def _refused(chain: Chain) -> Cause | None:
    return Cause("refusal") if "ContentFilterFinishReasonError" in chain.names else None


def _length(chain: Chain) -> Cause | None:
    # The SDK parses no answer that max_tokens cut short, and would not the next time.
    return Cause("bad_request") if "LengthFinishReasonError" in chain.names else None


def _no_key(chain: Chain) -> Cause | None:
    told = any(word in chain.words for word in _NO_KEY_WORDS)
    if told or _NO_CREDENTIALS & chain.names:
        return Cause("authentication", unsent=True)
    return None


def _no_token(chain: Chain) -> Cause | None:
    """No token of Google's: it was refused, or its server was not reached."""
    if "GoogleAuthError" not in chain.names:
        return None
    again = any(attribute(link, "retryable") is True for link in chain.links)
    lost = again or {"ResponseError", "TimeoutError", "TransportError"} & chain.names
    return Cause("connection" if lost else "authentication", unsent=True)


def _no_endpoint(chain: Chain) -> Cause | None:
    """No address is known for the region, or no region (botocore)."""
    if _NO_REGION & chain.names:
        return Cause("connection_setup", unsent=True)
    return None


def _bad_call(chain: Chain) -> Cause | None:
    names = {"InvalidURL", "LocalProtocolError", "UnsupportedProtocol"}
    closed = "RuntimeError" in chain.names and any(word in chain.words for word in _CLOSED_WORDS)
    bad = any(isinstance(link, TypeError | ValueError) for link in chain.links)
    return Cause("bad_call", unsent=True) if closed or bad or names & chain.names else None


def _broken(chain: Chain) -> Cause | None:
    names = {
        "APIConnectionError",
        "ClientConnectionError",
        "ConnectionError",
        "HTTPClientError",
        "NetworkError",
    }
    tls = any(isinstance(link, ssl.SSLError) for link in chain.links)
    if tls or names & chain.names or _has_errno(chain, _BROKEN):
        return Cause(_lost(chain))
    return None


def _refused_by_botocore(chain: Chain) -> Cause | None:
    # Those that are about a connection are known by now; the others are about arguments.
    return Cause("bad_call", unsent=True) if "BotoCoreError" in chain.names else None


def _has_errno(chain: Chain, numbers: frozenset[int]) -> bool:
    return any(isinstance(link, OSError) and link.errno in numbers for link in chain.links)


_RULES: Final[tuple[Callable[[Chain], Cause | None], ...]] = (
    _own,
    _tls,
    _proxy,
    _redirected,
    _saturated,
    _never_connected,
    _not_connected,
    _cut,
    _no_answer,
    _bad_reply,
    _refused,
    _length,
    _no_key,
    _no_token,
    _no_endpoint,
    _bad_call,
    _broken,
    _refused_by_botocore,
)
