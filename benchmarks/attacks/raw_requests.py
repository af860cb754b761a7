"""What :mod:`benchmarks.attacks` sends: odd requests byte by byte, and probes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["PROBER", "raw_requests"]

# In a process of its own: what is measured is not the attacker's loop. The processor time that the
# service takes while a probe waits is its loop's lag on a machine that does nothing else.
PROBER = """
import select, socket, sys, time
port, pid = map(int, sys.argv[1:])
clock = ~pid << 3 | 2  # the processor time of that process: clock_getcpuclockid(3)
peer = socket.create_connection(("127.0.0.1", port))
count, lag, slowest = 0, 0.0, 0.0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    began, used = time.monotonic(), time.clock_gettime(clock)
    peer.sendall(b"GET /livez HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n")
    reply = b""
    while not reply.endswith(b"}"):  # head and body may come apart
        reply += peer.recv(65536) or sys.exit("the service has closed the probes' connection")
    count += 1
    lag = max(lag, time.clock_gettime(clock) - used)
    slowest = max(slowest, time.monotonic() - began)
print(count, lag * 1000, slowest * 1000)
"""

LINES = (
    *(
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/9.9",
        b"GET / HTTP/1.1 x",
        b"\x00 / HTTP/1.1",
    ),
    b"get / http/1.1",
    b"GET /%zz HTTP/1.1",
    b"GET /\xff HTTP/1.1",
    b"GET http:// HTTP/1.1",
    b"POST * HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1",
    b"TRACE / HTTP/1.1",
    b"PRI * HTTP/2.0",
    *(
        b"GET /../../etc/passwd HTTP/1.1",
        b"GET /web/%2e%2e/%2e%2e/a HTTP/1.1",
        b"DELETE /api/chat HTTP/1.1",
    ),
    *(
        b"GET /api/requests/" + b"a" * 9000 + b" HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
        b"\r\n\r\n\r\nGET / HTTP/1.1",
    ),
)
HEADERS = (
    *(
        b"host",
        b"host : a",
        b": a",
        b"host: a\r\n b",
        b"host: a\x00b",
        b"host: a\r\nhost: b",
        b"\xff: \xff",
    ),
    b"content-length: -1",
    b"content-length: 1e3",
    b"content-length: 99999999999999999999",
    *(
        b"content-length: 1\r\ncontent-length: 2",
        b"content-length: 5\r\ntransfer-encoding: chunked",
    ),
    *(
        b"transfer-encoding: chunked, identity",
        b"transfer-encoding: xchunked",
        b"transfer-encoding: gzip",
    ),
    b"expect: 200-nothing",
    b"upgrade: websocket\r\nconnection: upgrade",
    b"upgrade: h2c",
    b"idempotency-key: \xe9",
    b"idempotency-key:",
    b"last-event-id: 99999999999999999999999",
    *(
        b"x-request-deadline-ms: nan",
        b"accept-language: " + b"a," * 5000,
        b"traceparent: 00-zz",
        b"origin: null",
    ),
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b'"',
    b"\xff\xfe",
    b'{"message": 1}',
    b'{"message": ""}',
    *(
        b'{"message": "a", "message": "b"}',
        b'{"message": "\\ud800"}',
        b'{"message": "a", "history": {}}',
    ),
    *(
        b'{"message": "a", "model": "x/y"}',
        b'{"message": "a", "max_tokens": 1e400}',
        b'{"message": [[]]}',
    ),
    b'{"message": "a", "max_tokens": -1}',
    b'{"message": "a", "route": "\\u0000"}',
    b"{}" * 10,
    *(
        b'{"message": "a", "locale": "' + b"x" * 9999 + b'"}',
        b'{"message": "a"' + b" " * 99_999 + b"}",
    ),
    *(
        b'{"a":' * 999 + b"1" + b"}" * 999,
        b'{"message": "a", "metadata": ' + b"9" * 99 + b"}",
        b"\x00" * 99,
    ),
)


def raw_requests() -> Iterator[bytes]:
    """Requests that are none, or say something odd."""
    plain = b"content-type: application/json\r\n"
    for line in LINES:
        yield line + b"\r\nhost: localhost\r\n\r\n"
    for header in HEADERS:
        for path in (b"GET /livez", b"POST /api/chat"):
            yield path + b" HTTP/1.1\r\n" + header + b"\r\n" + plain + b"\r\n"
    for body in BODIES:
        for path in (b"/api/chat", b"/api/chat/stream"):
            head = b"POST %b HTTP/1.1\r\nhost: localhost\r\n" % path + plain
            yield head + b"content-length: %d\r\n\r\n%b" % (len(body), body)
