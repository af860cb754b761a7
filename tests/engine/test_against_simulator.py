"""Every fault of the simulator, over real sockets: its verdict, the retries, the level."""

import asyncio
import gc
import os
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from failsoft import (
    BlockingFailsoft,
    Failsoft,
    FailsoftError,
    Settings,
    StreamDone,
    StreamError,
    StreamInterrupted,
    StreamText,
)
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import ProviderSettings, TimerSettings

# Short timers where a fault is silence: what is tested is who ends it, not how long it takes. The
# last target is given all that is left, so that a busy machine cannot fail it.
QUICK = TimerSettings(first_content_seconds=0.5, first_content_min_seconds=0.5, idle_seconds=0.5)
TWO = ["anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"]
SILENT = ("hang", "ping_only;every_ms=20", "stall")
OPUS = "claude-opus-5-5"


def settings(sim, **more):
    return Settings(anthropic=ProviderSettings(api_key="k", base_url=sim.url), **more)


async def ask(fault, *, timers=None, chain=None, question="What is escrow?"):
    async with Simulator(faults=[f"{OPUS}={fault}"]) as sim:
        more = {} if timers is None else {"timers": timers}
        async with Failsoft(settings(sim, **more), chain=chain) as ai:
            return await ai.ask(question), list(sim.requests)


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("529", "transient · overloaded"),
        ("500", "transient · server_error"),
        ("503", "transient · unavailable"),
        ("html", "transient · server_error"),
        ("504", "timeout · upstream"),
        ("429;retry_after=30", "rate_limited · requests"),
        ("error_event", "transient · overloaded"),
        ("error_event;after=0", "transient · overloaded"),
        ("cut", "transient · stream_cut"),
        ("close", "transient · stream_cut"),
        ("eof", "transient · stream_cut"),
        ("cut_json", "transient · stream_cut"),
        ("error_body", "transient · overloaded"),
        ("unknown_model", "permanent · model_unavailable"),
        *((fault, "timeout · no_answer") for fault in SILENT),
    ],
)
async def test_the_next_model_answers_and_the_ledger_says_why(fault, verdict):
    answer, requests = await ask(fault, timers=QUICK if fault in SILENT else None, chain=TWO)
    assert (answer.status, answer.level) == ("success", "full")
    assert str(answer.attempts[0].verdict) == verdict
    assert [request.model for request in requests] == [OPUS, "claude-sonnet-5-5"]
    assert answer.position == 1


@pytest.mark.parametrize(
    ("fault", "verdict", "action", "calls"),
    [
        ("bad_key", "auth_error · authentication", "contact_support", 1),
        ("credit_balance", "auth_error · billing", "contact_support", 1),
        ("usage_limit", "auth_error · billing", "contact_support", 1),
        ("spend_limit", "auth_error · billing", "contact_support", 1),
        ("suspended", "auth_error · suspended", "contact_support", 1),
        ("403", "auth_error · permission", "contact_support", 1),
        ("content_filter", "content_policy · content_policy", "edit_input", 1),
        ("refusal", "content_policy · refusal", "edit_input", 1),
        ("413", "permanent · too_large", "edit_input", 1),
        ("context_limit", "permanent · context_too_long", "edit_input", 1),
        ("422", "permanent · bad_request", "edit_input", 1),
    ],
)
async def test_what_another_model_cannot_mend_ends_with_its_notice(fault, verdict, action, calls):
    answer, requests = await ask(fault)
    assert (answer.status, answer.level) == ("error", "minimal")
    assert str(answer.verdict) == verdict
    assert answer.notice.primary_action_type == action
    assert len(requests) == len(answer.attempts) == calls
    assert answer.suggested_actions


@pytest.mark.parametrize("fault", ["html;status=200", "empty"])
async def test_a_reply_that_makes_no_sense_goes_to_the_next_model(fault):
    answer, requests = await ask(fault)
    assert (answer.status, str(answer.attempts[0].verdict)) == ("success", "unknown · bad_reply")
    assert [request.model for request in requests] == [OPUS, "claude-sonnet-5-5"]


async def test_a_context_window_exceeded_keeps_its_usable_text():
    answer, _ = await ask("window_exceeded;after=5")
    assert str(answer.verdict) == "permanent · context_too_long"
    assert len(answer.text.split()) >= 4


async def test_a_pause_of_the_model_is_said():
    answer, requests = await ask("pause_turn;after=5")
    assert (answer.status, answer.finish, len(requests)) == ("success", "paused", 1)
    assert len(answer.text.split()) == 5


async def test_nobody_listening_at_all_is_a_connection_failure():
    async with Simulator() as sim:
        gone = settings(sim)
    async with Failsoft(gone) as ai:
        answer = await ai.ask("Hello?", timeout=3)
    assert str(answer.verdict) == "transient · connection"
    assert {attempt.target for attempt in answer.attempts} == {f"anthropic/{OPUS}"}
    assert {attempt.sent for attempt in answer.attempts} == {"no"}


@pytest.mark.parametrize("fault", ["cut;after=5", "close;after=5", "eof;after=5", "stall;after=5"])
async def test_a_stream_cut_after_text_keeps_every_word(fault):
    async with (
        Simulator(faults=[f"{OPUS}={fault}"]) as sim,
        Failsoft(settings(sim, **({"timers": QUICK} if "stall" in fault else {}))) as ai,
        ai.stream("What is escrow?") as events,
    ):
        seen = [event async for event in events]
        assert len(sim.requests) == 1
    texts = [event.text for event in seen if isinstance(event, StreamText)]
    last = seen[-1]
    assert isinstance(last, StreamInterrupted)
    assert len(texts) == last.tokens_before_error == 5
    assert last.answer.text == "".join(texts)


async def test_a_brownout_of_one_in_five_is_not_seen_by_anybody():
    async with (
        Simulator(seed=3, faults=["*=529@0.2"]) as sim,
        Failsoft(settings(sim)) as ai,
    ):
        answers = await asyncio.gather(*(ai.ask(f"Question {n}?") for n in range(100)))
        assert {answer.status for answer in answers} == {"success"}
        assert len(sim.requests) == sum(len(answer.attempts) for answer in answers)
        assert any(answer.hops for answer in answers)


async def test_no_task_no_descriptor_and_no_permit_is_left_after_hundreds_of_endings():
    def descriptors():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting, not walking

    faults = ["*=cut@0.2;after=2", "*=529@0.2", "*=eof@0.2;after=1", "*=reset@0.1"]
    async with Simulator(seed=5, faults=faults) as sim:
        tasks, before = len(asyncio.all_tasks()), descriptors()
        async with Failsoft(settings(sim)) as ai:
            asks = [asyncio.create_task(ai.ask(f"{n}?", timeout=5)) for n in range(60)]
            streams = [asyncio.create_task(_first_text(ai)) for _ in range(60)]
            await asyncio.sleep(0.05)
            for task in asks[::3]:
                task.cancel()
            await asyncio.gather(*asks, *streams, return_exceptions=True)
            assert [target["in_flight"] for target in ai.health()["targets"]] == [0, 0, 0]
        for _ in range(100):
            if len(asyncio.all_tasks()) <= tasks and descriptors() <= before:
                break
            await asyncio.sleep(0.02)
        assert len(asyncio.all_tasks()) <= tasks
        assert descriptors() <= before


async def _first_text(ai):
    async with ai.stream("Tell me.", timeout=5) as events:
        async for event in events:
            if isinstance(event, StreamText):
                return


async def test_leaving_a_stream_is_seen_by_the_provider_at_once():
    async with (
        Simulator(faults=["*=latency;between_events_ms=50"]) as sim,
        Failsoft(settings(sim)) as ai,
    ):
        await _first_text(ai)
        for _ in range(100):
            if sim.requests and sim.requests[0].outcome == "client_gone":
                break
            await asyncio.sleep(0.02)
        assert sim.requests[0].outcome == "client_gone"


def test_the_blocking_form_asks_streams_and_closes():
    with _running_simulator() as url:
        wanted = Settings(anthropic=ProviderSettings(api_key="k", base_url=url))
        with BlockingFailsoft(wanted) as ai:
            assert ai.ask("Hi").status == "success"
            events = list(ai.stream("Hi"))
            assert isinstance(events[-1], StreamDone)
            stream = ai.stream("Hi")
            next(stream)
            stream.close()
            assert ai.health()["status"] == "ok"
        ai.close()
        with pytest.raises(FailsoftError, match="closed"):
            ai.ask("Hi")


@contextmanager
def _running_simulator():
    ready, stop, url = Event(), Event(), []

    async def main():
        async with Simulator() as sim:
            url.append(sim.url)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait(10)
    try:
        yield url[0]
    finally:
        stop.set()
        thread.join()


async def test_the_error_ending_of_a_stream_carries_no_text():
    async with (
        Simulator(faults=["*=bad_key"]) as sim,
        Failsoft(settings(sim)) as ai,
        ai.stream("Hi") as events,
    ):
        seen = [event async for event in events]
    assert isinstance(seen[-1], StreamError)
    assert seen[-1].answer.text == ""
