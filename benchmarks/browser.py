"""What a long answer costs the browser, and how soon a notice is seen.

10,000 pieces of text come within seconds; the page counts its frames, the browser its work.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from failsoft.server.static_files import Web

TOKENS = 10_000
NOTICES = 30

# The page's own fetch gives a stream that this script fills.
STAND_IN = """
const lines = new TextEncoder()
window.fetch = async () => new Response(
  new ReadableStream({ start(stream) {
    window.tell = (...events) => stream.enqueue(lines.encode(
      events.map(event => `data: ${JSON.stringify(event)}\\n\\n`).join('')))
  } }),
  { headers: { 'content-type': 'text/event-stream', 'x-request-id': 'req_1' } })
window.chat = document.querySelector('failsoft-chat')
window.ended = () => new Promise(
  done => document.addEventListener('failsoft-end', done, { once: true }))
window.frame = () => new Promise(requestAnimationFrame)
"""

LONG = """async ({ tokens, every }) => {
  chat.ask('?')
  await frame()
  const gaps = []
  let last = 0, over = false
  const watch = now => {
    if (last) gaps.push(now - last)
    last = now
    over || requestAnimationFrame(watch)
  }
  requestAnimationFrame(watch)
  const end = ended()
  for (let n = 0; n < tokens; n += 20) {
    const words = Array.from({ length: 20 }, (_, m) =>
      ({ type: 'text', text: (n + m) % every === every - 1 ? 'word.\\n\\n' : 'words ' }))
    tell(...words)
    await new Promise(done => setTimeout(done, 6))
  }
  tell({ type: 'done', level: 'full' })
  await end
  await frame()
  over = true
  gaps.sort((a, b) => a - b)
  return { frames: gaps.length, p99: gaps[Math.floor(gaps.length * 0.99)], worst: gaps.at(-1) }
}"""

NOTICE = """async notice => {
  chat.ask('?')
  await frame()
  const began = performance.now()
  tell({ type: 'error', error: notice, suggested_actions: [], links: {} })
  await ended()
  await frame()
  await new Promise(done => setTimeout(done))
  return performance.now() - began
}"""

WORDS = {
    "title": "No answer this time",
    "body": "A short interruption. You did nothing wrong.",
    "primary_action_label": "Try again",
    "primary_action_type": "retry",
    "retry_countdown_seconds": None,
    "show_status_page_link": False,
    "severity": "warning",
    "reference": "req_1",
    "locale": "en",
}


@asynccontextmanager
async def page_served() -> AsyncIterator[str]:
    """The chat's page, from this machine."""
    web = Web()

    async def show(request: Request) -> Response:
        return web.file(request.path_params["path"], request)

    app = Starlette(routes=[Route("/web/{path:path}", show)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        running = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/web/chat.html"
        server.should_exit = True
        await running


async def long_answer(page: Page, url: str, every: int) -> dict[str, float]:
    await page.goto(url)
    await page.evaluate(STAND_IN)
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    before = await work(session)
    found: dict[str, float] = await page.evaluate(LONG, {"tokens": TOKENS, "every": every})
    after = await work(session)
    return found | {name: after[name] - before[name] for name in after}


async def work(session: Any) -> dict[str, float]:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    wanted = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    return {each["name"]: each["value"] for each in metrics if each["name"] in wanted}


async def notices(page: Page, url: str) -> list[float]:
    taken = []
    for _ in range(NOTICES):
        await page.goto(url)
        await page.evaluate("sessionStorage.clear()")
        await page.goto(url)
        await page.evaluate(STAND_IN)
        taken.append(await page.evaluate(NOTICE, WORDS))
    return sorted(taken)


async def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("needs Chromium; on Debian: apt-get install chromium")
    async with async_playwright() as playwright, page_served() as url:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        print(f"{TOKENS:,} pieces   frames  p99 gap  worst gap  script  style  layout")
        for name, every in (("paragraphs of 60 words", 60), ("one paragraph", TOKENS + 1)):
            found = await long_answer(page, url, every)
            script, layout, style = (
                found[each] * 1000
                for each in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
            )
            print(
                f"{name:24} {found['frames']:4.0f}  {found['p99']:5.0f} ms"
                f"  {found['worst']:6.0f} ms  {script:4.0f} ms  {style:3.0f} ms  {layout:4.0f} ms"
            )
        taken = await notices(page, url)
        median, ninth = taken[len(taken) // 2], taken[len(taken) * 9 // 10]
        print(f"notice: median {median:.0f} ms, p90 {ninth:.0f} ms, worst {taken[-1]:.0f} ms")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
