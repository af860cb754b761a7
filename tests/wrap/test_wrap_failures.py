"""What a wrapped client does and raises when its models fail."""

import asyncio
import gc
import json
import pickle
import threading

import anthropic
import pytest
from loopback import SSE_HEAD, fixed, serving
from wrap_kit import OPUS, QUESTION, SONNET, Wrapped, sdk_client, timers_for, wrapped

import failsoft
from failsoft import Failsoft, SettingError, Settings, answer_of, classify
from failsoft.config.settings import BreakerSettings, ProviderSettings, RetrySettings
from failsoft.telemetry.events import AttemptFinished
from failsoft.testing import RunningSimulator

KINDS = pytest.mark.parametrize("kind", ["async", "sync"])
ONCE = RetrySettings(max_attempts=1)


async def create(use, **more):
    return await use.do(lambda client: client.messages.create(**QUESTION, **more))


async def until(true):
    """Return once it is so; at most some seconds."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


async def read(use, **more):
    return await use.each(await create(use, stream=True, **more))


@KINDS
@pytest.mark.parametrize(
    ("fault", "error", "verdict"),
    [
        ("529", anthropic.OverloadedError, "transient · overloaded"),
        ("500", anthropic.InternalServerError, "transient · server_error"),
        ("429;retry_after=30", anthropic.RateLimitError, "rate_limited · requests"),
        ("bad_key", anthropic.AuthenticationError, "auth_error · authentication"),
        ("credit_balance", anthropic.BadRequestError, "auth_error · billing"),
        ("unknown_model", anthropic.NotFoundError, "permanent · model_unavailable"),
        ("close", anthropic.APIConnectionError, "transient · stream_cut"),
        ("hang", anthropic.APITimeoutError, "timeout · no_answer"),
        ("error_body", anthropic.APIStatusError, "transient · overloaded"),
    ],
)
async def test_where_nothing_helps_the_sdks_own_exception_is_raised(kind, fault, error, verdict):
    settings = Settings(deadline_seconds=5, timers=timers_for(fault), retry=ONCE)
    async with wrapped(kind, f"*={fault}", settings=settings) as use:
        with pytest.raises(error) as caught:
            await create(use)
        assert type(caught.value) is error
        answer = answer_of(caught.value)
        assert str(answer.verdict) == verdict
        assert answer.notice.body
        assert [attempt.target for attempt in answer.attempts] == [f"anthropic/{OPUS}"]


@KINDS
@pytest.mark.parametrize("ask", [create, read], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", ["empty", "html;status=200", "cut_json", "eof;after=0"])
async def test_a_reply_that_cannot_be_read_is_a_lost_connection_as_well(kind, ask, fault):
    # Frameworks translate the SDK's connection and status errors, and no other.
    settings = Settings(deadline_seconds=5, retry=ONCE)
    async with wrapped(kind, f"*={fault}", settings=settings) as use:
        with pytest.raises(anthropic.APIConnectionError) as caught:
            await ask(use)
    if ask is create:
        assert isinstance(caught.value, anthropic.APIResponseValidationError)
        assert caught.value.response.status_code == caught.value.status_code == 200
        assert str(classify(caught.value)) == "unknown · bad_reply"
        assert str(answer_of(caught.value).verdict) == "unknown · bad_reply"
        assert "failsoft: " in str(pickle.loads(pickle.dumps(caught.value)))


@KINDS
async def test_the_words_of_the_provider_are_kept(kind):
    async with wrapped(kind, "*=bad_key") as use:
        with pytest.raises(anthropic.AuthenticationError) as wrapped_error:
            await create(use)
        bare = sdk_client(kind, use.simulator.url)
        use.client = bare
        with pytest.raises(anthropic.AuthenticationError) as bare_error:
            await create(use)
        assert (
            str(wrapped_error.value).split("request_id")[0]
            == str(bare_error.value).split("request_id")[0]
        )
        assert wrapped_error.value.request_id
        await use.do(lambda client: client.close())


@KINDS
@pytest.mark.parametrize("fault", ["529", "close", "hang"])
async def test_retries_of_the_sdk_multiply_nothing(kind, fault):
    retry = RetrySettings(max_attempts=2, base_delay_seconds=0.01, overloaded_min_seconds=0.01)
    seconds = 1.5 if fault == "hang" else 30
    settings = Settings(deadline_seconds=seconds, timers=timers_for(fault), retry=retry)
    async with wrapped(kind, f"*={fault}", settings=settings) as use:
        use.client = use.client.with_options(max_retries=2)
        with pytest.raises(anthropic.APIError):
            await create(use)
        assert len(use.sent) == (1 if fault == "hang" else 2)


@KINDS
async def test_a_failure_of_before_is_not_that_of_the_next_call(kind):
    async with wrapped(kind, f"{OPUS}=close", settings=Settings(retry=ONCE)) as use:
        use.client = use.client.with_options(max_retries=1)
        with pytest.raises(anthropic.APIConnectionError):
            await create(use)
        use.simulator.set(OPUS)
        assert (await create(use)).model == OPUS


@KINDS
async def test_without_a_chain_the_model_is_never_changed(kind):
    settings = Settings(retry=RetrySettings(base_delay_seconds=0.01, overloaded_min_seconds=0.01))
    async with wrapped(kind, f"{OPUS}=529", settings=settings) as use:
        with pytest.raises(anthropic.OverloadedError):
            await create(use)
        assert set(use.models) == {OPUS}
        assert len(use.models) == settings.retry.max_attempts


@KINDS
async def test_an_open_breaker_answers_at_once(kind):
    settings = Settings(
        retry=ONCE, breaker=BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    )
    async with wrapped(kind, "*=529", settings=settings) as use:
        for _ in range(2):
            with pytest.raises(anthropic.OverloadedError):
                await create(use)
        with pytest.raises(anthropic.InternalServerError) as caught:
            await create(use)
        calls = len(use.sent)
        with pytest.raises(anthropic.InternalServerError) as caught:
            await create(use)
        assert len(use.sent) == calls
        assert "failsoft made no call" in str(caught.value)
        assert float(caught.value.response.headers["retry-after"]) >= 0
        assert answer_of(caught.value).attempts == ()


@KINDS
@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("reset", "transient · connection"),
        ("cut;after=3", "transient · stream_cut"),
        ("close", "transient · stream_cut"),
        ("eof", "unknown · bad_reply"),
        ("cut_json", "unknown · bad_reply"),
        ("empty", "unknown · bad_reply"),
        ("html;status=200", "unknown · bad_reply"),
    ],
)
async def test_a_plain_reply_that_breaks_off_goes_to_the_next_model_at_once(kind, fault, verdict):
    async with wrapped(kind, f"{OPUS}={fault}", chain=[SONNET]) as use:
        message = await create(use)
        assert (message.model, use.models) == (SONNET, [OPUS, SONNET])
        raw = await use.do(lambda client: client.messages.with_raw_response.create(**QUESTION))
        broken, whole = answer_of(raw).attempts
        assert str(broken.verdict) == verdict
        assert (whole.outcome, whole.wait_seconds) == ("success", 0)


@KINDS
@pytest.mark.parametrize(
    "fault", ["529", "hang", "error_event;after=0", "cut_json", "ping_only;every_ms=20"]
)
async def test_before_the_first_content_a_stream_goes_on_to_the_next_model(kind, fault):
    settings = Settings(timers=timers_for(fault))
    async with wrapped(kind, f"{OPUS}={fault}", chain=[SONNET], settings=settings) as use:
        events = await read(use)
        assert events[0].message.model == SONNET
        assert sum(event.type == "message_start" for event in events) == 1
        assert use.models == [OPUS, SONNET]


@KINDS
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("close", anthropic.APIConnectionError),
        ("eof", anthropic.APIConnectionError),
        ("stall", anthropic.APITimeoutError),
        ("error_event", anthropic.APIStatusError),
    ],
)
async def test_after_the_first_content_nothing_is_repeated_and_a_part_is_no_answer(
    kind, fault, error
):
    settings = Settings(timers=timers_for(fault))
    async with wrapped(kind, f"{OPUS}={fault}", chain=[SONNET], settings=settings) as use:
        stream = await create(use, stream=True)
        seen = []
        with pytest.raises(error) as caught:
            await use.each_into(seen, stream)
        assert any(event.type == "content_block_delta" for event in seen)
        assert seen[-1].type != "message_stop"
        assert use.models == [OPUS]
        assert answer_of(caught.value).notice.title == "The answer was cut short"


IN_ONE_PIECE = b"".join(
    b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
    for event in (
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": OPUS,
                "content": [],
                "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A"}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
)


@KINDS
async def test_an_error_that_comes_together_with_text_is_a_failure_all_the_same(kind):
    async def respond(peer):
        await peer.send(fixed(SSE_HEAD, IN_ONE_PIECE))

    heard, seen = [], []
    async with serving(respond) as server:
        client = failsoft.wrap(sdk_client(kind, server.url), on_event=heard.append)
        use = Wrapped(client, None, [])
        stream = await create(use, stream=True)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await use.each_into(seen, stream)
        await use.do(lambda client: client.close())
    assert seen[-1].delta.text == "A"
    assert answer_of(caught.value).notice.title == "The answer was cut short"
    [attempt] = [event for event in heard if isinstance(event, AttemptFinished)]
    assert (attempt.outcome, attempt.reason) == ("failure", "overloaded")


@KINDS
async def test_a_refusal_is_the_message_it_always_was(kind):
    async with wrapped(kind, "*=refusal", chain=[SONNET]) as use:
        message = await create(use)
        assert message.stop_reason == "refusal"
        events = await read(use)
        assert events[-1].type == "message_stop"


@KINDS
async def test_a_stream_that_is_left_is_cancelled_at_the_provider(kind):
    async with wrapped(kind, "*=latency;between_events_ms=50") as use:
        stream = await create(use, stream=True)
        if use.is_async:
            async for _ in stream:
                break
            await stream.close()
        else:
            await asyncio.to_thread(lambda: (next(iter(stream)), stream.close()))
        await until(lambda: use.simulator.requests[0].outcome == "client_gone")


@KINDS
@pytest.mark.parametrize("read", [False, True])
async def test_a_stream_that_is_dropped_is_cancelled_whatever_the_collector_does(kind, read):
    def drop(stream):
        if read:
            next(iter(stream))

    async with wrapped(kind, "*=latency;between_events_ms=200") as use:
        stream = await create(use, stream=True)
        gc.disable()
        try:
            if not use.is_async:
                await asyncio.to_thread(drop, stream)
            elif read:
                await anext(stream)
            del stream
            await until(lambda: use.simulator.requests[0].outcome == "client_gone")
        finally:
            gc.enable()


async def test_cancelling_the_call_cancels_the_attempt():
    async with wrapped("async", "*=hang") as use:
        task = asyncio.create_task(create(use))
        await until(lambda: use.sent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_thread_whose_attempt_was_given_up_ends():
    def attempts():
        return [one for one in threading.enumerate() if one.name == "failsoft-attempt"]

    settings = Settings(timers=timers_for("hang"))
    async with wrapped("sync", f"{OPUS}=hang", chain=[SONNET], settings=settings) as use:
        assert (await create(use)).model == SONNET
        await until(lambda: not attempts())


@KINDS
async def test_a_deployment_that_fails_on_purpose_fails_wrapped_calls_too(kind):
    settings = Settings(env="dev", simulate_error=f"overloaded@{OPUS}")
    async with wrapped(kind, chain=[SONNET], settings=settings) as use:
        assert (await create(use)).model == SONNET
        assert use.models == [SONNET]
    settings = Settings(env="dev", simulate_error="stream_cut;after=2")
    async with wrapped(kind, settings=settings) as use:
        with pytest.raises(anthropic.APIConnectionError, match="broke off"):
            await read(use)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_wrong_with_the_client_is_raised_as_it_is(stream):
    client = failsoft.wrap(anthropic.AsyncAnthropic(base_url="http://127.0.0.1:9"))
    with pytest.raises(TypeError, match="authentication"):
        await client.messages.create(**QUESTION, stream=stream)
    await client.close()


async def test_a_timeout_of_the_call_caps_everything():
    async with wrapped("async", "*=hang", chain=[SONNET]) as use:
        with pytest.raises(anthropic.APITimeoutError):
            await create(use, timeout=0.4)


async def test_a_deadline_of_the_turn_holds_for_wrapped_calls():
    async with wrapped("async", "*=hang", chain=[SONNET]) as use:
        with failsoft.deadline(0.4), pytest.raises(anthropic.APITimeoutError):
            await create(use)


async def test_a_failsoft_and_a_wrapped_client_share_their_breakers():
    with RunningSimulator(faults=["*=529"]) as simulator:
        settings = Settings(
            anthropic=ProviderSettings(api_key="k", base_url=simulator.url),
            breaker=BreakerSettings(failure_threshold=1, failure_span_seconds=0),
            retry=ONCE,
        )
        async with Failsoft(settings, chain=[f"anthropic/{OPUS}"]) as ai:
            client = failsoft.wrap(sdk_client("async", simulator.url), ai=ai)
            for _ in range(2):
                with pytest.raises(anthropic.InternalServerError):
                    await client.messages.create(**QUESTION)
            assert ai.circuit_state == "open"
            await client.close()


@KINDS
async def test_events_tell_what_happened(kind):
    heard = []
    async with wrapped(kind, f"{OPUS}=529", chain=[SONNET], on_event=heard.append) as use:
        await create(use)
    names = [type(event).__name__ for event in heard]
    assert names == [
        "RequestStarted",
        "AttemptStarted",
        "AttemptFinished",
        "FellBack",
        "AttemptStarted",
        "AttemptFinished",
        "RequestFinished",
    ]


@KINDS
@pytest.mark.parametrize(
    ("head", "calls"), [("529 Overloaded", 3), ("400 Bad Request", 1), ("", 3)]
)
async def test_other_requests_are_tried_again_as_before(kind, head, calls):
    async def respond(peer):
        if not head:
            peer.reset()
            return
        body = b'{"type": "error", "error": {"type": "x", "message": "y"}}'
        fields = b"content-type: application/json\r\nretry-after: 0.01\r\n"
        await peer.send(fixed(b"HTTP/1.1 %b\r\n" % head.encode() + fields, body))

    async with serving(respond) as server:
        client = failsoft.wrap(sdk_client(kind, server.url))
        use = Wrapped(client, None, [])
        with pytest.raises(anthropic.APIError):
            await use.do(lambda client: client.models.list())
        assert len(server.requests) == calls
        server.requests.clear()
        with pytest.raises(anthropic.APIError):
            await use.do(lambda client: client.models.list(timeout=5))
        assert len(server.requests) == calls
        await use.do(lambda client: client.close())


def test_a_client_is_wrapped_once():
    client = failsoft.wrap(sdk_client("sync", "http://127.0.0.1:9"))
    with pytest.raises(SettingError, match="wrapped already"):
        failsoft.wrap(client)


def test_only_clients_of_the_sdk_are_wrapped():
    with pytest.raises(SettingError, match=r"must be a client of the SDK of .*; it is dict"):
        failsoft.wrap({})


def test_an_sdk_without_middleware_is_refused(monkeypatch):
    monkeypatch.delattr(anthropic, "Middleware")
    with pytest.raises(failsoft.FailsoftError, match="has none"):
        failsoft.wrap(sdk_client("sync", "http://127.0.0.1:9"))


def test_a_chain_names_models_of_the_same_provider():
    with pytest.raises(SettingError, match="openai"):
        failsoft.wrap(sdk_client("sync", "http://127.0.0.1:9"), chain=["openai/gpt-5"])


def test_settings_and_a_failsoft_exclude_each_other():
    ai = Failsoft(Settings(anthropic=ProviderSettings(api_key="k")))
    with pytest.raises(SettingError, match="leave those arguments out"):
        failsoft.wrap(sdk_client("sync", "http://127.0.0.1:9"), ai=ai, settings=Settings())


@KINDS
async def test_first_contents_are_learned_from_streams_alone(kind):
    """A plain answer comes whole: the time to it says nothing of its first content."""
    ai = Failsoft()

    def samples():
        learned = (guard.contents.of(thinks=False) for guard in ai._runtime.guards)
        return sum(one.learned(0.0).samples for one in learned)

    async with wrapped(kind, ai=ai) as use:
        await create(use)
        assert samples() == 0
        await read(use)
        assert samples() == 1
