"""A model that thinks is silent and alive: it is called once, and nothing of it is cut."""

import asyncio

from engine_kit import failsoft, virtually
from wire_events import PING, START, STOP, WireScripted, block, delta, end, event, whole

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
REQUESTS = 1000
QUESTION = [{"role": "user", "content": "Hi"}]
THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}


def said(index):
    start = event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    words = event(
        "content_block_delta", index=index, delta={"type": "text_delta", "text": "Hello there."}
    )
    return start + words + event("content_block_stop", index=index)


def pings(seconds):
    for _ in range(seconds // 10):
        yield 10.0
        yield PING


def omitted_thought(_call):
    """Nothing is shown of the thought but its signature, after 90 s of pings."""
    yield START + block(**THOUGHT)
    yield from pings(90)
    yield delta(type="signature_delta", signature="s") + STOP + said(1) + end()


def thousand(provider, ask):
    async def main():
        async with failsoft(provider, models=[OPUS, SONNET]) as ai:
            return await asyncio.gather(*(ask(ai) for _ in range(REQUESTS)))

    return virtually(main())


def all_answered_by_one_call(provider, answers):
    assert [answer.text for answer in answers] == ["Hello there."] * REQUESTS
    assert provider.models == [OPUS] * REQUESTS


def test_omitted_thought_with_90_seconds_of_pings_is_not_cut():
    provider = WireScripted(omitted_thought)
    thinking = {"type": "adaptive", "display": "omitted"}
    answers = thousand(provider, lambda ai: ai.complete(messages=QUESTION, thinking=thinking))
    all_answered_by_one_call(provider, answers)


def test_a_stream_of_150_000_input_tokens_that_begins_after_25_seconds_is_not_cut():
    def slow(_call):
        yield START
        yield from pings(20)
        yield 5.0
        yield from whole()

    prompt = "word" * 150_000
    provider = WireScripted(slow)

    async def ask(ai):
        async with ai.stream(prompt) as events:
            return [event async for event in events][-1].answer

    all_answered_by_one_call(provider, thousand(provider, ask))


def test_thought_in_the_middle_of_an_answer_may_be_silent_too():
    def script(_call):
        yield START + said(0) + event("content_block_start", index=1, content_block=THOUGHT)
        yield from pings(90)
        yield event("content_block_stop", index=1) + end()

    async def main():
        async with failsoft(WireScripted(script), models=[OPUS, SONNET]) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert (answer.text, answer.model) == ("Hello there.", OPUS)


def test_silence_after_the_thought_is_silence():
    def script(call):
        if call.target.model != OPUS:
            yield from whole()
            return
        yield START + block(**THOUGHT) + delta(type="thinking_delta", thinking="hm") + STOP
        yield from pings(90)
        yield said(1) + end()

    async def main():
        async with failsoft(WireScripted(script), models=[OPUS, SONNET]) as ai:
            thinking = {"type": "enabled", "budget_tokens": 1024}
            return await ai.complete(messages=QUESTION, thinking=thinking)

    answer = virtually(main())
    assert answer.model == SONNET
    assert str(answer.attempts[0].verdict) == "timeout · no_answer"
    assert answer.attempts[0].duration_seconds == 20
