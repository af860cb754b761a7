"""`<failsoft-chat>` in a real browser, before the real service and models that fail."""

import json

import pytest
from playwright.async_api import expect
from states import DONE, START
from web_kit import failed, notice, visiting

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "What does a payslip prove?"
WHOLE = f"You asked: “{QUESTION}”."
SLOWLY = "latency;between_events_ms=40"


async def simulate(visit, what: str) -> None:
    """Make the next questions fail as `X-Simulate-Error` says; "" for none."""
    headers = {"x-simulate-error": what} if what else {}
    await visit.page.evaluate(
        "headers => document.querySelector('failsoft-chat').options = { headers }", headers
    )


async def whole_answer(visit) -> str:
    await expect(visit.turn.locator(".note")).to_contain_text("claude-")  # the end is shown
    await visit.idle()
    # Not the inner text: it lacks a paragraph that the browser has not laid out yet, as under a
    # stopped clock, where no frame of the page's is one of the browser's.
    return await visit.answer.text_content() or ""


async def keys_of(visit, *steps) -> list[str]:
    """The keys of the POSTs that the steps bring about."""
    keys: list[str] = []
    visit.page.on(
        "request",
        lambda request: (
            request.method == "POST" and keys.append(request.headers["idempotency-key"])
        ),
    )
    for step in steps:
        await step
    return keys


async def test_a_question_is_answered(visit):
    await visit.ask(QUESTION)
    assert (await whole_answer(visit)).startswith(WHOLE)
    assert visit.stage.asked == 1


async def test_what_was_said_before_goes_with_the_next_question(visit):
    bodies = []
    visit.page.on("request", lambda request: bodies.append(request.post_data))
    await visit.ask(QUESTION)
    answer = await whole_answer(visit)
    await visit.ask("And a lease?")
    await expect(visit.answer).to_contain_text("And a lease?")
    assert json.loads(bodies[-1])["history"] == [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": answer},
    ]


async def test_a_double_click_asks_once(visit):
    await visit.input.fill(QUESTION)
    await visit.send.dblclick()
    await whole_answer(visit)
    assert visit.stage.asked == 1
    await expect(visit.page.locator(".turn")).to_have_count(1)


async def test_cut_short_the_text_stays_and_a_double_click_tries_again_once(visit):
    await visit.page.clock.install()
    visit.stage.simulator.set("*", faults=["cut;after=4"])
    await visit.ask(QUESTION)
    await expect(visit.notice).to_contain_text("The answer was cut short")
    await expect(visit.answer).to_have_text("You asked: “What does")
    above, below = await visit.answer.bounding_box(), await visit.notice.bounding_box()
    assert above["y"] + above["height"] <= below["y"]
    visit.stage.simulator.set("*")
    again = visit.notice.get_by_role("button", name="Try again")
    await expect(again).to_be_disabled()
    await visit.page.clock.fast_forward("00:06")
    await expect(again).to_be_enabled()
    await again.dblclick()
    assert (await whole_answer(visit)).count(WHOLE) == 1
    await expect(visit.notice).to_have_count(0)
    assert visit.stage.asked == 2


async def test_waiting_ends_in_another_try_by_itself(visit):
    await visit.page.clock.install()
    visit.stage.simulator.set("*", faults=["429;retry_after=1"])
    await visit.ask(QUESTION)
    await expect(visit.notice).to_contain_text("Wait, then try again")
    await expect(visit.notice.locator(".wait")).to_contain_text("sec")
    visit.stage.simulator.set("*")
    await visit.page.clock.fast_forward("01:30")
    assert (await whole_answer(visit)).startswith(WHOLE)


async def test_waiting_ends_when_something_else_is_asked(visit):
    await visit.page.clock.install()
    await simulate(visit, "rate_limited")
    await visit.ask(QUESTION)
    await expect(visit.notice.locator(".wait")).to_contain_text("sec")
    await simulate(visit, "")
    await visit.ask("And a lease?")
    await whole_answer(visit)
    await visit.page.clock.fast_forward("01:30")
    await visit.idle()
    assert visit.stage.asked == 1


async def test_a_refused_question_comes_back_to_be_changed_and_is_a_new_one(visit):
    await simulate(visit, "content_policy")
    keys = await keys_of(visit, visit.ask(QUESTION))
    await visit.input.fill("a draft")
    change = visit.notice.get_by_role("button", name="Change the wording")
    await change.dblclick()
    await expect(visit.input).to_have_value(f"{QUESTION}\n\na draft")
    await expect(visit.input).to_be_focused()
    await simulate(visit, "")
    await visit.ask("Other words")
    await whole_answer(visit)
    assert len(set(keys)) == len(keys) == 2


async def test_support_is_one_safe_link_away(visit):
    await simulate(visit, "authentication")
    await visit.ask(QUESTION)
    support = visit.notice.get_by_role("link", name="Contact support")
    await expect(support).to_have_attribute("href", "https://example.com/support")
    await expect(support).to_have_attribute("rel", "noopener noreferrer")
    assert (await visit.notice.locator("code").inner_text()).startswith("req_")


async def test_going_on_is_the_same_question_with_the_same_key(visit):
    more = failed(
        "stream_interrupted", primary_action_type="continue", primary_action_label="Go on"
    )
    asked = []

    async def reply(route):
        asked.append((route.request.headers["idempotency-key"], route.request.post_data))
        events = (
            [START, {"type": "text", "text": "One "}, more] if len(asked) == 1 else [START, DONE]
        )
        frames = "".join(f"id: {n}\ndata: {json.dumps(e)}\n\n" for n, e in enumerate(events, 1))
        await route.fulfill(
            body=frames,
            headers={"content-type": "text/event-stream", "x-request-id": "req_1"},
        )

    await visit.page.route("**/api/chat/stream", reply)
    await visit.ask(QUESTION)
    await visit.notice.get_by_role("button", name="Go on").click()
    await expect(visit.notice).to_have_count(0)
    await visit.idle()
    assert asked[0] == asked[1]
    assert await visit.answer.text_content() == "One "


async def test_a_new_answer_in_place_of_a_saved_one_is_a_new_request(visit):
    saved = {**DONE, "level": "cached", "notice": notice(primary_action_label="Ask again")}
    await visit.told(START, {"type": "text", "text": "Saved."}, saved)
    asked = "each => { const told = fetch; window.keys = []; window.fetch = (url, asked) =>"
    await visit.chat.evaluate(
        f"{asked} {{ keys.push(asked.headers['idempotency-key']); return told(url, asked) }} }}"
    )
    await visit.ask(QUESTION)
    await visit.notice.get_by_role("button", name="Ask again").click()
    await visit.page.wait_for_function("new Set(keys).size === 2")


async def test_a_lost_connection_goes_on_where_it_broke(visit):
    visit.stage.simulator.set("*", faults=[SLOWLY])
    await visit.ask(QUESTION)
    await expect(visit.answer).to_contain_text("payslip")
    await visit.stage.proxy.set("reset")
    await visit.input.type("typing goes on")
    await visit.stage.proxy.set("pass")
    answer = await whole_answer(visit)
    assert answer.count(WHOLE) == 1
    assert visit.stage.asked == 1
    await expect(visit.input).to_have_value("typing goes on")


async def test_a_service_that_cannot_be_reached_is_told_and_found_again(visit):
    await visit.stage.proxy.set("refuse")
    await visit.ask(QUESTION)
    await expect(visit.turn.locator(".waiting")).to_contain_text("Connecting again")
    await expect(visit.page.locator("[role=status]")).to_contain_text("Connecting again")
    await visit.stage.proxy.set("pass")
    assert (await whole_answer(visit)).startswith(WHOLE)
    assert visit.stage.asked == 1


async def test_an_offline_device_is_told_apart(visit):
    visit.stage.simulator.set("*", faults=[SLOWLY])
    await visit.ask(QUESTION)
    await expect(visit.answer).to_contain_text("payslip")
    await visit.page.context.set_offline(offline=True)
    await visit.stage.proxy.set("reset")
    await expect(visit.turn.locator(".waiting")).to_contain_text("You are offline")
    await visit.stage.proxy.set("pass")
    await visit.page.context.set_offline(offline=False)
    assert (await whole_answer(visit)).count(WHOLE) == 1
    assert visit.stage.asked == 1


async def test_a_reload_brings_question_and_answer_back(visit):
    visit.stage.simulator.set("*", faults=[SLOWLY])
    await visit.ask(QUESTION)
    await expect(visit.answer).to_contain_text("payslip")
    await visit.page.reload()
    answer = await whole_answer(visit)
    assert answer.count(WHOLE) == 1
    assert visit.stage.asked == 1
    await expect(visit.turn.locator(".question")).to_have_text(QUESTION)


async def test_a_failure_is_still_there_after_a_reload_and_can_be_tried_again(visit):
    visit.stage.simulator.set("*", faults=["529"])
    await visit.ask(QUESTION)
    await expect(visit.notice).to_contain_text("No answer this time")
    visit.stage.simulator.set("*")
    await visit.page.clock.install()
    await visit.page.reload()
    await expect(visit.notice).to_contain_text("No answer this time")
    assert visit.stage.asked == 1
    await visit.page.clock.fast_forward("00:10")
    await visit.notice.get_by_role("button", name="Try again").click()
    assert (await whole_answer(visit)).startswith(WHOLE)
    assert visit.stage.asked == 2


async def test_stopping_cancels_at_the_model_too(visit):
    visit.stage.simulator.set("*", faults=["latency;between_events_ms=400"])
    await visit.ask(QUESTION)
    await expect(visit.answer).to_contain_text("asked")
    await visit.stop.click()
    await expect(visit.turn.locator(".note")).to_have_text("You stopped this answer.")
    await expect(visit.input).to_be_focused()
    await visit.stage.left()
    await visit.page.reload()
    await expect(visit.page.locator(".turn")).to_have_count(0)


async def test_the_composer_never_locks(visit):
    visit.stage.simulator.set("*", faults=["hang"])
    await visit.ask(QUESTION)
    await expect(visit.stop).to_be_visible()
    await visit.ask("Another question")
    await expect(visit.input).to_have_value("Another question")
    await expect(visit.page.locator(".hint")).to_be_visible()
    await visit.stop.click()
    visit.stage.simulator.set("*")
    await visit.input.press("Enter")
    await expect(visit.answer).to_contain_text("Another question")
    assert visit.stage.asked <= 2  # the first may have been stopped before it was sent


async def test_events_tell_a_page_what_happens(visit):
    await visit.page.evaluate(
        "window.told = []; for (const name of ['event', 'request', 'end'])"
        " document.addEventListener(`failsoft-${name}`, e => told.push([name, e.detail]))"
    )
    ended = await visit.page.evaluate(
        "question => document.querySelector('failsoft-chat').ask(question)", QUESTION
    )
    told = await visit.page.evaluate("told")
    assert [name for name, _ in told][:2] == ["request", "event"]
    assert told[-1] == ["end", ended]
    request = told[0][1]
    assert request["message"] == QUESTION
    assert request["requestId"] == told[1][1]["request_id"]
    assert len(request["key"]) == 36


async def test_two_chats_of_one_page_do_not_mix(stage):
    async with visiting(stage) as visit:
        await visit.page.evaluate(
            "const two = document.createElement('failsoft-chat');"
            "two.setAttribute('name', 'two'); document.querySelector('main').append(two)"
        )
        both = await visit.page.evaluate(
            "Promise.all([...document.querySelectorAll('failsoft-chat')]"
            ".map((chat, n) => chat.ask(`Question ${n}`)))"
        )
    assert [end["type"] for end in both] == ["done", "done"]
    assert stage.asked == 2


async def test_a_notice_that_is_moved_counts_on(visit):
    await visit.page.clock.install()
    said = failed(primary_action_type="wait", retry_countdown_seconds=5)
    await visit.told(START, said)
    await visit.ask(QUESTION)
    await expect(visit.notice.locator(".wait")).to_contain_text("sec")
    await visit.told(START, {"type": "text", "text": "Here."}, DONE)
    await visit.notice.evaluate("each => each.parentNode.append(each)")
    await visit.page.clock.run_for(6000)
    await expect(visit.answer).to_have_text("Here.")


# Every frame a word, to a paragraph of so many characters: what was shown, and how often.
GROW = """async ([characters, frames]) => {
  const { Flow } = await import("/web/turn.js")
  const place = document.createElement("div")
  const flow = new Flow(place)
  const frame = () => new Promise(requestAnimationFrame)
  flow.append("x".repeat(characters - 1) + " ")
  while (place.textContent.length < characters) await frame()
  let shown = 0
  const watch = new MutationObserver(() => shown++)
  watch.observe(place, { subtree: true, childList: true })
  for (let n = 0; n < frames; n++) {
    flow.append("word ")
    await frame()
  }
  while (place.textContent.length < flow.text.length) await frame()
  return { shown, whole: place.textContent === flow.text, paragraphs: place.childElementCount }
}"""


async def test_a_paragraph_without_end_grows_less_often(visit):
    short = await visit.page.evaluate(GROW, [100, 60])
    long = await visit.page.evaluate(GROW, [40_000, 60])
    assert short["shown"] >= 55
    assert long["shown"] <= 60 / 5
    assert all(each["whole"] and each["paragraphs"] == 1 for each in (short, long))
