"""Each word fails as the provider itself does, and so in the category it is named for."""

import pytest

from failsoft import ErrorCategory, SettingError, StreamInterrupted
from failsoft.testing import FailingAIs


@pytest.mark.parametrize("category", list(ErrorCategory))
async def test_a_word_is_the_category_that_is_told(failing_ai, category):
    answer = await failing_ai(category).ask("Which papers?")
    assert (answer.status, answer.level) == ("error", "minimal")
    assert answer.error_category is category
    assert {attempt.verdict.category for attempt in answer.attempts} == {category}


async def test_then_holds_for_every_later_call(failing_ai):
    ai = failing_ai("transient", "timeout", then="ok")
    first, second = await ai.ask("?"), await ai.ask("?")
    assert first.text == second.text
    assert [len(first.attempts), len(second.attempts)] == [3, 1]


async def test_without_a_word_it_answers(failing_ai):
    assert (await failing_ai().ask("?")).status == "success"


async def test_a_cut_keeps_what_was_shown(failing_ai):
    events = [event async for event in failing_ai("cut").stream("?")]
    assert isinstance(events[-1], StreamInterrupted)
    assert events[-1].answer.text == "You need your last three pay slips, your tax return "


async def test_options_go_to_the_client(failing_ai):
    heard = []
    answer = await failing_ai("permanent", on_event=heard.append, chain=["anthropic/one"]).ask("?")
    assert [attempt.target for attempt in answer.attempts] == ["anthropic/one"]
    assert heard


def test_a_word_that_is_none_is_named_with_those_there_are(failing_ai):
    with pytest.raises(SettingError, match="'overloaded' must be one of ok, transient,"):
        failing_ai("overloaded")


def test_leaving_closes_all_of_them(tmp_path):
    with FailingAIs(tmp_path) as make:
        made = [make(), make("cut")]
    assert [ai._runtime.closed for ai in made] == [True, True]
