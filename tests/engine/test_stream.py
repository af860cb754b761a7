"""``stream``: text as it comes, one terminal event, nothing replayed."""

import asyncio

import pytest
from engine_kit import Scripted, fails, failsoft, hangs, overloaded, says, virtually

from failsoft import (
    StreamDone,
    StreamError,
    StreamInterrupted,
    StreamStart,
    StreamStatus,
    StreamText,
)
from failsoft.classify.wire_errors import StreamFailed


async def read(ai, **arguments):
    async with ai.stream("Hi", **arguments) as events:
        return [event async for event in events]


def collect(provider, **arguments):
    async def main():
        async with failsoft(provider) as ai:
            return await read(ai, **arguments)

    return virtually(main())


def shown(events):
    return "".join(event.text for event in events if isinstance(event, StreamText))


def test_text_comes_as_it_is_said_and_done_ends_it():
    events = collect(Scripted(says("Hello ", "there.")))
    assert isinstance(events[0], StreamStart)
    assert shown(events) == "Hello there."
    assert isinstance(events[-1], StreamDone)
    assert events[-1].tokens == 2
    assert events[-1].answer.text == "Hello there."


def test_before_the_first_text_a_failure_is_only_a_status():
    events = collect(Scripted(overloaded(), says("ok")))
    assert [type(e) for e in events] == [StreamStart, StreamStatus, StreamText, StreamDone]
    assert events[1].phase == "switching"


def test_a_cut_after_text_keeps_it_and_never_starts_over():
    provider = Scripted(says("Half an ", "answer", cut=True), says("Another answer."))
    events = collect(provider)
    assert len(provider.calls) == 1
    assert shown(events) == "Half an answer"
    last = events[-1]
    assert isinstance(last, StreamInterrupted)
    assert (last.tokens_before_error, last.chars_before_error) == (2, len("Half an answer"))
    assert last.answer.finish == "interrupted"
    assert last.answer.text == "Half an answer"
    assert last.answer.notice.primary_action_type == "retry"


def test_a_cut_before_text_is_retried_like_any_failure():
    events = collect(Scripted(says(cut=True), says("Whole.")))
    assert shown(events) == "Whole."
    assert isinstance(events[-1], StreamDone)


def test_an_error_event_after_text_interrupts():
    async def breaks(exchange):
        async for event in says("Some ")(exchange):
            yield event
        raise StreamFailed(
            "Overloaded",
            status=200,
            body={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        )

    events = collect(Scripted(breaks, says("x")))
    assert shown(events) == "Some "
    assert str(events[-1].answer.verdict) == "transient · overloaded"


def test_nothing_shown_and_nothing_left_ends_in_one_error():
    events = collect(Scripted(default=fails(401, "authentication_error")))
    assert [type(e) for e in events] == [StreamStart, StreamError]
    assert events[-1].answer.notice.primary_action_type == "contact_support"


def test_waiting_is_told_with_its_true_length():
    provider = Scripted(default=None)
    provider.scripts = [overloaded()] * 3 + [says("ok")]
    events = collect(provider)
    waits = [e for e in events if isinstance(e, StreamStatus) and e.phase == "retrying"]
    assert len(waits) == 1
    took = provider.calls[3][0] - provider.calls[2][0]
    assert waits[0].retry_in_seconds == pytest.approx(took, abs=0.01)


def test_leaving_early_cancels_upstream_and_leaves_nothing():
    provider = Scripted(default=hangs("text "))

    async def main():
        async with failsoft(provider) as ai:
            async with ai.stream("Hi") as events:
                async for event in events:
                    if isinstance(event, StreamText):
                        break
                assert provider.open == 1
            assert provider.open == 0
            return ai.health()

    assert [t["in_flight"] for t in virtually(main())["targets"]] == [0, 0, 0]


def test_cancelling_the_reader_cancels_upstream():
    provider = Scripted(default=hangs("text "))

    async def main():
        async with failsoft(provider) as ai:
            task = asyncio.create_task(read(ai))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert provider.open == 0

    virtually(main())


def test_a_stream_dropped_without_closing_is_cancelled_too():
    provider = Scripted(default=hangs("text "))

    async def main():
        async with failsoft(provider) as ai:
            async for event in ai.stream("Hi"):
                if isinstance(event, StreamText):
                    break
            await asyncio.sleep(0.1)
            assert provider.open == 0

    virtually(main())


def test_a_stream_never_read_sends_nothing():
    provider = Scripted(default=hangs("text "))

    async def main():
        async with failsoft(provider) as ai:
            ai.stream("Hi")
            async with ai.stream("Hi"):
                pass
            await asyncio.sleep(1)

    virtually(main())
    assert provider.calls == []


def test_a_slow_reader_holds_the_provider_back_and_is_not_the_providers_fault():
    sent = 0

    async def many(exchange):
        nonlocal sent
        async for event in says(*["word "] * 2000)(exchange):
            sent += 1
            yield event

    async def main():
        async with failsoft(Scripted(many)) as ai:
            events = []
            async for event in ai.stream("Hi"):
                events.append(event)
                if len(events) == 2:
                    await asyncio.sleep(120)
                    assert sent < 600
            return events

    events = virtually(main())
    assert isinstance(events[-1], StreamDone)
    assert events[-1].tokens == 2000
