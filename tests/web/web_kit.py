"""A browser before `failsoft serve`, with a simulator behind it and a bad network between."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npm_packages import WEB
from playwright.async_api import Browser, BrowserContext, Page
from web_process import running

from failsoft.chaos.simulator import Simulator
from failsoft.chaos.tcp_proxy import FaultProxy

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
CHAT = "/web/chat.html"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# One attempt and no breaker: what a test asks for is what happens, whatever came before it.
SETTINGS = """
env = "dev"
notices_dir = "words"
[retry]
max_attempts = 1
[breaker]
metrics_only = true
[cache]
enabled = false
[server]
expose_model = true
[links]
support = "https://example.com/support"
status_page = "https://example.com/status"
"""

# A writer's own words may look like anything.
WORDS = """
[notices.too_large.given_up]
title = "<img src=x onerror='window.ran = 1'>"
action_label = "<script>window.ran = 1</script>"
"""


@asynccontextmanager
async def serving(folder: Path, upstream: str) -> AsyncIterator[str]:
    """`failsoft serve` in that folder; gives its address."""
    (folder / "failsoft.toml").write_text(SETTINGS)
    (folder / "words").mkdir()
    (folder / "words" / "en.toml").write_text(WORDS)
    own = {"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "any"}
    command = ("serve", "--port", "0")
    says = rb"serving at (http://[\d.:]+)"
    async with running(*command, folder=folder, says=says, where="stderr", environ=own) as url:
        yield url


@dataclass
class Stage:
    """What a test has: a browser's page, the service, the models and the network between."""

    browser: Browser
    simulator: Simulator
    proxy: FaultProxy
    direct: str
    before: int = 0

    @property
    def asked(self) -> int:
        """How often a model was called in this test."""
        return len(self.simulator.requests) - self.before

    async def left(self) -> None:
        """Return once the last call to a model was broken off by the service."""
        async with asyncio.timeout(10):
            while self.simulator.requests[-1].outcome != "client_gone":  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.02)


_TELL = """([frames, ends]) => {
  window.fetch = async () => new Response(
    new ReadableStream({ start(stream) {
      stream.enqueue(new TextEncoder().encode(frames))
      if (ends) stream.close()
    } }),
    { headers: { "content-type": "text/event-stream", "x-request-id": "req_4f1c09be27a8d35e" } },
  )
}"""


def notice(**changes: Any) -> dict[str, Any]:
    """A notice as the service gives it."""
    return {
        "title": "No answer this time",
        "body": "The assistant could not answer because of a short interruption. "
        "You did nothing wrong. Try again in 5 seconds.",
        "primary_action_label": "Try again",
        "primary_action_type": "retry",
        "retry_countdown_seconds": None,
        "show_status_page_link": True,
        "severity": "warning",
        "reference": "req_4f1c09be27a8d35e",
        "locale": "en",
    } | changes


def failed(kind: str = "error", **changes: Any) -> dict[str, Any]:
    """The last event of an answer that is none, or a part of one."""
    links = {"support": "https://example.com/support", "status_page": "https://example.com/status"}
    suggested = ["Try again in 5 seconds", "Contact support if it is urgent"]
    error = notice(**changes)
    return {
        "type": kind,
        "retryable": True,
        "action": error["primary_action_type"],
        "user_message": error["body"],
        "error": error,
        "error_category": "transient",
        "suggested_actions": suggested,
        "links": links,
    }


class Visit:
    """One person's page, and what went wrong on it."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self.stage = stage
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._console)
        self.chat = page.locator("failsoft-chat")
        self.input = page.get_by_role("textbox")
        self.send = page.locator("button.send")
        self.stop = page.locator("button.stop")
        self.turn = page.locator(".turn").last
        self.answer = self.turn.locator(".answer")
        self.notice = self.turn.locator("failsoft-notice")

    def _console(self, message: Any) -> None:
        # A lost connection is reported by the browser itself, and so is a reply that is no 200.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    async def ask(self, text: str) -> None:
        await self.input.fill(text)
        await self.input.press("Enter")

    async def idle(self) -> None:
        """Return once no answer is on its way, and all of the last one is shown."""
        await self.page.wait_for_function("() => !document.querySelector('failsoft-chat').busy")
        await self.page.evaluate("new Promise(requestAnimationFrame)")

    async def told(self, *events: dict[str, Any], ends: bool = True) -> None:
        """From now on the page's requests are answered by these events; what does not end waits."""
        frames = "".join(
            f"id: {number}\ndata: {json.dumps(event)}\n\n" for number, event in enumerate(events, 1)
        )
        await self.page.evaluate(_TELL, [frames, ends])

    async def faults(self) -> list[dict[str, Any]]:
        """What axe finds wrong."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("rules => axe.run({ runOnly: rules })", RULES)
        return [
            {"rule": each["id"], "where": [node["target"] for node in each["nodes"]]}
            for each in found["violations"]
        ]


@asynccontextmanager
async def visiting(stage: Stage, url: str = "", **context: Any) -> AsyncIterator[Visit]:
    """A page of its own, with nothing of another one's; it must be without errors in the end."""
    opened: BrowserContext = await stage.browser.new_context(**context)
    opened.set_default_timeout(15_000)
    try:
        visit = Visit(await opened.new_page(), stage)
        await visit.page.goto(url or stage.proxy.url + CHAT)
        yield visit
        assert visit.problems == []
    finally:
        await opened.close()
