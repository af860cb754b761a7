"""`failsoft demo` as a process, and its playground in a browser."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Request
from web_kit import Stage, Visit, visiting
from web_process import running

# Nobody reads along: the tours need not leave the time for it.
PACE = 0.05


def demo(folder: Path) -> AbstractAsyncContextManager[str]:
    """The demo; gives its address."""
    command = ("demo", "--port", "0")
    return running(*command, folder=folder, says=rb"(http://[\d.:]+)/playground", where="stdout")


class Playground:
    """One visit of the page, every address it asked for, and what it weighs."""

    def __init__(self, visit: Visit, url: str) -> None:
        self.visit = visit
        self.page = visit.page
        self.url = url
        self.asked: list[str] = []
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    async def open(self, *, pace: float = PACE) -> None:
        """Load it, up to its tours and the live feed."""
        await self.page.goto(f"{self.url}/playground?pace={pace}")
        await self.page.locator("#tour-list button").last.wait_for()
        await self.page.locator("#link.up").wait_for()

    async def tour(self, number: int) -> list[str]:
        """Take a tour to its end; gives what each step said."""
        await self.page.evaluate(_WATCH)
        await self.page.locator("#tour-list button").nth(number).click()
        await self.page.wait_for_selector(
            "#guide[data-state=ended]", state="attached", timeout=90_000
        )
        return await self.page.evaluate("window.told")

    async def ask(self, text: str) -> dict[str, Any]:
        """Ask in the chat; gives the last event."""
        await self.page.wait_for_function("() => !document.querySelector('failsoft-chat').busy")
        await self.page.evaluate(_AWAIT_END)
        await self.visit.ask(text)
        return await self.page.evaluate("window.ended")

    async def faults(self) -> dict[str, list[str]]:
        """What is set in the simulator."""
        told = await self.page.evaluate("fetch('playground/simulator').then(r => r.json())")
        return told["models"]

    async def said(self, text: str) -> None:
        """Return once the controls say so."""
        await self.page.locator("#controls-said", has_text=text).wait_for()


_AWAIT_END = """() => {
  window.ended = new Promise(done => document.addEventListener(
    "failsoft-end", ({ detail }) => done(detail), { once: true }))
}"""
_WATCH = """() => {
  window.told = []
  const said = document.getElementById("guide-said")
  const words = () => {
    const text = said.textContent
    if (text && window.told.at(-1) !== text) window.told.push(text)
  }
  new MutationObserver(words).observe(said, { childList: true })
}"""


@asynccontextmanager
async def playing(browser: Browser, url: str, **context: Any) -> AsyncIterator[Playground]:
    """The page, open; without an error in the end, and with nothing asked of anybody else."""
    stage: Any = Stage.__new__(Stage)
    stage.browser = browser
    async with visiting(stage, f"{url}/livez", **context) as visit:
        playground = Playground(visit, url)
        await playground.open()
        yield playground
        assert {address for address in playground.asked if not address.startswith(url)} == set()
