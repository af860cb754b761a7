"""Exceptions without a reply: Python's own, aiohttp's, httpx's by name, and failsoft's."""

import asyncio
import concurrent.futures
import errno
import json
import socket
import ssl
from types import SimpleNamespace

import aiohttp
import httpx2
import pytest
from aiohttp.client_reqrep import ConnectionKey

from failsoft.classify import (
    BadReply,
    BreakerEffect,
    Fault,
    NextModel,
    ReplyFailed,
    Sent,
    Stopped,
    StreamCut,
    StreamFailed,
    TimedOut,
    Timer,
    classify,
    is_cancellation,
    verdict_for,
)

KEY = ConnectionKey("api.example", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None,
                    proxy_headers_hash=None)  # fmt: skip
SELF_SIGNED = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")


def verdict_on(failure, provider="anthropic"):
    return classify(failure, provider=provider, now=0.0)


def proxy_error(status):
    return aiohttp.ClientHttpProxyError(None, (), status=status, message="refused")


def by_name(*names, module="httpx"):
    """An exception known only by the names along its class tree."""
    kind = Exception
    for name in reversed(names):
        kind = type(name, (kind,), {"__module__": module})
    return kind


def from_(outer, *causes):
    link = outer
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return outer


def request_info():
    return aiohttp.RequestInfo("http://api.example", "POST", {}, "http://api.example")


PYTHONS = [
    (ConnectionRefusedError(111, "Connection refused"), "transient · connection", Sent.NO),
    (ConnectionResetError(104, "Connection reset by peer"), "transient · connection", Sent.MAYBE),
    (ConnectionResetError(), "transient · connection", Sent.MAYBE),
    (BrokenPipeError(32, "Broken pipe"), "transient · connection", Sent.MAYBE),
    (ConnectionAbortedError(), "transient · connection", Sent.MAYBE),
    (OSError(errno.EHOSTUNREACH, "No route to host"), "transient · connection", Sent.NO),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), "transient · connection", Sent.NO),
    (OSError(errno.ETIMEDOUT, "Connection timed out"), "transient · connection", Sent.MAYBE),
    (OSError("All connection attempts failed"), "transient · connection", Sent.NO),
    (
        OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] …"),
        "transient · connection",
        Sent.NO,
    ),
    (OSError(errno.EMFILE, "Too many open files"), "transient · saturated", Sent.NO),
    (socket.gaierror(-2, "Name or service not known"), "transient · connection", Sent.NO),
    (SELF_SIGNED, "auth_error · connection_setup", Sent.NO),
    (
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        "auth_error · connection_setup",
        Sent.NO,
    ),
    (
        ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"),
        "auth_error · connection_setup",
        Sent.NO,
    ),
    (ssl.SSLEOFError(8, "EOF occurred in violation"), "transient · connection", Sent.MAYBE),
    (
        ssl.SSLError(1, "[SSL: SSLV3_ALERT_BAD_RECORD_MAC] sslv3 alert bad record mac"),
        "transient · connection",
        Sent.MAYBE,
    ),
    (TimeoutError(), "timeout · no_answer", Sent.MAYBE),
    (from_(TimeoutError(), asyncio.CancelledError()), "timeout · no_answer", Sent.MAYBE),
    (asyncio.IncompleteReadError(b"", 10), "transient · stream_cut", Sent.MAYBE),
    (json.JSONDecodeError("Expecting value", "<html>", 0), "unknown · bad_reply", Sent.MAYBE),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "unknown · bad_reply", Sent.MAYBE),
    (AssertionError(), "unknown · bad_reply", Sent.MAYBE),
    (TypeError("unexpected keyword argument 'temperature'"), "permanent · bad_call", Sent.NO),
    (ValueError("Streaming is required"), "permanent · bad_call", Sent.NO),
    (RuntimeError("Session is closed"), "permanent · bad_call", Sent.NO),
    (RuntimeError("what?"), "unknown · unknown", Sent.MAYBE),
    (KeyError("content"), "unknown · unknown", Sent.MAYBE),
    (Exception(), "unknown · unknown", Sent.MAYBE),
]

AIOHTTPS = [
    (
        aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")),
        "transient · connection",
        Sent.NO,
    ),
    (
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-3, "Temporary failure")),
        "transient · connection",
        Sent.NO,
    ),
    (
        aiohttp.ClientConnectorCertificateError(KEY, SELF_SIGNED),
        "auth_error · connection_setup",
        Sent.NO,
    ),
    (
        aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "no protocols available")),
        "auth_error · connection_setup",
        Sent.NO,
    ),
    (aiohttp.ConnectionTimeoutError("to host"), "transient · connection", Sent.NO),
    (
        aiohttp.ServerTimeoutError("Connection timeout to host http://api.example"),
        "transient · connection",
        Sent.NO,
    ),
    (aiohttp.SocketTimeoutError("reading"), "timeout · no_answer", Sent.MAYBE),
    (aiohttp.ServerDisconnectedError(), "transient · connection", Sent.MAYBE),
    (aiohttp.ClientOSError(104, "Connection reset by peer"), "transient · connection", Sent.MAYBE),
    (aiohttp.ClientConnectionResetError("closing transport"), "transient · connection", Sent.MAYBE),
    (aiohttp.ClientPayloadError("not completed"), "transient · stream_cut", Sent.MAYBE),
    (aiohttp.InvalidURL("nonsense"), "permanent · bad_call", Sent.NO),
    (
        aiohttp.ContentTypeError(request_info(), (), status=200, message="text/html"),
        "unknown · bad_reply",
        Sent.MAYBE,
    ),
    (
        aiohttp.ClientResponseError(request_info(), (), status=529, message=""),
        "transient · overloaded",
        Sent.NO,
    ),
]

HTTPXS = [
    (by_name("ConnectTimeout", "TimeoutException"), "transient · connection", Sent.MAYBE),
    (by_name("ConnectTimeout", module="httpcore"), "transient · connection", Sent.NO),
    (by_name("ConnectError", "NetworkError"), "transient · connection", Sent.MAYBE),
    (by_name("ReadTimeout", "TimeoutException"), "timeout · no_answer", Sent.MAYBE),
    (by_name("WriteTimeout", "TimeoutException"), "transient · connection", Sent.MAYBE),
    (by_name("PoolTimeout", "TimeoutException"), "transient · saturated", Sent.NO),
    (by_name("ReadError", "NetworkError"), "transient · stream_cut", Sent.MAYBE),
    (by_name("WriteError", "NetworkError"), "transient · connection", Sent.MAYBE),
    (by_name("RemoteProtocolError", "ProtocolError"), "transient · stream_cut", Sent.MAYBE),
    (by_name("LocalProtocolError", "ProtocolError"), "permanent · bad_call", Sent.NO),
    (by_name("UnsupportedProtocol"), "permanent · bad_call", Sent.NO),
    (by_name("ContentFilterFinishReasonError"), "content_policy · refusal", Sent.MAYBE),
    (by_name("DecodingError"), "unknown · bad_reply", Sent.MAYBE),
    (
        by_name("SSLError", "ConnectionError", module="requests"),
        "auth_error · connection_setup",
        Sent.NO,
    ),
    (by_name("ConnectionError", module="requests"), "transient · connection", Sent.MAYBE),
    (by_name("ChunkedEncodingError", module="requests"), "transient · stream_cut", Sent.MAYBE),
]


@pytest.mark.parametrize(("failure", "expected", "sent"), PYTHONS + AIOHTTPS, ids=repr)
def test_an_exception_is_known_by_its_class(failure, expected, sent):
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.sent) == (expected, sent)


@pytest.mark.parametrize(("kind", "expected", "sent"), HTTPXS, ids=repr)
def test_an_exception_is_known_by_the_names_along_its_class(kind, expected, sent):
    verdict = verdict_on(kind("message"))
    assert (str(verdict), verdict.sent) == (expected, sent)


def test_a_hang_up_before_any_reply_is_no_cut_stream():
    failure = by_name("RemoteProtocolError")("Server disconnected without sending a response.")
    assert str(verdict_on(failure)) == "transient · connection"


@pytest.mark.parametrize("outer", ["ConnectError", "ConnectTimeout"])
def test_an_sdk_on_aiohttp_shows_a_hang_up_as_a_connect_error(outer):
    failure = from_(by_name("APIConnectionError")(), by_name(outer)(),
                    aiohttp.ServerDisconnectedError())  # fmt: skip
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.sent) == ("transient · connection", Sent.MAYBE)


def test_a_cause_may_be_kept_among_the_arguments():
    failure = by_name("ConnectError")(SELF_SIGNED)
    assert str(verdict_on(failure)) == "auth_error · connection_setup"


def test_a_group_is_read_by_its_members():
    members = [ConnectionRefusedError(111, "refused"), ConnectionRefusedError(111, "refused")]
    failure = from_(by_name("APIConnectionError")(), ExceptionGroup("all failed", members))
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.sent) == ("transient · connection", Sent.NO)


def test_a_wrapped_reply_still_speaks():
    failure = from_(KeyError("wrapped"), ReplyFailed("", status=529))
    assert str(verdict_on(failure)) == "transient · overloaded"


def test_a_verdict_that_is_carried_is_given_back():
    carried = verdict_for("overloaded", http_status=529)
    failure = RuntimeError("gave up")
    failure.verdict = carried
    assert verdict_on(failure) is carried


TIMERS = [
    (Timer.FIRST_CONTENT, True, "timeout · no_answer", BreakerEffect.COUNTS, Fault.PROVIDER),
    (Timer.IDLE, True, "timeout · no_answer", BreakerEffect.COUNTS, Fault.PROVIDER),
    (Timer.FIRST_CONTENT, False, "timeout · no_answer", BreakerEffect.NO, Fault.USER),
    (Timer.IDLE, False, "timeout · no_answer", BreakerEffect.NO, Fault.USER),
    (Timer.OPENED, True, "timeout · no_answer", BreakerEffect.NO, Fault.PROVIDER),
    (Timer.DEADLINE, False, "timeout · deadline", BreakerEffect.NO, Fault.USER),
    (Timer.DEADLINE, True, "timeout · deadline", BreakerEffect.NO, Fault.USER),
]


@pytest.mark.parametrize(("timer", "full", "expected", "breaker", "fault"), TIMERS)
def test_own_timers(timer, full, expected, breaker, fault):
    failure = from_(TimedOut(timer, 15.0, full_period=full), asyncio.CancelledError())
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.breaker, verdict.fault) == (expected, breaker, fault)
    ends = timer is Timer.DEADLINE
    assert verdict.try_next_model is (NextModel.NO if ends else NextModel.YES)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (StreamCut("gone", status=200), "transient · stream_cut"),
        (from_(StreamCut("gone", status=200), ConnectionResetError(104, "reset")),
         "transient · stream_cut"),
        (BadReply("html", status=200, body="<html>"), "unknown · bad_reply"),
        (BadReply("html", body=b"<html>503 Service Unavailable</html>"), "unknown · bad_reply"),
        (BadReply("no events"), "unknown · bad_reply"),
        (Stopped("", status=200, body={"stop_reason": "refusal"}), "content_policy · refusal"),
        (Stopped("", body={"choices": [{"finish_reason": "content_filter"}]}),
         "content_policy · refusal"),
        (StreamFailed("", status=200, body="not JSON"), "unknown · unknown"),
        (StreamFailed("", body=b'data: {"type":"error","error":{"type":"api_error"}}'),
         "transient · server_error"),
        (ReplyFailed("no API key is set", status=401), "auth_error · authentication"),
        (ReplyFailed("", status=302, body="<html>"), "auth_error · connection_setup"),
        (ReplyFailed("", status=504), "timeout · upstream"),
    ],
)  # fmt: skip
def test_what_failsoft_observes_itself(failure, expected):
    assert str(verdict_on(failure)) == expected


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.TooManyRedirects(request_info(), (), status=307, message="redirected"),
        from_(by_name("APIConnectionError")(), httpx2.TooManyRedirects("Exceeded 20 redirects.")),
    ],
)
def test_a_redirect_in_a_circle_is_a_wrong_address(failure):
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.sent) == ("auth_error · wrong_address", Sent.NO)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_that_was_not_followed_is_for_the_operator(status):
    assert verdict_on(ReplyFailed("", status=status)) == verdict_for(
        "connection_setup", http_status=status, internal_detail=f"ReplyFailed {status}"
    )


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx2.ProxyError("407 Proxy Authentication Required"), "auth_error · connection_setup"),
        (httpx2.ProxyError("403 Forbidden"), "auth_error · connection_setup"),
        (httpx2.ProxyError("502 Bad Gateway"), "transient · connection"),
        (httpx2.ProxyError("Malformed reply"), "transient · connection"),
        (proxy_error(407), "auth_error · connection_setup"),
        (proxy_error(503), "transient · connection"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_not_the_provider(failure, expected):
    verdict = verdict_on(failure)
    assert (str(verdict), verdict.sent, verdict.http_status) == (expected, Sent.NO, None)


CANCELLATIONS = [
    asyncio.CancelledError(),
    concurrent.futures.CancelledError(),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(1),
    by_name("ClientDisconnect", module="starlette.requests")(),
    BaseExceptionGroup("all", [asyncio.CancelledError(), KeyboardInterrupt()]),
    ReplyFailed("", status=499),
    SimpleNamespace(status=499, headers={}, body=b""),
]


@pytest.mark.parametrize("failure", CANCELLATIONS, ids=repr)
def test_a_cancellation_is_no_failure(failure):
    assert is_cancellation(failure)
    verdict = verdict_on(failure)
    assert (verdict.breaker, verdict.fault) == (BreakerEffect.NO, Fault.USER)


@pytest.mark.parametrize(
    "failure",
    [
        TimeoutError(),
        from_(RuntimeError(), asyncio.CancelledError()),
        BaseExceptionGroup("some", [asyncio.CancelledError(), ValueError()]),
        "CancelledError",
        None,
    ],
    ids=repr,
)
def test_what_only_has_to_do_with_a_cancellation_is_a_failure(failure):
    assert not is_cancellation(failure)
