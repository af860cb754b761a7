"""The loan desk as its README starts it: a process, real requests, a provider that fails."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
import pytest_asyncio

from failsoft.chaos.simulator import Simulator

ROOT = Path(__file__).parents[2]
DESK = ROOT / "examples" / "loan_desk"
pytestmark = pytest.mark.asyncio(loop_scope="module")

SIMULATE, SERVE = re.findall(
    r"^.*\.venv/bin/.*$", (DESK / "README.md").read_text(encoding="utf-8"), re.MULTILINE
)
STARTED = re.compile(rb"running on (http://127\.0\.0\.1:\d+)")


class Desk:
    """The application's process. Started again, it has the same data and another port."""

    def __init__(self, upstream: str, data: Path) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FAILSOFT_", "ANTHROPIC_")) and "proxy" not in name.lower()
        }
        self._environ = kept | {
            "ANTHROPIC_BASE_URL": upstream,
            "ANTHROPIC_API_KEY": "any",
            "FAILSOFT_DATA_DIR": str(data),
        }
        self._process: Process | None = None
        self.url = ""

    async def start(self) -> None:
        words = shlex.split(SERVE)
        flags = words[next(n for n, word in enumerate(words) if word.endswith("/uvicorn")) + 1 :]
        program = (sys.executable, "-W", "error", "-m", "uvicorn", *flags, "--port", "0")
        self._process = await asyncio.create_subprocess_exec(
            *program, stdout=DEVNULL, stderr=PIPE, cwd=ROOT, env=self._environ
        )
        assert self._process.stderr is not None
        said = b""
        async with asyncio.timeout(60):
            while not (found := STARTED.search(said)):
                more = await self._process.stderr.readline()
                assert more, said.decode()
                said += more
        self.url = found[1].decode()

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


class Officer:
    """Somebody at a page: does what the page does, by the same addresses."""

    def __init__(self, desk: Desk, name: str = "Ann") -> None:
        self._desk = desk
        self._http = aiohttp.ClientSession(
            cookies={"officer": name} if name else None,
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # or it takes none from a bare address
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def reply(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._http.request(method, self._desk.url + path, json=body) as reply:
            return reply.status, await reply.json() if reply.status != 204 else None

    async def get(self, path: str) -> Any:
        status, body = await self.reply("GET", path)
        assert status == 200, body
        return body

    async def submit(self, key: str, text: str = "Net pay: 1,234") -> AsyncIterator[dict[str, Any]]:
        """Click on Submit: the events, until the page is left."""
        _, document = await self.reply("PUT", f"/documents/{key}", {"title": key, "text": text})
        path, question = f"{self._desk.url}/api/chat/stream", document["question"]
        sent = {"content-type": "application/json", "idempotency-key": key}
        async with self._http.post(path, data=question, headers=sent) as reply:
            request = {"request_id": reply.headers["x-request-id"]}
            await self.reply("PUT", f"/documents/{key}/request", request)
            async for event in events_of(reply):
                yield event

    async def resume(self, key: str, after: int = 0) -> list[dict[str, Any]]:
        """Come back: what the application knows is enough to find the stream again."""
        request_id = (await self.get(f"/documents/{key}"))["request_id"]
        path = f"{self._desk.url}/api/requests/{request_id}/stream"
        async with self._http.get(path, headers={"last-event-id": str(after)}) as reply:
            assert reply.status == 200
            return [event async for event in events_of(reply)]

    async def status(self, key: str) -> Any:
        request_id = (await self.get(f"/documents/{key}"))["request_id"]
        return await self.get(f"/api/requests/{request_id}")


async def events_of(reply: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    while (frame := await reply.content.readuntil(b"\n\n")) != b"data: [DONE]\n\n":
        data, number, *_ = frame.decode().split("\n")
        fields = json.loads(data.removeprefix("data: "))
        yield {"id": int(number.removeprefix("id: "))} | fields


async def some(events: Any, *, texts: int) -> list[dict[str, Any]]:
    """The events up to the given number of texts; then the connection is lost."""
    seen = []
    async with aclosing(events):
        async for event in events:
            seen.append(event)
            if [each["type"] for each in seen].count("text") == texts:
                break
    return seen


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "text")


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types in order, repeated ones once."""
    found = [event["type"] for event in events]
    return [kind for n, kind in enumerate(found) if n == 0 or kind != found[n - 1]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Simulator]:
    command, *flags = shlex.split(SIMULATE)[1:]
    assert (command, flags[::2]) == ("simulator", ["--fault"])
    async with Simulator(faults=flags[1::2]) as simulator:
        yield simulator


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(
    provider: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    desk = Desk(provider.url, tmp_path_factory.mktemp("desk"))
    try:
        await desk.start()
        yield desk
    finally:
        await desk.kill()


class Calls:
    """The provider as one test sees it: what it is told to do, and the calls since then."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._before = len(simulator.requests)
        self.set("claude-opus-5-5")
        self.set("*", "latency;between_events_ms=20")

    def set(self, model: str, *faults: str) -> None:
        self._simulator.set(model, faults=faults)

    @property
    def statuses(self) -> list[int | None]:
        return [request.status for request in self._simulator.requests[self._before :]]


@pytest.fixture
def calls(provider: Simulator) -> Calls:
    return Calls(provider)


@pytest_asyncio.fixture(loop_scope="module")
async def ann(desk: Desk, request: pytest.FixtureRequest) -> AsyncIterator[Officer]:
    """An officer of each test's own, and so without documents."""
    async with Officer(desk, request.node.name) as officer:
        yield officer


async def test_two_clicks_are_one_question_and_one_record(ann, calls):
    async def click() -> list[dict[str, Any]]:
        return [event async for event in ann.submit("k1")]

    first, second = await asyncio.gather(click(), click())
    assert first == second
    assert kinds(first) == ["start", "text", "done"]
    (document,) = await ann.get("/documents")
    assert document["request_id"] == first[0]["request_id"]
    assert (await ann.status("k1"))["status"] == "done"
    assert calls.statuses == [200]


async def test_a_reload_goes_on_where_it_was_and_a_second_tab_sees_it_all(ann, calls):
    seen = await some(ann.submit("k1"), texts=6)
    rest, tab = await asyncio.gather(ann.resume("k1", seen[-1]["id"]), ann.resume("k1"))
    assert seen + rest == tab
    assert [event["id"] for event in tab] == list(range(1, len(tab) + 1))
    assert kinds(tab) == ["start", "text", "done"]
    assert text_of(tab) == (await ann.status("k1"))["text"]
    assert calls.statuses == [200]


async def test_clicking_again_later_gives_the_same_answer(ann, calls):
    first = [event async for event in ann.submit("k1")]
    assert [event async for event in ann.submit("k1")] == first
    assert calls.statuses == [200]


async def test_another_text_under_the_same_key_is_refused(ann, calls):
    events = [event async for event in ann.submit("k1")]
    status, body = await ann.reply("PUT", "/documents/k1", {"title": "k1", "text": "Other"})
    assert (status, body["detail"]) == (
        409,
        "This key is another document's; a new one needs a new key.",
    )
    assert (await ann.get("/documents/k1"))["request_id"] == events[0]["request_id"]
    assert calls.statuses == [200]


async def test_officers_see_nothing_of_each_other(ann, desk, calls):
    request_id = (await some(ann.submit("k1"), texts=3))[0]["request_id"]
    async with Officer(desk, "Bob") as bob:
        assert await bob.get("/documents") == []
        for method, path in (
            ("GET", "/documents/k1"),
            ("GET", f"/api/requests/{request_id}"),
            ("GET", f"/api/requests/{request_id}/stream"),
            ("DELETE", f"/api/requests/{request_id}"),
        ):
            assert (await bob.reply(method, path))[0] == 404, path
        his = [event async for event in bob.submit("k1", "Rent: 900")]
    assert his[0]["request_id"] != request_id
    hers = await ann.resume("k1")
    assert (hers[-1]["type"], his[-1]["type"]) == ("done", "done")
    assert calls.statuses == [200, 200]


async def test_nobody_gets_in_without_a_name(desk, calls):
    async with Officer(desk, "") as nobody:
        for method, path in (
            ("GET", "/session"),
            ("GET", "/documents"),
            ("PUT", "/documents/k1"),
            ("POST", "/api/chat/stream"),
            ("GET", "/api/requests/any"),
        ):
            assert (await nobody.reply(method, path, {}))[0] == 401, path
        await nobody.reply("PUT", "/session", {"name": " Jörg; Müller "})
        assert await nobody.get("/session") == {"name": "Jörg; Müller"}
        await nobody.reply("DELETE", "/session")
        assert (await nobody.reply("GET", "/session"))[0] == 401
    assert calls.statuses == []


async def test_in_a_brownout_the_officer_is_told_and_answered(ann, calls):
    calls.set("claude-opus-5-5", "529")
    events = [event async for event in ann.submit("k1")]
    assert kinds(events) == ["start", "status", "text", "done"]
    assert events[1]["notice"]["body"].endswith("The assistant is trying a faster way.")
    assert calls.statuses == [529, 200]


async def test_an_answer_cut_short_stays_until_trying_again_replaces_it(ann, calls):
    calls.set("*", "cut;after=5")
    cut = [event async for event in ann.submit("k1")]
    assert kinds(cut) == ["start", "text", "stream_interrupted"]
    assert (cut[-1]["action"], cut[-1]["retryable"]) == ("retry", True)
    assert (await ann.status("k1"))["text"] == text_of(cut)

    calls.set("*")
    again = [event async for event in ann.submit("k1")]
    assert kinds(again) == ["start", "restart", "text", "done"]
    assert again[0]["request_id"] == cut[0]["request_id"]
    assert again[0]["id"] > cut[-1]["id"]
    assert text_of(again).startswith(text_of(cut))
    assert calls.statuses == [200, 200]


async def test_after_a_kill_the_text_is_kept_and_trying_again_answers(ann, desk, calls):
    # What is older than 250 ms is safe: the first of these have been there for 600.
    seen = await some(ann.submit("k1"), texts=30)
    await desk.kill()
    await desk.start()
    status = await ann.status("k1")
    assert status["status"] == "interrupted"
    assert status["text"]
    assert text_of(seen).startswith(status["text"])
    assert status["notice"]["primary_action_type"] == "retry"
    assert calls.statuses == [200]  # nothing is asked again by itself

    again = [event async for event in ann.submit("k1")]
    assert kinds(again) == ["start", "restart", "text", "done"]
    assert again[0]["request_id"] == seen[0]["request_id"]
    assert again[0]["id"] > seen[-1]["id"]
    assert (await ann.status("k1"))["text"] == text_of(again)
    assert calls.statuses == [200, 200]


async def test_the_page_is_whole_and_writes_only_text(desk):
    async with aiohttp.ClientSession(desk.url) as http:
        files = {}
        for path in ("/", "/desk.js", "/desk.css"):
            async with http.get(path) as reply:
                assert reply.status == 200
                files[path] = await reply.text()
    page, script = files["/"], files["/desk.js"]
    ids = re.findall(r'\bid="([\w-]+)"', page)
    used = set(re.findall(r'(?:\$|\bput)\("([\w-]+)"', script))
    assert len(ids) == len(set(ids))
    assert used <= set(ids)
    assert set(re.findall(r'(?:for|aria-labelledby)="([\w-]+)"', page)) <= set(ids)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
