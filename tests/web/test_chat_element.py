"""`<failsoft-chat>` in a real browser, before the real service."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_question_is_answered(visit):
    await visit.ask("What does a payslip prove?")
    await visit.idle()
    assert (await visit.answer.inner_text()).startswith("You asked: “What does a payslip prove?”")
    assert visit.stage.asked == 1
    await visit.page.screenshot(path="/tmp/work/shots/first.png")
