"""What a real HAProxy with ``deploy/haproxy.cfg`` answers where no server does."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter

from failsoft.chaos.cluster import answers
from failsoft.chaos.programs import Program
from failsoft.notices import Catalogue
from failsoft.server.schema import FailureBody

HAPROXY_FILE = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
PATH = f"{os.environ['PATH']}:/usr/sbin"
WORDS = {
    500: "unknown.given_up",
    502: "transient.given_up",
    503: "transient.given_up",
    504: "timeout.given_up",
}


def notice(status: int, reference: str) -> dict[str, Any]:
    return asdict(Catalogue.load().notice(WORDS[status], reference=reference))


def test_what_the_balancer_says_by_itself_are_the_words_of_the_catalogue():
    """All of them: 500 and 504 are hard to have from a real one."""
    text = HAPROXY_FILE.read_text(encoding="utf-8")
    answer = r"^ +http-error status (\d+) .* lf-string '(.*)' (hdr .*)$"
    found = re.findall(answer, text, re.MULTILINE)
    assert [int(status) for status, *_ in found] == list(WORDS)
    for status, said, headers in found:
        body = TypeAdapter(FailureBody).validate_json(said, strict=True)
        assert body["error"] == notice(int(status), "%ID")
        wait = body["error"]["retry_countdown_seconds"]
        assert body["retry_in_seconds"] == wait
        assert body["error_category"] == WORDS[int(status)].partition(".")[0]
        assert f"hdr retry-after {wait} " in headers


@asynccontextmanager
async def balanced(folder: Path, server: str) -> AsyncIterator[str]:
    """The address of HAProxy in front of one ``server``, under all three names."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    names = {f"FAILSOFT_SERVER_{number}": server for number in (1, 2, 3)}
    balancer = Program("haproxy", folder)
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            return await answers(session, f"{url}/readyz")

        with listener:
            await balancer.start(
                *("-db", "-f", str(HAPROXY_FILE)),
                ready=ready,
                environment={"FAILSOFT_BIND": f"fd@{listener.fileno()}", **names},
                pass_fds=(listener.fileno(),),
            )
        try:
            yield url
        finally:
            await balancer.stop()


async def ready_and_then_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that is well until it is asked something, and is killed then."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"/readyz" in head:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    writer.close()


@pytest.mark.skipif(
    shutil.which("haproxy", path=PATH) is None,
    reason="not installed (on Debian: apt-get install haproxy)",
)
async def test_a_server_that_is_gone_is_a_notice_with_an_id_of_the_balancers_log(tmp_path):
    server = await asyncio.start_server(ready_and_then_gone, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with balanced(tmp_path, place) as url, aiohttp.ClientSession() as session:
        await told(session, url, 502, tmp_path)
        server.close()
        while await answers(session, f"{url}/readyz"):  # noqa: ASYNC110 - HAProxy finds out by itself
            await asyncio.sleep(0.02)
        await told(session, url, 503, tmp_path)


async def told(session: aiohttp.ClientSession, url: str, status: int, folder: Path) -> None:
    async with session.post(f"{url}/api/chat", json={"message": "What?"}) as reply:
        assert reply.status == status
        assert reply.content_type == "application/json"
        body = TypeAdapter(FailureBody).validate_json(await reply.read(), strict=True)
    number = reply.headers["x-request-id"]
    assert re.fullmatch(r"req_[0-9a-f]{32}", number)
    assert body["request_id"] == number
    assert body["error"] == notice(status, number)
    assert reply.headers["retry-after"] == "5"
    line = re.compile(rf' {status} .*"POST /api/chat HTTP/1.1" {number}$', re.MULTILINE)
    async with asyncio.timeout(20):  # the line may come after the reply
        while not line.search((folder / "haproxy.log").read_text()):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)
