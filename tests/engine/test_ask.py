"""``ask`` and ``complete``: an answer, or a designed failure."""

import asyncio
import copy
import math
import pickle

import pytest
from engine_kit import (
    Scripted,
    VirtualLoop,
    fails,
    failsoft,
    hangs,
    overloaded,
    says,
    virtually,
)

import failsoft as fs
from failsoft import AIBadRequest, AIMisconfigured, AIRefused, AIUnavailable, Settings
from failsoft.classify.wire_errors import Stopped
from failsoft.config.settings import BulkheadSettings, TargetSettings
from failsoft.telemetry.events import Event, RequestFinished


def test_a_whole_answer_says_who_gave_it():
    provider = Scripted(says("Hello ", "there."))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi", history=[{"role": "user", "content": "x"}], system="Be kind.")

    answer = virtually(main())
    assert (answer.status, answer.level, answer.text) == ("success", "full", "Hello there.")
    assert (answer.position, answer.hops, len(answer.attempts)) == (0, 0, 1)
    assert answer.target == "anthropic/claude-opus-5-5"
    assert answer.finish == "complete"
    assert answer.notice is None
    assert provider.bodies[0]["system"] == "Be kind."
    assert [m["role"] for m in provider.bodies[0]["messages"]] == ["user", "user"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_tokens", "length"), ("pause_turn", "paused"), ("stop_sequence", "complete")],
)
def test_what_ended_the_answer(reason, finish):
    provider = Scripted(says("Hel", stop_reason=reason))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    assert virtually(main()).finish == finish


def test_an_overloaded_model_hands_over_to_the_next_at_once():
    provider = Scripted(overloaded(), says("From the second."))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert provider.models == ["claude-opus-5-5", "claude-sonnet-5-5"]
    assert (answer.position, answer.hops) == (1, 1)
    assert answer.attempts[0].verdict.reason == "overloaded"
    assert provider.calls[0][0] == provider.calls[1][0]


def test_after_the_last_model_the_round_starts_again_after_a_backoff():
    provider = Scripted(overloaded(), overloaded(), overloaded(), says("At last."))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.text == "At last."
    assert provider.models[3] == "claude-opus-5-5"
    assert provider.calls[3][0] - provider.calls[0][0] >= 1.0
    assert answer.attempts[3].wait_seconds >= 0.99


def test_three_overloaded_models_are_still_called_overloaded():
    provider = Scripted(default=overloaded())

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert (answer.status, answer.level, answer.text) == ("error", "minimal", "")
    assert str(answer.verdict) == "transient · overloaded"
    assert len(answer.attempts) == len(provider.calls) == 6
    assert answer.retryable
    assert answer.notice.reference == answer.request_id
    assert answer.suggested_actions
    assert answer.retry_in_seconds is not None


@pytest.mark.parametrize(
    ("failure", "kind", "category"),
    [
        (fails(401, "authentication_error"), AIMisconfigured, "auth_error"),
        (fails(400, "invalid_request_error", "max_tokens: wrong"), AIBadRequest, "permanent"),
        (fails(413, "request_too_large"), AIBadRequest, "permanent"),
        (
            fails(400, "invalid_request_error", "Output blocked by content filtering policy"),
            AIRefused,
            "content_policy",
        ),
        (Stopped(body={"stop_reason": "refusal", "content": []}), AIRefused, "content_policy"),
    ],
)
def test_what_cannot_succeed_is_called_once_and_raised_by_complete(failure, kind, category):
    provider = Scripted(default=failure)

    async def main():
        async with failsoft(provider) as ai:
            with pytest.raises(kind) as caught:
                await ai.complete(messages=[{"role": "user", "content": "Hi"}], temperature=1)
            answer = await ai.ask("Hi")
            return caught.value, answer

    error, answer = virtually(main())
    assert error.verdict.category == category == answer.error_category
    assert error.__cause__ is failure
    assert not answer.retryable
    assert answer.retry_in_seconds is None, "none of these is the person's to wait for"
    # A dead account is parked, and that time is known; time does not mend the others.
    assert (answer.retry_after is not None) == (category == "auth_error")
    assert len(error.attempts) == 1
    again = pickle.loads(pickle.dumps(error))
    assert (again.verdict, again.notice, again.request_id) == (
        error.verdict,
        error.notice,
        error.request_id,
    )


def test_complete_sends_the_providers_own_fields_untouched():
    provider = Scripted(says("ok"))
    tools = [{"name": "f", "input_schema": {"type": "object"}}]

    async def main():
        async with failsoft(provider) as ai:
            return await ai.complete(
                messages=[{"role": "user", "content": "Hi"}], tools=tools, thinking={"type": "x"}
            )

    answer = virtually(main())
    assert provider.bodies[0]["tools"] is tools
    assert provider.bodies[0]["thinking"] == {"type": "x"}
    assert answer.message["stop_reason"] == "end_turn"


def test_a_hanging_model_is_left_after_its_period_and_pings_do_not_save_it():
    provider = Scripted(hangs(pings=True), says("Second."))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.text == "Second."
    assert provider.calls[1][0] - provider.calls[0][0] == pytest.approx(15.0, abs=0.3)
    assert str(answer.attempts[0].verdict) == "timeout · no_answer"


def test_silence_between_contents_ends_an_attempt():
    provider = Scripted(hangs("Some text"), says("Whole."))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.text == "Whole."
    assert answer.attempts[0].duration_seconds == pytest.approx(20.0, abs=0.1)


def test_silence_ends_an_attempt_also_where_the_first_content_had_longer():
    """The last target has all that is left for its first content, and 20 s for a silence."""
    provider = Scripted(hangs("Some text"), says("Whole."))

    async def main():
        async with failsoft(provider, models=["claude-opus-5-5"]) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert str(answer.attempts[0].verdict) == "timeout · no_answer"
    assert answer.attempts[0].duration_seconds == pytest.approx(20.0, abs=0.1)


def test_an_answer_that_is_alive_may_outlive_the_deadline():
    provider = Scripted(says(*["word "] * 20, pause=10.0))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.status == "success"
    assert answer.attempts[0].duration_seconds == pytest.approx(200.0)


def test_a_callers_timeout_caps_everything_and_blames_nobody():
    provider = Scripted(default=hangs())

    async def main():
        loop = asyncio.get_running_loop()
        async with failsoft(provider) as ai:
            began = loop.time()
            answer = await ai.ask("Hi", timeout=4)
            health = ai.health()
            return answer, loop.time() - began, health

    answer, seconds, health = virtually(main())
    assert seconds <= 4.01
    assert answer.error_category == "timeout"
    assert [target["failure_count"] for target in health["targets"]] == [0, 0, 0]


def test_the_deadline_is_inherited_by_nested_calls():
    provider = Scripted(default=hangs())

    async def main():
        loop = asyncio.get_running_loop()
        async with failsoft(provider) as ai:
            began = loop.time()
            with fs.deadline(3):
                await ai.ask("one")
                await ai.ask("two", timeout=50)
            return loop.time() - began

    assert virtually(main()) <= 3.5


def test_a_rate_limit_benches_its_family_and_is_waited_for_when_it_fits():
    provider = Scripted(fails(429, "rate_limit_error", retry_after="5"), says("After the wait."))

    async def main():
        async with failsoft(provider, models=["claude-opus-5-5"]) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    waited = provider.calls[1][0] - provider.calls[0][0]
    assert 5.0 <= waited <= 5.0 * 1.25 + 0.01
    assert answer.text == "After the wait."


def test_a_rate_limit_longer_than_the_deadline_is_told_with_its_true_wait():
    provider = Scripted(default=fails(429, "rate_limit_error", retry_after="171"))

    async def main():
        async with failsoft(provider, models=["claude-opus-5-5"]) as ai:
            first = await ai.ask("Hi")
            return first, await ai.ask("Again")

    first, second = virtually(main())
    assert len(provider.calls) == 1, "a benched model is not called"
    for answer in (first, second):
        assert answer.error_category == "rate_limited"
        assert 170 <= answer.retry_in_seconds <= 171 + 10
        assert answer.notice.primary_action_type == "wait"
    assert second.attempts == ()


def test_a_dead_primary_is_skipped_once_its_breaker_is_open():
    provider = Scripted(default=None)

    async def main():
        async with failsoft(provider) as ai:
            for _ in range(15):
                provider.scripts = [overloaded(), says("ok")]
                await ai.ask("Hi")
                await asyncio.sleep(0.1)
            provider.calls.clear()
            provider.scripts = [says("ok")]
            answer = await ai.ask("Hi")
            return answer, ai.health()

    answer, health = virtually(main())
    assert provider.models == ["claude-sonnet-5-5"]
    assert (answer.position, answer.hops) == (1, 0)
    assert health["status"] == "degraded"
    assert health["targets"][0]["state"] == "open"
    assert health["targets"][0]["recovery_in_seconds"] > 0


def test_a_dead_host_opens_all_its_targets_together():
    provider = Scripted(default=ConnectionRefusedError(111, "Connection refused"))

    async def main():
        async with failsoft(provider) as ai:
            for _ in range(4):
                await ai.ask("Hi", timeout=10)
            return ai.health(), await ai.ask("Hi")

    health, answer = virtually(main())
    assert health["status"] == "down"
    assert {target["state"] for target in health["targets"]} == {"open"}
    assert answer.attempts == ()
    assert answer.error_category == "transient"
    assert answer.circuit_state == "open"


def test_a_request_with_provider_tools_is_never_sent_twice():
    provider = Scripted(default=fails(500, "api_error"))
    tools = [{"type": "web_search_20250305", "name": "web_search"}]

    async def main():
        async with failsoft(provider) as ai:
            with pytest.raises(AIUnavailable):
                await ai.complete(messages=[{"role": "user", "content": "Hi"}], tools=tools)

    virtually(main())
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    "rejection",
    [overloaded(), fails(503, "api_error"), fails(429, "rate_limit_error", retry_after="9")],
)
def test_a_request_with_provider_tools_goes_on_after_a_rejection(rejection):
    provider = Scripted(rejection, says("Found."))
    tools = [{"type": "web_search_20250305", "name": "web_search"}]

    async def main():
        async with failsoft(provider) as ai:
            message = [{"role": "user", "content": "Hi"}]
            answer = await ai.complete(messages=message, tools=tools)
            await ai.complete(messages=message)
            return answer

    provider.default = says("Plain.")
    answer = virtually(main())
    assert answer.text == "Found."
    assert [attempt.sent for attempt in answer.attempts] == ["no", "maybe"]
    assert provider.fresh == [True, True, False], "a stale connection would leave it open"


def test_cancelling_leaves_nothing_behind():
    provider = Scripted(default=hangs("text"))
    ended: list[Event] = []

    async def main():
        async with failsoft(provider, on_event=ended.append) as ai:
            task = asyncio.create_task(ai.ask("Hi"))
            await asyncio.sleep(1)
            assert provider.open == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return ai.health()

    health = virtually(main())
    assert provider.open == 0
    assert [t["in_flight"] for t in health["targets"]] == [0, 0, 0]
    finished = [event for event in ended if isinstance(event, RequestFinished)]
    assert [event.outcome for event in finished] == ["cancelled"]


def test_cancelling_at_the_moment_a_timer_fires_is_still_cancelling():
    provider = Scripted(default=hangs())

    async def main():
        loop = asyncio.get_running_loop()
        async with failsoft(provider) as ai:
            task = asyncio.create_task(ai.ask("Hi"))
            await asyncio.sleep(0)
            loop.call_at(loop.time() + 15.0, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task

    virtually(main())
    assert provider.open == 0


def test_a_full_route_queues_and_then_says_so():
    provider = Scripted(default=hangs("x"))
    tight = BulkheadSettings(route_limit=1, route_queue=1)

    async def main():
        async with failsoft(provider, settings=Settings(bulkhead=tight)) as ai:
            first = asyncio.create_task(ai.ask("one"))
            await asyncio.sleep(0)
            second = asyncio.create_task(ai.ask("two"))
            await asyncio.sleep(0)
            third = await ai.ask("three")
            first.cancel()
            provider.default = says("served")
            return third, await second

    third, second = virtually(main())
    assert str(third.verdict) == "transient · saturated"
    assert third.attempts == ()
    assert second.text == "served"


def test_a_listener_that_fails_never_breaks_a_call(caplog):
    def broken(_: Event) -> None:
        raise RuntimeError("listener")

    async def main():
        async with failsoft(Scripted(says("ok")), on_event=broken) as ai:
            return await ai.ask("Hi")

    assert virtually(main()).text == "ok"
    assert "a subscriber failed" in caplog.text


def test_every_request_finishes_exactly_once_and_says_what_it_cost():
    events: list[Event] = []
    provider = Scripted(overloaded(), says("ok"))

    async def main():
        async with failsoft(provider, on_event=events.append) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    names = [type(event).__name__ for event in events]
    assert names == [
        "RequestStarted",
        "AttemptStarted",
        "AttemptFinished",
        "FellBack",
        "AttemptStarted",
        "AttemptFinished",
        "RequestFinished",
    ]
    assert {event.request_id for event in events} == {answer.request_id}
    assert events[-1].hops == 1


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_wrong_timeout_is_named(wrong):
    async def main():
        async with failsoft(Scripted()) as ai:
            with pytest.raises(fs.SettingError, match="timeout"):
                await ai.ask("Hi", timeout=wrong)

    virtually(main())


def test_a_model_outside_the_chain_goes_first():
    provider = Scripted(overloaded(), says("ok"))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi", model="claude-special")

    virtually(main())
    assert provider.models == ["claude-special", "claude-opus-5-5"]


def test_the_virtual_loop_itself_notices_a_deadlock():
    async def main():
        await asyncio.get_running_loop().create_future()

    with (
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
        pytest.raises(RuntimeError, match="nothing will ever happen"),
    ):
        runner.run(main())


def test_closing_lets_what_is_under_way_end_and_admits_nothing_more():
    async def main():
        ai = failsoft(Scripted(says("slowly", pause=2.0)))
        asked = asyncio.create_task(ai.ask("Hi"))
        await asyncio.sleep(1)
        await ai.aclose()
        with pytest.raises(fs.FailsoftError, match="closed"):
            await ai.ask("Hi again")
        return await asked

    assert virtually(main()).text == "slowly"


def test_a_model_that_refuses_a_prefill_is_left_out_and_the_answer_says_so():
    provider = Scripted(says("went on"))
    prefill = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "The answer is"}]

    async def main():
        async with failsoft(provider, models=["claude-opus-5-5", "claude-3-5-haiku-latest"]) as ai:
            return await ai.complete(messages=prefill)

    answer = virtually(main())
    assert provider.models == ["claude-3-5-haiku-latest"]
    assert answer.left_out == ("anthropic/claude-opus-5-5",)


def test_max_tokens_is_clamped_anew_for_every_model_and_the_ledger_says_so():
    limits = {"anthropic/claude-opus-5-5": TargetSettings(max_output_tokens=100)}
    provider = Scripted(overloaded(), says("ok"))

    async def main():
        async with failsoft(provider, settings=Settings(targets=limits)) as ai:
            return await ai.ask("Hi", max_tokens=500)

    answer = virtually(main())
    assert [body["max_tokens"] for body in provider.bodies] == [100, 500]
    assert answer.attempts[0].changes == ("max_tokens 500 → 100",)


def test_where_nobody_knows_when_notice_and_figure_are_the_same():
    async def main():
        async with failsoft(Scripted(default=overloaded())) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.notice.retry_countdown_seconds == answer.retry_in_seconds == 5
    assert "5 seconds" in answer.notice.body
    assert "5 seconds" in answer.suggested_actions[0]


@pytest.mark.parametrize("waiting", [{}, {"retry_after": "171"}])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
def test_an_error_names_one_wait_or_none(status, waiting):
    async def main():
        async with failsoft(Scripted(default=fails(status, "x", **waiting))) as ai:
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.retry_in_seconds == answer.notice.retry_countdown_seconds


def test_a_limit_that_names_no_wait_is_said_to_pass_in_half_a_minute():
    provider = Scripted(default=fails(429, "rate_limit_error"))

    async def main():
        async with failsoft(provider) as ai:
            return await ai.ask("Hi", timeout=0.5)  # no second attempt fits

    answer = virtually(main())
    assert answer.notice.retry_countdown_seconds == answer.retry_in_seconds == 30


def test_a_cut_answer_names_one_wait():
    provider = Scripted(default=says("Hello", cut=True))

    async def main():
        async with failsoft(provider) as ai:
            return [event async for event in ai.stream("Hi")][-1].answer

    answer = virtually(main())
    assert answer.notice.retry_countdown_seconds == answer.retry_in_seconds == 5
    assert "5 seconds" in answer.notice.body


@pytest.mark.parametrize(
    ("failure", "title", "action"),
    [
        (overloaded(), "No answer right now", "retry"),
        (fails(500, "api_error"), "No answer right now", "retry"),
        (fails(429, "rate_limit_error", retry_after="400"), "Too busy to answer", "wait"),
        (fails(401, "authentication_error"), "A problem on our side", "contact_support"),
    ],
    ids=["overloaded", "server_error", "rate_limited", "authentication"],
)
def test_a_request_that_called_nothing_is_told_of_no_interruption(failure, title, action):
    """A short interruption is none of its own; high demand and our account are as true of it."""
    provider = Scripted(default=failure)

    async def main():
        async with failsoft(provider) as ai:
            asked = await asyncio.gather(*(ai.ask("Hi") for _ in range(40)))
            assert "No answer right now" not in {one.notice.title for one in asked if one.attempts}
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.attempts == ()
    assert (answer.notice.title, answer.notice.primary_action_type) == (title, action)
    if action != "contact_support":
        assert answer.notice.retry_countdown_seconds == math.ceil(answer.retry_in_seconds)


def test_where_all_is_left_out_until_nobody_knows_when_it_says_five_minutes():
    async def main():
        async with failsoft(Scripted(default=says("Hi."))) as ai:
            for target in ai._runtime.chain:
                ai._runtime.guards.of(target).breaker.isolate()
            return await ai.ask("Hi")

    answer = virtually(main())
    assert answer.notice.title == "No answer right now"
    assert (answer.notice.retry_countdown_seconds, answer.retry_in_seconds) == (300, 300)
    assert "Try again in 5 minutes" in answer.notice.body
    assert answer.suggested_actions[0] == "Try again in 5 minutes"


@pytest.mark.parametrize("script", [says("Hi."), overloaded()], ids=["answer", "failure"])
def test_an_answer_and_its_events_can_be_pickled_and_copied(script):
    """To a worker, a queue or a cache of one's own."""

    async def main():
        async with failsoft(Scripted(default=script)) as ai:
            events = [event async for event in ai.stream("Hi")]
            return [await ai.ask("Hi"), ai.health(), *events]

    for one in virtually(main()):
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one
