"""What every case needs: a server for the calls, the settings of a fresh process, and a verdict.

A case is a program that shows a fault found in use. It prints what it saw, and ends with 1 and a
line where that is wrong: ``PYTHONPATH=tests/kits python tests/cases/NAME.py``.
"""

import asyncio
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from loopback import SSE_HEAD, Loopback, Peer, chunk, chunked, fixed, serving
from wire_events import START, STOP, block, end, text

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
HELLO = START + block() + text("hello ") + text("world") + STOP + end()
ASKED: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def saw(what: str, found: object, right: object) -> None:
    """Print what was found; where it is not right, end."""
    sys.stdout.write(f"{what}: {found}\n")
    if found != right:
        sys.exit(f"WRONG: {what} should be {right}")


def of_question(peer: Peer) -> dict[str, Any]:
    return json.loads(peer.request.body)


async def hello(peer: Peer) -> None:
    """A good answer, streamed or whole."""
    if of_question(peer).get("stream"):
        await peer.send(chunked(SSE_HEAD, HELLO))
    else:
        content = [{"type": "text", "text": "hello world"}]
        await peer.send(message(content=content, stop_reason="end_turn"))


def message(**fields: Any) -> bytes:
    usage = {"input_tokens": 5, "output_tokens": 2}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": usage}
    return fixed(JSON_HEAD, json.dumps(body | fields).encode())


def failure(status: int, kind: str, said: str = "No.", head: bytes = b"") -> bytes:
    line = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n" % status
    body = {"type": "error", "error": {"type": kind, "message": said}}
    return fixed(line + head, json.dumps(body).encode())


async def for_ever(peer: Peer, *before: bytes, again: bytes) -> None:
    """A stream that never ends: ``before``, then ``again`` until the client has hung up."""
    await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"".join(before)))
    with contextlib.suppress(ConnectionError):
        while True:
            await peer.send(chunk(again))
            await asyncio.sleep(0.05)


def upstream(respond: Callable[[Peer], Any], **environ: str) -> Loopback:
    """A server in a thread of its own, and a process set up for it alone."""
    ready: queue.Queue[Loopback] = queue.Queue()

    async def serve() -> None:
        async with serving(respond) as server:
            ready.put(server)
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    server = ready.get(timeout=10)
    for name in list(os.environ):
        if name.startswith(("FAILSOFT_", "ANTHROPIC_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(
        ANTHROPIC_API_KEY="sk-ant-case",
        ANTHROPIC_BASE_URL=server.url,
        FAILSOFT_DATA_DIR=tempfile.mkdtemp(),
        FAILSOFT_DEADLINE_SECONDS="60",
        **environ,
    )
    return server


def models(server: Loopback) -> list[str]:
    return [json.loads(request.body)["model"] for request in server.requests]


@contextlib.contextmanager
def served() -> Iterator[Callable[..., tuple[int, bytes]]]:
    """``failsoft serve`` with this process's settings; gives ``call(method, path, body=None)``."""
    program = Path(sys.executable).with_name("failsoft")
    process = subprocess.Popen(  # noqa: S603 - our own
        [program, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        cwd=os.environ["FAILSOFT_DATA_DIR"],
    )
    try:
        port = _port(process)

        def call(method: str, path: str, body: Any = None) -> tuple[int, bytes]:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"content-type": "application/json"}
            connection.request(method, path, body and json.dumps(body), headers)
            reply = connection.getresponse()
            with contextlib.closing(connection):
                return reply.status, reply.read()

        yield call
    finally:
        process.terminate()
        process.wait(20)


def _port(process: "subprocess.Popen[bytes]") -> int:
    for line in process.stderr or ():
        _, found, rest = line.partition(b"http://127.0.0.1:")
        if found:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int("".join(map(chr, (c for c in rest[:5] if chr(c).isdigit()))))
    sys.exit(f"WRONG: the service ended with {process.wait()}")
