"""What a wrapped client of the openai SDK does and raises when its models fail."""

import asyncio
import json
from contextlib import asynccontextmanager

import openai
import pytest
from chat_streams import ANSWERS, SERVICES
from loopback import SSE_HEAD, chunk, chunked, fixed, serving
from wrap_kit import Wrapped, openai_client, timers_for, wrapped

import failsoft
from failsoft import Failsoft, SettingError, Settings, answer_of
from failsoft.config.settings import BreakerSettings, RetrySettings

KINDS = pytest.mark.parametrize("kind", ["async", "sync"])
GPT, MINI = "gpt-5.5", "gpt-5.5-mini"
QUESTION = {"model": GPT, "messages": [{"role": "user", "content": "What is escrow?"}]}
ONCE = RetrySettings(max_attempts=1)
SOON = RetrySettings(base_delay_seconds=0.01, overloaded_min_seconds=0.01)

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SAID = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1764590000,
    "model": GPT,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
}
STREAM = SERVICES["openai"].stream(ANSWERS["text"])
EVENTS = [event + b"\n\n" for event in STREAM.split(b"\n\n") if event]
ERROR = b'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n'
DONE = b"data: [DONE]\n\n"


def refusal(status, body=None, **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    error = {"message": f"status {status}", "type": "t", "code": "c"}
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n{lines}".encode()
    return fixed(head, json.dumps(body or {"error": error}).encode())


async def create(use, **more):
    return await use.do(lambda client: client.chat.completions.create(**QUESTION, **more))


async def read(use, **more):
    return await use.each(await create(use, stream=True, **more))


ASKS = pytest.mark.parametrize("ask", [create, read], ids=["plain", "stream"])
WHOLE = {
    create: fixed(JSON_HEAD, json.dumps(SAID).encode()),
    read: chunked(SSE_HEAD, STREAM),
}


def text_of(answered):
    if isinstance(answered, list):
        return "".join(one.choices[0].delta.content or "" for one in answered if one.choices)
    return answered.choices[0].message.content


@asynccontextmanager
async def answering(kind, *replies, sdk=None, **arguments):
    """A wrapped client in front of a server that gives ``replies`` in turn, the last for good.

    One that is ``None`` is none: the connection ends.
    """
    left = list(replies)

    async def respond(peer):
        reply = left.pop(0) if len(left) > 1 else left[0]
        if callable(reply):
            await reply(peer)
        elif reply is None:
            peer.reset()
        else:
            await peer.send(reply)

    async with serving(respond) as server:
        bare = openai_client(kind, server.url, **(sdk or {}))
        arguments.setdefault("settings", Settings(retry=SOON))
        try:
            use = Wrapped(failsoft.wrap(bare, **arguments), server, [])
            yield use
        finally:
            use.client = bare
            await use.do(lambda client: client.close())


@KINDS
@ASKS
@pytest.mark.parametrize(
    "first",
    [
        refusal(529),
        refusal(500),
        refusal(429, retry_after="0.01"),
        None,
        chunked(SSE_HEAD, EVENTS[0]),
        chunked(SSE_HEAD, ERROR, DONE),
        fixed(JSON_HEAD, b'{"error": {"message": "overloaded"}}'),
    ],
    ids=["529", "500", "429", "reset", "cut", "in-band", "error-body"],
)
async def test_what_passes_is_tried_again(kind, ask, first):
    async with answering(kind, first, WHOLE[ask]) as use:
        answered = await ask(use)
        assert text_of(answered) == ("Hi" if ask is create else "Two words.")
        assert len(use.simulator.requests) == 2


@KINDS
@ASKS
@pytest.mark.parametrize(
    ("fault", "error", "verdict"),
    [
        ("529", openai.InternalServerError, "transient · overloaded"),
        ("500", openai.InternalServerError, "transient · server_error"),
        ("429;retry_after=30", openai.RateLimitError, "rate_limited · requests"),
        ("bad_key", openai.AuthenticationError, "auth_error · authentication"),
        ("unknown_model", openai.NotFoundError, "permanent · model_unavailable"),
        ("close", openai.APIConnectionError, "transient · stream_cut"),
        ("hang", openai.APITimeoutError, None),
    ],
)
async def test_where_nothing_helps_the_sdks_own_exception_is_raised(
    kind, ask, fault, error, verdict
):
    settings = Settings(deadline_seconds=5, timers=timers_for(fault), retry=ONCE)
    async with wrapped(kind, f"*={fault}", make=openai_client, settings=settings) as use:
        with pytest.raises(error) as caught:
            await ask(use)
        assert type(caught.value) is error
        answer = answer_of(caught.value)
        assert verdict in (None, str(answer.verdict))
        assert answer.notice.body
        assert [attempt.target for attempt in answer.attempts] == [f"openai/{GPT}"]


@KINDS
@ASKS
async def test_nothing_listens(kind, ask):
    async with answering(kind, WHOLE[ask]) as use:
        url = use.simulator.url
    async with answering(kind, WHOLE[ask]) as use:
        use.client = failsoft.wrap(openai_client(kind, url), settings=Settings(retry=ONCE))
        with pytest.raises(openai.APIConnectionError) as caught:
            await ask(use)
        assert type(caught.value) is openai.APIConnectionError
        assert str(answer_of(caught.value).verdict) == "transient · connection"
        await use.do(lambda client: client.close())


@KINDS
async def test_a_stream_that_is_cut_is_never_taken_for_the_whole(kind):
    for pieces in (EVENTS[:3], [*EVENTS[:3], b'data: {"choices": [{"delta": {"cont']):
        async with answering(kind, chunked(SSE_HEAD, *pieces)) as use:
            seen = []
            with pytest.raises(openai.APIConnectionError) as caught:
                await use.each_into(seen, await create(use, stream=True))
            assert text_of(seen) == "Two words"
            assert str(answer_of(caught.value).verdict) == "transient · stream_cut"
            assert len(use.simulator.requests) == 1


@KINDS
@pytest.mark.parametrize(
    "error",
    [
        ERROR,
        b'event: error\ndata: {"message":"The server had an error"}\n\n',
        b'data: {"object":"error","message":"The server had an error"}\n\n',
    ],
)
async def test_an_error_in_a_stream_is_raised_although_done_follows(kind, error):
    async with answering(kind, chunked(SSE_HEAD, *EVENTS[:3], error, DONE)) as use:
        seen = []
        with pytest.raises(openai.APIError, match="The server had an error") as caught:
            await use.each_into(seen, await create(use, stream=True))
        assert type(caught.value) is openai.APIError
        assert text_of(seen) == "Two words"
        assert answer_of(caught.value).notice.body
        assert len(use.simulator.requests) == 1


@KINDS
async def test_a_stream_that_falls_silent_is_ended(kind):
    over = asyncio.Event()

    async def stall(peer):
        await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n")
        await peer.send(chunk(b"".join(EVENTS[:3])))
        await over.wait()
        peer.reset()  # the thread of a blocking client reads until then

    settings = Settings(timers=timers_for("stall"), retry=ONCE)
    async with answering(kind, stall, settings=settings) as use:
        with pytest.raises(openai.APITimeoutError) as caught:
            await read(use)
        over.set()
        assert str(answer_of(caught.value).verdict) == "timeout · no_answer"


@KINDS
@ASKS
@pytest.mark.parametrize("fault", ["529", "500", "429;retry_after=30", "reset", "unknown_model"])
async def test_another_model_answers(kind, ask, fault):
    async with wrapped(kind, f"{GPT}={fault}", make=openai_client, chain=[MINI]) as use:
        assert text_of(await ask(use))
        assert use.models == [GPT, MINI]


@KINDS
async def test_a_hanging_model_is_left_for_another(kind):
    settings = Settings(timers=timers_for("hang"))
    fault = f"{GPT}=hang"
    async with wrapped(kind, fault, make=openai_client, chain=[MINI], settings=settings) as use:
        assert text_of(await read(use))
        assert use.models == [GPT, MINI]


@KINDS
@ASKS
async def test_the_sdk_repeats_nothing_that_failsoft_gave_up(kind, ask):
    for reply in (refusal(529), None):
        retry = RetrySettings(max_attempts=2, base_delay_seconds=0.01, overloaded_min_seconds=0.01)
        more = {"settings": Settings(retry=retry), "sdk": {"max_retries": 4}}
        async with answering(kind, reply, **more) as use:
            with pytest.raises(openai.APIError):
                await ask(use)
            assert len(use.simulator.requests) == 2


@KINDS
async def test_the_callers_own_number_of_retries_is_kept(kind):
    for retries in (0, 1):
        async with answering(kind, refusal(529), sdk={"max_retries": retries}) as use:
            with pytest.raises(openai.InternalServerError):
                await create(use)
            assert len(use.simulator.requests) == retries + 1


@KINDS
@ASKS
async def test_the_callers_own_limit_ends_the_call_and_counts_against_no_model(kind, ask):
    async def hang(peer):
        await peer.gone()

    async with answering(kind, hang) as use:
        with pytest.raises(openai.APITimeoutError) as caught:
            await ask(use, timeout=0.3)
        assert len(use.simulator.requests) == 1
        [attempt] = answer_of(caught.value).attempts
        assert attempt.verdict.breaker == "no"


@KINDS
async def test_a_model_that_is_down_is_left_alone(kind):
    settings = Settings(
        retry=ONCE, breaker=BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    )
    async with answering(kind, refusal(529), settings=settings) as use:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as caught:
                await create(use)
        assert len(use.simulator.requests) == 1
        assert "failsoft made no call" in str(caught.value)
        assert caught.value.status_code in (503, 529)


@KINDS
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": "x"}', b'{"choices": ['])
async def test_a_reply_that_cannot_be_read_is_a_lost_connection_as_well(kind, body):
    settings = Settings(retry=ONCE)
    async with answering(kind, fixed(JSON_HEAD, body), settings=settings) as use:
        with pytest.raises(openai.APIConnectionError) as caught:
            await create(use)
        assert isinstance(caught.value, openai.APIResponseValidationError)
        assert caught.value.response.status_code == caught.value.status_code == 200
        assert "failsoft: " in str(caught.value)


@KINDS
async def test_a_filtered_answer_stays_an_answer(kind):
    filtered = SERVICES["openai"].stream(ANSWERS["filtered"])
    async with answering(kind, chunked(SSE_HEAD, filtered)) as use:
        chunks = await read(use)
        assert chunks[-2].choices[0].finish_reason == "content_filter"


async def test_a_stream_that_is_left_frees_its_connection():
    async def slow(peer):
        await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n")
        await peer.send(chunk(b"".join(EVENTS[:2])))
        await peer.gone()

    async with answering("async", slow) as use:
        stream = await create(use, stream=True)
        await stream.close()
        async with asyncio.timeout(10):
            await use.simulator.all_closed.wait()


@KINDS
async def test_several_choices_are_all_read(kind):
    def event(index, **choice):
        return {"choices": [{"index": index, "delta": {}, "finish_reason": None, **choice}]}

    events = [
        event(0, delta={"content": "A"}),
        event(1, delta={"content": "B"}),
        event(0, finish_reason="stop"),
        event(1, delta={"content": "C"}),
        event(1, finish_reason="stop"),
    ]
    body = b"".join(f"data: {json.dumps({**SAID, **one})}\n\n".encode() for one in events) + DONE
    async with answering(kind, chunked(SSE_HEAD, body)) as use:
        assert len(await read(use, n=2)) == len(events)


def said_event(kind, **data):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1764590000,
    "model": GPT,
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
RESPONSE_EVENTS = [
    said_event("response.created", response={**RESPONSE, "status": "in_progress"}),
    said_event("response.output_text.delta", delta="Hi", item_id="i", output_index=0),
    said_event("response.completed", response=RESPONSE),
]
FAILED = said_event(
    "response.failed",
    response={**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "Oh"}},
)


async def respond(use, **more):
    return await use.do(lambda client: client.responses.create(model=GPT, input="Hi", **more))


@KINDS
@pytest.mark.parametrize("first", [refusal(529), None], ids=["529", "reset"])
async def test_a_response_is_tried_again_by_the_same_model(kind, first):
    whole = fixed(JSON_HEAD, json.dumps(RESPONSE).encode())
    async with answering(kind, first, whole, chain=[MINI]) as use:
        assert (await respond(use)).id == "resp_1"
        models = [json.loads(request.body)["model"] for request in use.simulator.requests]
        assert models == [GPT, GPT]


@KINDS
async def test_a_streamed_response_is_tried_again_before_its_first_content(kind):
    whole = chunked(SSE_HEAD, *RESPONSE_EVENTS)
    for first in (FAILED, RESPONSE_EVENTS[0]):
        async with answering(kind, chunked(SSE_HEAD, first), whole) as use:
            events = await use.each(await respond(use, stream=True))
            assert [event.type for event in events] == [
                "response.created",
                "response.output_text.delta",
                "response.completed",
            ]
            assert len(use.simulator.requests) == 2


@KINDS
async def test_a_streamed_response_that_fails_says_so_itself(kind):
    pieces = (*RESPONSE_EVENTS[:2], FAILED)
    async with answering(kind, chunked(SSE_HEAD, *pieces)) as use:
        events = await use.each(await respond(use, stream=True))
        assert events[-1].type == "response.failed"
        assert events[-1].response.error.message == "Oh"


@KINDS
async def test_a_streamed_response_that_is_cut_is_not_whole(kind):
    async with answering(kind, chunked(SSE_HEAD, *RESPONSE_EVENTS[:2])) as use:
        with pytest.raises(openai.APIConnectionError):
            await use.each(await respond(use, stream=True))


def test_a_client_is_wrapped_once():
    client = openai.OpenAI(api_key="k")
    with pytest.raises(SettingError, match="is wrapped already"):
        failsoft.wrap(failsoft.wrap(client))


def test_a_chain_names_models_of_the_client():
    client = openai.OpenAI(api_key="k")
    failsoft.wrap(client, chain=["openai/gpt-5.5-mini", "maker/model"])
    with pytest.raises(SettingError, match="cannot call anthropic/claude-opus-5-5"):
        failsoft.wrap(client, chain=["anthropic/claude-opus-5-5"])


def test_a_tracer_comes_after():
    client = openai.OpenAI(api_key="k")
    client.chat.completions.create = print
    with pytest.raises(SettingError, match=r"replaced \(chat.completions.create\)"):
        failsoft.wrap(client)


@KINDS
async def test_a_failsoft_is_shared(kind):
    async with (
        Failsoft(Settings(retry=ONCE)) as ai,
        answering(kind, refusal(401), ai=ai, settings=None) as use,
    ):
        with pytest.raises(openai.AuthenticationError):
            await create(use)
        assert len(use.simulator.requests) == 1


def test_a_client_that_signs_its_requests_stays_with_its_model():
    client = openai.OpenAI(api_key="k")
    client._provider = object()
    with pytest.raises(SettingError, match="signs its requests"):
        failsoft.wrap(client, chain=[MINI])


async def test_a_key_that_is_refused_is_refused_for_itself_alone():
    async with answering("async", refusal(401), WHOLE[create]) as use:
        with pytest.raises(openai.AuthenticationError):
            await create(use)
        with pytest.raises(openai.AuthenticationError, match="failsoft made no call"):
            await create(use)
        assert text_of(await create(use, extra_headers={"Authorization": "Bearer other"})) == "Hi"
        assert len(use.simulator.requests) == 2
