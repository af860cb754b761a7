"""Replies that proxies and small servers write, odd below the level of events, are read."""

import asyncio

from case import HELLO, OPUS, saw, upstream

from failsoft import Failsoft

OK, TYPE = b"HTTP/1.1 200 OK\r\n", b"content-type: text/event-stream\r\n"


def chunks(line=OK, head=b"", size=b"%x", trailer=b""):
    body = (size % len(HELLO)) + b"\r\n" + HELLO + b"\r\n0\r\n" + trailer + b"\r\n"
    return line + TYPE + head + b"transfer-encoding: chunked\r\n\r\n" + body


def lengths(*names, between=b""):
    """A reply that says its length by each of these names."""
    lines = b"".join(b"%b: %d\r\n" % (name, len(HELLO)) + between for name in names)
    return OK + TYPE + lines + b"\r\n" + HELLO


READ = {
    "good": chunks(),
    "103 before it": b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n" + chunks(),
    "100 before it": b"HTTP/1.1 100 Continue\r\n\r\n" + chunks(),
    "102 twice": b"HTTP/1.1 102 Processing\r\n\r\n" * 2 + chunks(),
    "no reason": chunks(line=b"HTTP/1.1 200\r\n"),
    "a header of 9 kB": chunks(head=b"set-cookie: a=" + b"a" * 9000 + b"\r\n"),
    "a header of 60 kB": chunks(head=b"x-policy: " + b"a" * 60_000 + b"\r\n"),
    "150 headers": chunks(head=b"".join(b"x-h%d: v\r\n" % number for number in range(150))),
    "a header twice": chunks(head=b"server: a\r\nserver: a\r\n"),
    "its length twice": lengths(b"content-length", b"content-length"),
    "its length in two cases": lengths(b"Content-Length", b"content-length", between=b"x: 1\r\n"),
    "its length twice after a 103": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    + lengths(b"content-length", b"content-length"),
    "a length beside its chunks": chunks(head=b"content-length: 10\r\n"),
    "until it closes": OK + TYPE + b"connection: close\r\n\r\n" + HELLO,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + TYPE + b"\r\n" + HELLO,
    "a header in latin-1": chunks(head=b"x-name: caf\xe9\r\n"),
    "a header in UTF-8": chunks(head="x-name: \u5317\u4eac\r\n".encode()),
    "an extension of a chunk": chunks(size=b"%x;sig=1"),
    "a padded size": chunks(size=b"0000%x"),
    "a trailer": chunks(trailer=b"x-sum: 1\r\n"),
    "content-encoding: identity": chunks(head=b"content-encoding: identity\r\n"),
}
reply = [b""]


async def respond(peer):
    await peer.send(reply[0])
    peer.writer.close()


async def main():
    for name, reply[0] in READ.items():
        async with Failsoft(chain=[OPUS]) as ai:
            answer = await ai.ask("Hi")
        saw(name, (answer.text, str(answer.verdict)), ("hello world", "None"))


upstream(respond, FAILSOFT_CACHE_ENABLED="false", FAILSOFT_RETRY_MAX_ATTEMPTS="1")
asyncio.run(main())
