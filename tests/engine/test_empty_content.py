"""Only content is a sign of life: a stream that brings none is left for the next model."""

import asyncio
from itertools import cycle

import pytest
from engine_kit import failsoft, virtually
from wire_events import PING, START, STOP, WireScripted, block, delta, event, reason, text, whole

from failsoft import StreamDone
from failsoft.config.settings import BreakerSettings, RetrySettings, Settings
from failsoft.telemetry.events import AttemptFinished, BreakerChanged

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"

NOTHING = {
    "text": (block(), delta(type="text_delta", text="")),
    "thinking": (
        block(type="thinking", thinking="", signature=""),
        delta(type="thinking_delta", thinking=""),
    ),
    "a count of no thought": (
        block(type="thinking", thinking="", signature=""),
        delta(type="thinking_delta", thinking="", estimated_tokens=0),
    ),
    "signature": (
        block(type="thinking", thinking="", signature=""),
        delta(type="signature_delta", signature=""),
    ),
    "tool": (
        block(type="tool_use", id="t", name="x", input={}),
        delta(type="input_json_delta", partial_json=""),
    ),
    "citation": (block(), delta(type="citations_delta", citation=None)),
    "unknown delta": (block(), delta(type="brand_new_delta")),
    "unknown event": (b"", event("vendor.heartbeat", at=7)),
    "starts of blocks": (b"", block()),
    "pings": (b"", PING),
    "no data": (b"", b"event: keep-alive\ndata:\n\n"),
}
EMPTY = pytest.mark.parametrize("kind", NOTHING)


def empty_for(kind, call):
    """What comes for ever, every half second, from the first model; the next ones answer."""
    if call.target.model != OPUS:
        return whole()
    opening, again = NOTHING[kind]
    return _forever(START + opening, again)


def _forever(opening, again):
    yield opening
    yield from cycle((0.5, again))


@EMPTY
@pytest.mark.parametrize("streams", [False, True])
def test_a_stream_without_content_goes_to_the_next_model_in_time(kind, streams):
    provider = WireScripted(lambda call: empty_for(kind, call))

    async def main():
        async with failsoft(provider, models=[OPUS, SONNET]) as ai:
            if not streams:
                return await ai.ask("Hi")
            async with ai.stream("Hi") as events:
                return [event async for event in events][-1].answer

    answer = virtually(main())
    assert (answer.text, answer.model) == ("Hello there.", SONNET)
    assert str(answer.attempts[0].verdict) == "timeout · no_answer"
    assert answer.attempts[0].duration_seconds == pytest.approx(15, abs=0.1)
    assert answer.attempts[0].first_content_seconds is None


@EMPTY
def test_a_stream_without_content_is_no_success_of_a_probe(kind):
    """The breaker is half open: the probe brings nothing, so it stays out."""
    changes, down = [], [True]

    def script(call):
        if call.target.model == OPUS and down[0]:
            return [START + event("error", error={"type": "overloaded_error", "message": "no"})]
        return empty_for(kind, call)

    provider = WireScripted(script)
    settings = Settings(
        breaker=BreakerSettings(failure_threshold=1, failure_span_seconds=0, success_threshold=1),
        retry=RetrySettings(max_attempts=2),
    )

    async def main():
        async with failsoft(
            provider, models=[OPUS, SONNET], settings=settings, on_event=changes.append
        ) as ai:
            await ai.ask("Hi")
            down[0] = False
            await asyncio.sleep(60)
            return await ai.ask("Hi again")

    answer = virtually(main())
    assert (answer.text, answer.model) == ("Hello there.", SONNET)
    states = [e.to_state for e in changes if isinstance(e, BreakerChanged)]
    assert states == ["open", "half_open", "open"]


def test_an_answer_that_is_all_here_is_complete_within_a_second():
    def script(_call):
        yield START + block() + text("The whole answer.") + STOP + reason()
        yield from cycle((0.3, PING))

    heard = []

    async def main():
        provider = WireScripted(script)
        async with (
            failsoft(provider, models=[OPUS], on_event=heard.append) as ai,
            ai.stream("Hi") as events,
        ):
            return [event async for event in events][-1]

    done = virtually(main())
    assert isinstance(done, StreamDone)
    assert (done.answer.text, done.answer.finish) == ("The whole answer.", "complete")
    (attempt,) = done.answer.attempts
    assert attempt.duration_seconds == pytest.approx(1, abs=0.1)
    assert [e.soft_end for e in heard if isinstance(e, AttemptFinished)] == [True]
