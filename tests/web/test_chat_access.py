"""Everybody can use it: WCAG 2.2 AA by axe in every state, keys, live regions, zoom, direction."""

import pytest
from playwright.async_api import expect
from states import START, STATES, TEXT
from web_kit import failed, visiting

pytestmark = pytest.mark.asyncio(loop_scope="session")

# 320 pixels is a desktop page at 400 %, which is more than the 200 % that text must bear.
LOOKS = {
    "light and narrow": {"viewport": {"width": 320, "height": 480}},
    "dark and wide": {"color_scheme": "dark"},
}
# One more chat on the page, asked; each state has its own.
ANOTHER = """async ([name, ends]) => {
  const chat = document.createElement('failsoft-chat')
  chat.setAttribute('name', name)
  document.querySelector('main').append(chat)
  const ended = chat.ask('What does a payslip prove?')
  await (ends ? ended : new Promise(done =>
    chat.addEventListener('failsoft-event', done, { once: true })))
  await new Promise(requestAnimationFrame)
}"""
SIDEWAYS = """() => [document.documentElement, ...[...document.querySelectorAll('failsoft-chat')]
  .flatMap(chat => [...chat.shadowRoot.querySelectorAll('.talk, form')])]
  .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.className)"""


async def show(visit, name: str) -> None:
    """Bring the chat into this state, and no other."""
    events, ends = STATES[name]
    await visit.told(*events, ends=ends)
    await visit.ask("What does a payslip prove?")
    if ends:
        await visit.idle()
    else:
        await expect(visit.stop).to_be_visible()
    if events[-1]["type"] == "status":
        await expect(visit.turn.locator(".waiting")).to_contain_text(events[-1]["notice"]["title"])


async def afresh(visit) -> None:
    await visit.page.evaluate("sessionStorage.clear()")
    await visit.page.reload()


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_and_nothing_is_cut_off(stage, look):
    async with visiting(stage, **LOOKS[look]) as visit:
        for name, (events, ends) in STATES.items():
            await visit.told(*events, ends=ends)
            await visit.page.evaluate(ANOTHER, [name, ends])
        assert await visit.faults() == []
        assert await visit.page.evaluate(SIDEWAYS) == []


async def test_one_live_region_empty_at_first_and_an_alert_for_what_is_final(visit):
    live = visit.page.locator("[role=status], [role=alert], [role=log], [aria-live]")
    await expect(live).to_have_count(1)
    await expect(visit.page.locator("[role=status]")).to_be_empty()
    await show(visit, "waiting")
    await expect(visit.page.locator("[role=status]")).to_contain_text("Waiting to try again")
    await expect(visit.page.locator("[role=alert]")).to_have_count(0)
    await afresh(visit)
    await show(visit, "failed")
    await expect(visit.page.locator("[role=status]")).to_be_empty()
    await expect(visit.page.locator("[role=alert]")).to_contain_text("No answer this time")


async def test_a_countdown_is_not_read_out(visit):
    await visit.page.clock.install()
    await show(visit, "waiting")
    await visit.page.locator("[role=status]").evaluate(
        "each => { window.changes = 0; new MutationObserver(all => window.changes += all.length)"
        ".observe(each, { subtree: true, childList: true, characterData: true }) }"
    )
    left = visit.turn.locator(".left")
    before = await left.inner_text()
    await visit.page.clock.run_for(5000)
    assert await left.inner_text() != before
    assert await left.get_attribute("aria-hidden") == "true"
    assert await visit.page.evaluate("window.changes") == 0


async def test_the_name_of_a_button_does_not_change_while_it_counts(visit):
    await visit.page.clock.install()
    await show(visit, "interrupted")
    again = visit.notice.get_by_role("button", name="Try again", exact=True)
    await expect(again).to_have_attribute("aria-disabled", "true")
    await visit.page.clock.run_for(6000)
    await expect(again).to_have_attribute("aria-disabled", "false")


async def test_keys_alone_are_enough_and_the_focus_is_never_taken(visit):
    await show(visit, "failed")
    await expect(visit.input).to_be_focused()  # the failure came while the person was there
    await visit.told(START, failed(title="Still not"))
    for _ in range(9):
        await visit.page.keyboard.press("Shift+Tab")
        if await visit.notice.get_by_role("button").evaluate("each => each.matches(':focus')"):
            break
    await visit.page.keyboard.press("Enter")
    await expect(visit.notice).to_contain_text("Still not")
    await expect(visit.turn).to_be_focused()  # where the button was


async def test_what_is_focused_can_be_seen(visit):
    await show(visit, "failed")
    await visit.page.keyboard.press("Shift+Tab")
    outline = await visit.page.evaluate(
        """() => {
          let at = document.activeElement
          while (at.shadowRoot) at = at.shadowRoot.activeElement
          return getComputedStyle(at).outlineStyle
        }"""
    )
    assert outline == "solid"


async def test_the_theme_of_the_page_wins_over_the_device(stage):
    async with visiting(stage, color_scheme="dark") as visit:
        await show(visit, "failed")
        paper = "each => getComputedStyle(each).backgroundColor"
        card = visit.notice.locator(".card")
        dark = [await visit.chat.evaluate(paper), await card.evaluate(paper)]
        await visit.chat.evaluate("each => each.setAttribute('theme', 'light')")
        light = [await visit.chat.evaluate(paper), await card.evaluate(paper)]
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] != light[0]
    assert dark[1] != light[1]


async def test_colours_are_the_pages_to_set(visit):
    mine = "each => each.style.setProperty('--failsoft-accent', 'rgb(1, 2, 3)')"
    await visit.chat.evaluate(mine)
    await expect(visit.send).to_have_css("background-color", "rgb(1, 2, 3)")


async def test_arabic_runs_from_right_to_left(visit):
    await visit.chat.evaluate("each => each.setAttribute('locale', 'ar')")
    await expect(visit.send).to_have_text("إرسال")
    send, text = await visit.send.bounding_box(), await visit.input.bounding_box()
    assert send["x"] < text["x"]
    await show(visit, "answering")
    asked = await visit.turn.locator(".question").bounding_box()
    talk = await visit.page.locator(".turns").bounding_box()
    assert asked["x"] == pytest.approx(talk["x"], abs=2)


async def test_who_wants_no_motion_sees_none(stage):
    async with visiting(stage, reduced_motion="reduce") as visit:
        await show(visit, "asked")
        dots = visit.turn.locator(".dots")
        assert await dots.evaluate("each => getComputedStyle(each).animationName") == "none"


async def test_a_reader_who_scrolls_up_is_left_there(stage):
    async with visiting(stage, viewport={"width": 400, "height": 400}) as visit:
        await visit.page.evaluate(
            "window.fetch = async () => new Response(new ReadableStream({ start(stream) {"
            " window.more = event => stream.enqueue(new TextEncoder().encode("
            "  `data: ${JSON.stringify(event)}\\n\\n`)) } }),"
            " { headers: { 'content-type': 'text/event-stream', 'x-request-id': 'req_1' } })"
        )
        await visit.ask("?")
        await expect(visit.stop).to_be_visible()
        long = {"type": "text", "text": TEXT["text"] * 4}
        await visit.page.evaluate("event => window.more(event)", long)
        talk = visit.page.locator(".talk")
        rest = "each => each.scrollHeight - each.scrollTop - each.clientHeight"
        await expect(visit.answer).to_contain_text("tax return")
        assert await talk.evaluate(rest) < 2
        await talk.evaluate(
            "each => new Promise(done => {"
            " each.addEventListener('scroll', done, { once: true }); each.scrollTop = 0 })"
        )
        await visit.page.evaluate("event => window.more(event)", long)
        await visit.page.evaluate("new Promise(requestAnimationFrame)")
        await visit.page.evaluate("new Promise(requestAnimationFrame)")
        assert await talk.evaluate("each => each.scrollTop") == 0
