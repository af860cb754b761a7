"""An answer that shows a person nothing is none: the next model is asked, then the ladder."""

import pytest
from engine_kit import failsoft, virtually
from wire_events import START, STOP, WireScripted, block, delta, end, event, text, whole

from failsoft import AIError, StreamDone, StreamError, StreamText

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
THINKING = block(type="thinking", thinking="", signature="")
THOUGHT = THINKING + delta(type="thinking_delta", thinking="hm") + STOP
TOOL = block(type="tool_use", id="t", name="x", input={}) + STOP

NOTHING = {
    "no blocks": START + end(),
    "an empty text": START + block() + STOP + end(),
    "white space": START + block() + text("\n") + text(" \t\u00a0\n") + STOP + end(),
    "invisible characters": START + block() + text("\u200b\u2060\ufeff") + STOP + end(),
    "thought alone": START + THOUGHT + end(),
    "no tokens left, and no thought": START + block() + text("\n") + STOP + end("max_tokens"),
    "no text before a pause": START + end("pause_turn"),
}
EMPTY = pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING)
STREAMS = pytest.mark.parametrize("streams", [False, True])


def provider_of(nothing, *models):
    """The models that say ``nothing``; the others answer."""
    return WireScripted(lambda call: [nothing] if call.target.model in models else whole())


def run(provider, *, streams):
    async def main():
        async with failsoft(provider, models=[OPUS, SONNET]) as ai:
            if not streams:
                return await ai.ask("Hi"), []
            async with ai.stream("Hi") as stream:
                events = [event async for event in stream]
            return events[-1].answer, events

    return virtually(main())


@EMPTY
@STREAMS
def test_an_empty_answer_goes_to_the_next_model(nothing, streams):
    provider = provider_of(nothing, OPUS)
    answer, events = run(provider, streams=streams)
    assert (answer.status, answer.text, answer.model) == ("success", "Hello there.", SONNET)
    assert provider.models == [OPUS, SONNET]
    failed = answer.attempts[0]
    assert str(failed.verdict) == "unknown · empty_answer"
    assert failed.usage["output_tokens"] == 7
    assert "".join(e.text for e in events if isinstance(e, StreamText)) == (
        "Hello there." if streams else ""
    )


@EMPTY
@STREAMS
def test_where_no_model_says_anything_a_notice_does(nothing, streams):
    provider = provider_of(nothing, OPUS, SONNET)
    answer, events = run(provider, streams=streams)
    assert (answer.status, answer.text, answer.level) == ("error", "", "minimal")
    assert answer.notice.body
    assert provider.models == [OPUS, SONNET]
    assert [type(e) for e in events[-1:]] == ([StreamError] if streams else [])


@STREAMS
def test_tokens_spent_on_thought_alone_ask_no_other_model_and_have_words_of_their_own(streams):
    provider = provider_of(START + THOUGHT + end("max_tokens"), OPUS)
    answer, _ = run(provider, streams=streams)
    assert provider.models == [OPUS]
    assert str(answer.verdict) == "permanent · thought_only"
    assert "all its room to think" in answer.notice.body


@STREAMS
def test_an_answer_that_ends_in_the_use_of_a_tool_is_not_empty(streams):
    provider = provider_of(START + TOOL + end("tool_use"), OPUS)
    answer, events = run(provider, streams=streams)
    assert (answer.status, answer.model) == ("success", OPUS)
    assert [type(e) for e in events[-1:]] == ([StreamDone] if streams else [])


def test_white_space_is_held_until_the_first_visible_character():
    said = START + block() + text("\n") + text("\n") + text("Hi") + text(" \n") + STOP + end()
    answer, events = run(provider_of(said, OPUS), streams=True)
    assert [e.text for e in events if isinstance(e, StreamText)] == ["\n\nHi", " \n"]
    assert answer.text == "\n\nHi \n"


@pytest.mark.parametrize("said", [".", "\ufffd", "\U0001f600", "\U0001fae9", "\ue000", "\u4e00"])
def test_a_single_character_is_an_answer(said):
    """Also one that this Python does not know yet, or a private one."""
    answer, _ = run(provider_of(START + block() + text(said) + STOP + end(), OPUS), streams=False)
    assert (answer.text, answer.model) == (said, OPUS)


def test_what_breaks_off_in_white_space_showed_nothing():
    broken = START + block() + text("\n\n") + event("error", error={"type": "overloaded_error"})
    answer, events = run(provider_of(broken, OPUS), streams=True)
    assert (answer.text, answer.model) == ("Hello there.", SONNET)
    assert [e.text for e in events if isinstance(e, StreamText)] == ["Hello there."]


@EMPTY
def test_the_strict_interface_gives_what_the_provider_said(nothing):
    async def main():
        async with failsoft(provider_of(nothing, OPUS), models=[OPUS, SONNET]) as ai:
            return await ai.complete(messages=[{"role": "user", "content": "Hi"}])

    assert virtually(main()).model == OPUS


def test_a_message_whose_content_is_null_is_no_reply():
    null = b'{"type": "message", "role": "assistant", "content": null, "stop_reason": "end_turn"}'
    provider = provider_of(null, OPUS)

    async def main():
        async with failsoft(provider, models=[OPUS]) as ai:
            with pytest.raises(AIError) as caught:
                await ai.complete(messages=[{"role": "user", "content": "Hi"}])
            return caught.value.verdict

    assert str(virtually(main())) == "unknown · bad_reply"
