"""Text out of models, notices, names and links is text: nothing of it runs, nothing is loaded."""

import pytest
from playwright.async_api import expect
from states import DONE, START
from web_kit import failed, notice

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPTS = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "</textarea><style>*{display:none}</style>",
    "[x](javascript:window.ran=1) {{constructor.constructor('window.ran=1')()}}",
)
ALL = " ".join(SCRIPTS)
BAD_LINKS = (
    "javascript:window.ran=1",
    "data:text/html,<script>1</script>",
    "//[",
    " jAvA\tscript:1",
    "file:///x",
)

WATCH = """window.broken = []
document.addEventListener(
  'securitypolicyviolation', event => broken.push(event.violatedDirective))"""

MADE = """() => {
  const chat = document.querySelector('failsoft-chat').shadowRoot
  const notices = [...chat.querySelectorAll('failsoft-notice')].map(each => each.shadowRoot)
  return [chat, ...notices]
    .flatMap(root => [...root.querySelectorAll('script, img, iframe, style, [onload], [onerror]')])
    .map(each => each.outerHTML)
}"""


async def nothing_ran(visit) -> None:
    assert await visit.page.evaluate("window.ran") is None
    assert await visit.page.evaluate("window.broken ?? []") == []
    assert await visit.page.evaluate(MADE) == []


async def test_a_question_and_its_answer(visit):
    await visit.page.evaluate(WATCH)
    for script in SCRIPTS:
        await visit.ask(script)
        await expect(visit.turn.locator(".note")).to_be_visible()
        await expect(visit.turn.locator(".question")).to_have_text(script)
        await expect(visit.answer).to_contain_text(script)  # the model says the question again
    await nothing_ran(visit)


async def test_every_field_of_the_events(visit):
    await visit.page.evaluate(WATCH)
    hostile = notice(
        title=ALL,
        body=ALL,
        primary_action_label=ALL,
        reference=ALL,
        locale='"><img src=x>',
        severity=ALL,
    )
    status = {"type": "status", "phase": ALL, "notice": hostile, "retry_in_seconds": 3}
    for end in (
        failed() | {"error": hostile, "suggested_actions": [ALL, ALL]},
        {**DONE, "notice": hostile, "model": ALL, "suggested_actions": [ALL, ALL]},
    ):
        await visit.told(START, {"type": "text", "text": ALL}, status, end)
        await visit.ask("?")
        await expect(visit.notice).to_contain_text(SCRIPTS[0])
    await nothing_ran(visit)


@pytest.mark.parametrize("action", ["retry", "contact_support"])
async def test_an_address_that_is_not_safe_is_no_link(visit, action):
    names = ("support", "status_page", "help", "history", "more")
    for address in (BAD_LINKS, BAD_LINKS[1:] + BAD_LINKS[:1]):
        links = dict(zip(names, address, strict=True))
        await visit.told(START, failed(primary_action_type=action) | {"links": links})
        await visit.ask("?")
        await expect(visit.notice).to_contain_text("No answer this time")
        await expect(visit.notice.locator("a")).to_have_count(0)
    await nothing_ran(visit)


async def test_a_writers_own_notices(visit):
    await visit.page.evaluate(WATCH)
    await visit.chat.evaluate(
        "each => each.options = { headers: { 'x-simulate-error': 'too_large' } }"
    )
    await visit.ask("?")
    await expect(visit.notice.locator(".title")).to_have_text(SCRIPTS[1])
    await expect(visit.notice.get_by_role("button")).to_have_text(SCRIPTS[0])
    await nothing_ran(visit)


async def test_the_page_may_run_nothing_but_its_own_files(visit):
    reply = await visit.page.request.get(visit.page.url)
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    await visit.page.evaluate(WATCH)
    await visit.page.evaluate(
        "const made = document.createElement('script'); made.textContent = 'window.ran = 1';"
        "document.body.append(made)"
    )
    assert await visit.page.evaluate("window.ran") is None
    await visit.page.wait_for_function("window.broken.length === 1")
    visit.problems.clear()
