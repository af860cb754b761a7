"""A service that may open few files: who asks is answered or told to come again, and it lives."""

import asyncio
import resource
import signal
import sys

import aiohttp
from loopback import SSE_HEAD, serving

from failsoft.server import http_connection

SERVE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
from failsoft.config.settings import ProviderSettings, ServerSettings, Settings
from failsoft.server.serve import serve
serve(
    Settings(
        anthropic=ProviderSettings(api_key="k", base_url=sys.argv[1]),
        server=ServerSettings(port=0, drain_seconds=0),
    ),
    on_ready=lambda url: print(url, flush=True),
)
"""


LEAST = 8  # connections that may ask where so few files may be open; as many more may be silent


async def silent(peer):
    await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n")
    await peer.gone()


async def test_connections_without_a_word_keep_nobody_out_and_requests_are_told(tmp_path):
    async with asyncio.timeout(50), serving(silent) as upstream:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVE, upstream.url),
            stdout=asyncio.subprocess.PIPE,
            cwd=tmp_path,
        )
        try:
            url = (await process.stdout.readline()).decode().strip()
            port = int(url.rpartition(":")[2])
            process.send_signal(signal.SIGSTOP)  # so that all are accepted in one turn of its loop
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
            process.send_signal(signal.SIGCONT)
            while sum(map(is_closed, idle)) < 30 - 2 * LEAST:  # noqa: ASYNC110 - by the other side
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.2)  # longer than a connection without a word is kept
            idle += [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
            async with aiohttp.ClientSession(
                url, connector=aiohttp.TCPConnector(limit=0, force_close=True)
            ) as http:
                async with http.get("/livez") as reply:
                    assert reply.status == 200
                async with http.post("/api/chat/stream", json={"message": "hi"}) as reply:
                    assert reply.status == 200  # who says nothing refuses nobody
                asked = [asyncio.create_task(status_of(http)) for _ in range(12)]
                await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                async with http.get("/livez") as reply:
                    assert reply.status == 200
                told = [task.result() for task in asked if task.done()]
                assert set(told) == {503}
                for task in asked:
                    task.cancel()
                await asyncio.wait(asked)
            for _, writer in idle:
                writer.close()
        finally:
            process.kill()
            await process.wait()


def is_closed(connection):
    reader, writer = connection
    return reader.at_eof() or writer.is_closing()


async def status_of(http):
    async with http.post("/api/chat/stream", json={"message": "hi"}) as reply:
        if reply.status == 200:
            await reply.read()
        return reply.status


def test_the_limit_leaves_room(monkeypatch):
    for soft, most in ((64, LEAST), (1024, 320), (resource.RLIM_INFINITY, sys.maxsize)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert http_connection.most_connections() == most
