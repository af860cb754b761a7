"""How it looks, in the states that matter: compared with kept pictures, and box by box.

SCREENSHOTS=1 takes the pictures anew; look at them before you keep them.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from look_kit import SHARE, Look, Looks, astray
from playground_kit import demo
from small_png import small_png
from states import STATES
from test_chat_access import ANOTHER
from web_kit import CHAT, Visit, visiting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALM = {"reduced_motion": "reduce"}
CHAT_SIZE = {"viewport": {"width": 400, "height": 640}, **CALM}
CHAT_BOXES = (".talk", "form", "textarea", "button.send")
SCREENS = {
    "desk": {"viewport": {"width": 1440, "height": 960}, **CALM},
    "phone": {"viewport": {"width": 390, "height": 844}, **CALM},
}
PICTURE = Path(__file__).parents[2] / "docs" / "screenshots" / "chat.png"
PANELS = ("header", "#tours", "#break", "#ask", "#inside")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def looks(everything) -> AsyncIterator[Looks]:
    opened = await Looks.of(everything.browser)
    yield opened
    await opened.close()


async def is_as_kept(looks: Looks, visit: Visit, name: str) -> None:
    taken = await looks.taken(visit.page)
    if "SCREENSHOTS" in os.environ:
        taken.keep(name)
    share = taken.unlike(await looks.kept(name))
    assert share <= SHARE, f"{share:.0%} of {name} is unlike tests/web/looks/{name}.png"


# The chat


def boxes_of(name: str) -> tuple[str, ...]:
    events, ends = STATES[name]
    boxes = [*CHAT_BOXES, ".question"]
    if any(event["type"] == "text" for event in events):
        boxes.append(".answer")
    if any(event.get("notice") or event.get("error") for event in events[-1:]):
        boxes.append("failsoft-notice" if ends else ".waiting")
    return tuple(boxes if ends else [*boxes, "button.stop"])


async def show(visit: Visit, name: str) -> None:
    events, ends = STATES[name]
    await visit.told(*events, ends=ends)
    await visit.ask("What does a payslip prove?")
    if ends:
        await visit.idle()
    else:
        await visit.turn.locator(".answer p, .waiting p").first.wait_for()
    if events[-1]["type"] == "status":
        await visit.turn.get_by_text(events[-1]["notice"]["title"]).wait_for()


@asynccontextmanager
async def chatting(stage, **context) -> AsyncIterator[Visit]:
    async with visiting(stage, stage.direct + CHAT, **CHAT_SIZE, **context) as visit:
        yield visit


@pytest.mark.parametrize("name", STATES)
async def test_a_chat_looks_as_kept(stage, looks, name):
    async with chatting(stage) as visit:
        await show(visit, name)
        assert await astray(visit.page, *boxes_of(name)) == []
        await is_as_kept(looks, visit, f"chat-{name}")


@pytest.mark.parametrize("name", ["answering", "waiting", "failed"])
async def test_a_chat_in_the_dark_looks_as_kept(stage, looks, name):
    async with chatting(stage, color_scheme="dark") as visit:
        await show(visit, name)
        assert await astray(visit.page, *boxes_of(name)) == []
        await is_as_kept(looks, visit, f"chat-{name}-dark")


async def test_an_empty_chat_looks_as_kept(stage, looks):
    async with chatting(stage) as visit:
        assert await astray(visit.page, *CHAT_BOXES, "h1") == []
        await is_as_kept(looks, visit, "chat-empty")


async def test_a_chat_without_a_network_looks_as_kept(stage, looks):
    async with chatting(stage) as visit:
        await visit.page.context.set_offline(offline=True)
        await visit.ask("What does a payslip prove?")
        await visit.turn.get_by_text("You are offline").wait_for()
        assert await astray(visit.page, *CHAT_BOXES, ".question", ".waiting", "button.stop") == []
        await is_as_kept(looks, visit, "chat-offline")
        await visit.stop.click()


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="SCREENSHOTS=1 takes it anew")
async def test_the_picture_in_the_docs(stage):
    wide = {"viewport": {"width": 1320, "height": 640}, **CALM}
    async with visiting(stage, stage.direct + CHAT, **wide) as visit:
        await visit.page.evaluate("""() => {
          const main = document.querySelector("main")
          main.replaceChildren()
          main.style.cssText = "display: grid; grid-template: 100% / repeat(3, 1fr)"
        }""")
        for name in ("waiting", "interrupted", "busy"):
            events, ends = STATES[name]
            await visit.told(*events, ends=ends)
            await visit.page.evaluate(ANOTHER, [name, ends])
        await visit.page.wait_for_function(
            "document.querySelector('failsoft-chat').shadowRoot.querySelector('.left')"
        )
        taken = await visit.page.screenshot(animations="disabled")
    drawing = await stage.browser.new_page()
    PICTURE.write_bytes(await small_png(drawing, taken))
    await drawing.close()


# What breaks it is found, and what does not is let through

STYLES = "each.shadowRoot.adoptedStyleSheets"
PART = "each.shadowRoot.querySelector"
BROKEN = {
    "no styles": f"{STYLES} = []",
    "no colours": f"{STYLES} = {STYLES}.slice(1)",
    "no layout": f"{STYLES} = {STYLES}.slice(0, 1)",
    "no notice's styles": f"{PART}('failsoft-notice').shadowRoot.adoptedStyleSheets = []",
    "no notice": f"{PART}('failsoft-notice').hidden = true",
    "nothing to read": f"{PART}('.turns').style.visibility = 'hidden'",
    "no composer": f"{PART}('.foot').style.display = 'none'",
    "composer over the talk": f"{PART}('.foot').style.cssText = 'position: absolute; inset: 1rem'",
    "beside the screen": f"{PART}('.talk').style.translate = '60% 0'",
    "dark paper": "each.style.setProperty('--failsoft-paper', '#333')",
}
FONTS = ("1rem/1.6 serif", "0.95rem/1.6 monospace", "1rem/1.5 sans-serif")


async def unlike(stage, looks: Looks, change: str) -> tuple[float, list[str]]:
    async with chatting(stage) as visit:
        await show(visit, "failed")
        await visit.chat.evaluate(f"each => {{ {change} }}")
        share = (await looks.taken(visit.page)).unlike(await looks.kept("chat-failed"))
        return share, await astray(visit.page, *boxes_of("failed"))


@pytest.mark.parametrize("how", BROKEN)
async def test_what_is_broken_is_found(stage, looks, how):
    share, boxes = await unlike(stage, looks, BROKEN[how])
    assert share > SHARE or boxes


@pytest.mark.parametrize("font", FONTS)
async def test_another_font_is_not_broken(stage, looks, font):
    change = f"each.style.setProperty('--failsoft-font', '400 {font}')"
    share, boxes = await unlike(stage, looks, change)
    assert share <= SHARE
    assert boxes == []


async def test_pictures_of_another_size_are_not_alike():
    one = Look(width=3, height=3, rgba=[0] * 36, url="")
    two = Look(width=3, height=6, rgba=[0] * 72, url="")
    assert (one.unlike(one), one.unlike(two)) == (0.0, 1.0)


# The playground

BEST, NEXT = "anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"
AT, OF = 1_800_000_000.0, {"request_id": "req_4f1c09be27a8"}
TOLD = [
    {"type": "RequestStarted", "at": AT, "route": "chat", "stream": True},
    {"type": "AttemptStarted", "at": AT, "number": 1, "target": BEST},
    {"type": "AttemptFinished", "at": AT + 0.4, "number": 1, "target": BEST, "outcome": "failure"}
    | {"category": "transient", "reason": "overloaded", "duration_seconds": 0.4},
    {"type": "FellBack", "at": AT + 0.4, "from_target": BEST, "to_target": NEXT},
    {"type": "AttemptStarted", "at": AT + 0.4, "number": 2, "target": NEXT},
    {"type": "AttemptFinished", "at": AT + 1.9, "number": 2, "target": NEXT, "outcome": "success"}
    | {"duration_seconds": 1.5, "first_content_seconds": 0.5},
    {"type": "RequestFinished", "at": AT + 1.9, "outcome": "success", "level": "full"}
    | {"duration_seconds": 1.9, "attempts": 2, "position": 1, "target": NEXT},
]
FEED = "".join(f"data: {json.dumps(event | OF)}\n\n" for event in TOLD)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with demo(tmp_path_factory.mktemp("looked-at")) as address:
        yield address


@asynccontextmanager
async def playing(stage, url: str, feed: str, **context) -> AsyncIterator[Visit]:
    """The page with what is on every machine, and this story told."""

    async def setup(route):
        told = await (await route.fetch()).json()
        shared = {"name": "shared_state", "up": True, "problem": "", "since": None}
        told["health"]["stores"] = [shared]
        own = {"sdk": "anthropic 2.12", "redis": {"off": False, "problem": ""}}
        await route.fulfill(json=told | own)

    async with visiting(stage, f"{url}/livez", **context) as visit:
        await visit.page.route("**/playground/setup", setup)
        if feed:
            await visit.page.route(
                "**/playground/events",
                lambda route: route.fulfill(body=feed, content_type="text/event-stream"),
            )
        await visit.page.goto(f"{url}/playground")
        await visit.page.locator("#tour-list button").last.wait_for()
        if feed:
            await visit.page.locator("#lanes .bar.success").wait_for()
        yield visit


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_the_playground_looks_as_kept(stage, looks, demo_url, screen, scheme):
    context = SCREENS[screen] | {"color_scheme": scheme}
    async with playing(stage, demo_url, FEED, **context) as visit:
        assert await astray(visit.page, *PANELS) == []
        await is_as_kept(looks, visit, f"playground-{screen}-{scheme}")
        if screen == "phone":
            await visit.page.evaluate("document.getElementById('inside').scrollIntoView()")
            assert await astray(visit.page, "#inside .lane", "#deadline-said") == []
            await is_as_kept(looks, visit, f"playground-{screen}-{scheme}-inside")


async def test_a_playground_without_styles_is_found(stage, looks, demo_url):
    async with playing(stage, demo_url, FEED, **SCREENS["desk"]) as visit:
        await visit.page.evaluate("document.styleSheets[0].disabled = true")
        kept = await looks.kept("playground-desk-light")
        assert (await looks.taken(visit.page)).unlike(kept) > SHARE
